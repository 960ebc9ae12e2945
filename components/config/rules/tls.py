"""web's certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from components.config.problems import Problem
from components.config.settings import Settings


def _only_own(settings: Settings) -> Iterator[Problem]:
    mode = settings.tls_mode
    if mode == "own":
        return
    for key, value in (("tlsCertificate", settings.tls_certificate), ("tlsPrivateKey", settings.tls_private_key)):
        if value is not None:
            yield Problem(key, None, "unset, or tls own", remove=True, reason=f"only with tls own; tls is {mode}")


def _own_required(settings: Settings) -> Iterator[Problem]:
    if settings.tls_mode != "own":
        return
    for key, what, value in (
        ("tlsCertificate", "the certificate chain", settings.tls_certificate),
        ("tlsPrivateKey", "the private key", settings.tls_private_key),
    ):
        if value is None:
            yield Problem(key, None, f"{what} in PEM form", secret=True, reason="required because tls is own")


def _own_key(settings: Settings) -> Iterator[Problem]:
    chain, private_key = settings.tls_certificate, settings.tls_private_key
    if settings.tls_mode != "own" or chain is None or not chain.readable:
        return
    from components.config import certificate  # loads cryptography

    if private_key is not None and private_key.readable:
        for allowed in certificate.key_faults(chain.reveal(), private_key.reveal()):
            yield Problem("tlsPrivateKey", None, allowed, secret=True)


def _own_chain(settings: Settings) -> Iterator[Problem]:
    chain = settings.tls_certificate
    if settings.tls_mode != "own" or chain is None or not chain.readable:
        return
    from components.config import certificate  # loads cryptography

    for allowed in certificate.certificate_faults(chain.reveal(), settings.public_url.host):
        yield Problem("tlsCertificate", None, allowed, secret=True)


def _letsencrypt_name(settings: Settings) -> Iterator[Problem]:
    url = settings.public_url
    if settings.tls_mode == "letsencrypt" and not url.is_public_name and settings.letsencrypt_acme_server is None:
        allowed = f"{_OTHER_MODES} for {url.host}: Let's Encrypt certifies public names only"
        yield Problem("tls", "letsencrypt", allowed, example="local-ca")


def _letsencrypt_email(settings: Settings) -> Iterator[Problem]:
    if settings.tls_mode == "letsencrypt" and settings.letsencrypt_email is None:
        host = settings.public_url.host
        why = "tls is letsencrypt" if settings.tls_choice else f"{host} is a public name and gets its certificate there"
        reason = f"required because {why}; {_OTHER_MODES} need none"
        yield Problem("letsencryptEmail", None, "an e-mail address", example="NAME@DOMAIN", reason=reason)


def _letsencrypt_authority(settings: Settings) -> Iterator[Problem]:
    if settings.tls_mode != "letsencrypt":
        return
    if settings.letsencrypt_acme_server is not None and settings.letsencrypt_use_staging:
        allowed = "unset beside letsencryptAcmeServer, which names the authority"
        yield Problem("letsencryptUseStaging", "'true'", allowed, remove=True)


def _letsencrypt_reachable(settings: Settings) -> Iterator[Problem]:
    if settings.tls_mode != "letsencrypt":
        return
    addresses = settings.web_bind_addresses
    if all(address.is_loopback for address in addresses):
        allowed = f"an address that Let's Encrypt can reach; {_OTHER_MODES} take any"
        yield Problem("bindAddress", ",".join(map(str, addresses)), allowed, example="0.0.0.0")


def _letsencrypt_renewal(settings: Settings) -> Iterator[Problem]:
    if settings.tls_mode == "letsencrypt" and settings.jitsi_release in _NEVER_RENEWING:
        allowed = f"a release that renews certificates, from {_RENEWING} on; {_OTHER_MODES} take this one"
        yield Problem("jitsiRelease", repr(settings.jitsi_release), allowed, example=_RENEWING)


def _letsencrypt_port(settings: Settings) -> Iterator[Problem]:
    if settings.tls_mode == "letsencrypt" and settings.http_port != 80:
        allowed = f"80, because Let's Encrypt connects to that port; {_OTHER_MODES} take any"
        yield Problem("httpPort", repr(str(settings.http_port)), allowed, example="80")


def _certificate_age(settings: Settings) -> Iterator[str]:
    chain = settings.tls_certificate
    if settings.tls_mode == "own" and chain is not None and chain.readable:
        from components.config import certificate  # loads cryptography

        days = certificate.days_left(chain.reveal())
        if days is not None and days < certificate.WARN_DAYS:
            yield f"tlsCertificate ends in {days} days: get a new one and set tlsCertificate and tlsPrivateKey"


def _account_needed(settings: Settings) -> Iterator[str]:
    acme = settings.tls.acme
    host = urlsplit(acme.directory).hostname or "" if acme is not None else ""
    if host.endswith(_WITH_ACCOUNTS):
        yield (
            f"letsencryptAcmeServer: {host} gives certificates to accounts of its own alone (external account binding), which "
            f"the web image cannot name; unset it for Let's Encrypt"
        )


def _unused(settings: Settings) -> Iterator[str]:
    if settings.tls_mode == "letsencrypt":
        return
    given = {
        "letsencryptEmail": settings.letsencrypt_email,
        "letsencryptUseStaging": settings.letsencrypt_use_staging,
        "letsencryptAcmeServer": settings.letsencrypt_acme_server,
    }
    yield from (f"{key} has no effect while tls is {settings.tls_mode}" for key, value in given.items() if value)


_WITH_ACCOUNTS: Final = (".pki.goog", ".digicert.com")
"""https://docs.digicert.com, "ACME external account binding"; of Google's Public CA the same."""
_OTHER_MODES: Final = "tls own, local-ca or proxy"
_NEVER_RENEWING: Final = ("stable-11146", "stable-11146-1")
"""Their web image asks for a certificate at its start and never again (jitsi/docker-jitsi-meet #2301, #2305)."""
_RENEWING: Final = "stable-11146-2"

RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (
    _only_own,
    _own_required,
    _own_chain,
    _own_key,
    _letsencrypt_name,
    _letsencrypt_email,
    _letsencrypt_authority,
    _letsencrypt_renewal,
    _letsencrypt_port,
    _letsencrypt_reachable,
)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (_certificate_age, _account_needed, _unused)
