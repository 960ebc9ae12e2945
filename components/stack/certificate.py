"""web's certificate, where this program has it: from an authority of the stack's own, or the operator's."""

from __future__ import annotations

from dataclasses import dataclass

from components.config.secret import Secret
from components.config.settings import Settings


@dataclass(frozen=True, kw_only=True)
class LocalCa:
    """A certificate for `host`, signed by an authority of the stack's own, which has the name `authority`."""

    authority: str
    host: str
    is_address: bool


@dataclass(frozen=True, kw_only=True)
class OwnCertificate:
    """The operator's own certificate."""

    chain: Secret
    private_key: Secret


def certificate(settings: Settings) -> LocalCa | OwnCertificate | None:
    """What web is given; None where the image or a proxy sees to it."""
    tls = settings.tls
    if not tls.certificate_uploaded:
        return None
    if tls.certificate is not None and tls.private_key is not None:
        return OwnCertificate(chain=tls.certificate, private_key=tls.private_key)
    url = settings.public_url
    authority = f"videobackend {settings.stack} local CA"
    return LocalCa(authority=authority, host=url.host, is_address=url.address is not None)
