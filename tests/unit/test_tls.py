"""TLS: which mode suits which host, what an own certificate must be, and what web gets."""

from __future__ import annotations

import pytest
from cryptography import x509

from components.config import rules
from components.config.problems import SettingsError
from components.config.secret import ENCRYPTED, Secret
from components.stack import topology
from components.stack.spec import FileSpec, SecretRef
from tests.pem import certificate
from tests.values import DOMAIN, container, load

CERTIFICATE, KEY = certificate("video.example.org", "*.counselling.example", "192.0.2.7")
PUBLIC = {"publicUrl": "https://video.example.org", "httpPort": "80", "httpsPort": "443", "jvbPort": "10000"}


def own(**values: str) -> dict[str, str]:
    return {**PUBLIC, "tls": "own", "tlsCertificate": CERTIFICATE, "tlsPrivateKey": KEY, **values}


def refused(**values: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as error:
        load(**values)
    assert "PRIVATE KEY" not in str(error.value)
    return {problem.key: problem.allowed for problem in error.value.problems}


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("https://onlineberatung.local:8443", "local-ca"),
        ("https://192.168.1.5:8443", "local-ca"),
        ("https://video.example.org", "letsencrypt"),
    ],
)
def test_the_default_suits_the_host(url: str, mode: str) -> None:
    assert load(publicUrl=url, httpPort="80", letsencryptEmail="admin@example.org").tls_mode == mode


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("Video.EXAMPLE.org", "video.example.org"),
        ("video.example.org", "VIDEO.example.ORG"),
        ("*.Example.org", "video.example.org"),
    ],
)
def test_names_of_a_certificate_are_compared_without_their_case(name: str, host: str) -> None:
    """RFC 4343; browsers do the same."""
    chain, key = certificate(name)
    assert load(**own(publicUrl=f"https://{host}", tlsCertificate=chain, tlsPrivateKey=key))


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("*.example.org", "example.org"),
        ("*.example.org", "a.video.example.org"),
        ("video.*.org", "video.example.org"),
        ("192.0.2.8", "192.0.2.7"),
        ("example.org", "video.example.org"),
    ],
)
def test_a_name_that_only_resembles_the_host_does_not_stand_for_it(name: str, host: str) -> None:
    chain, key = certificate(name)
    assert (
        "this one is for"
        in refused(**own(publicUrl=f"https://{host}", tlsCertificate=chain, tlsPrivateKey=key))["tlsCertificate"]
    )


@pytest.mark.parametrize("host", ["video.example.org", "a.counselling.example", "192.0.2.7"])
def test_an_own_certificate_that_fits_is_taken(host: str) -> None:
    settings = load(**own(publicUrl=f"https://{host}"))
    assert settings.tls_certificate == Secret(CERTIFICATE)
    assert settings.tls_private_key == Secret(KEY)


def test_an_own_certificate_that_does_not_fit_is_refused_with_the_reason() -> None:
    other_certificate, other_key = certificate("video.example.org")
    ended, ended_key = certificate("video.example.org", days=-1, starts=-9)
    future, future_key = certificate("video.example.org", starts=5)
    assert "this one is for video.example.org" in refused(**own(publicUrl="https://x.example.org"))["tlsCertificate"]
    assert "a.b.counselling.example" in refused(**own(publicUrl="https://a.b.counselling.example"))["tlsCertificate"]
    assert "this one ended on" in refused(**own(tlsCertificate=ended, tlsPrivateKey=ended_key))["tlsCertificate"]
    assert "this one begins on" in refused(**own(tlsCertificate=future, tlsPrivateKey=future_key))["tlsCertificate"]
    assert "belongs to tlsCertificate" in refused(**own(tlsPrivateKey=other_key))["tlsPrivateKey"]
    assert "belongs to tlsCertificate" in refused(**own(tlsCertificate=other_certificate))["tlsPrivateKey"]
    assert (
        "PEM"
        in refused(**own(tlsCertificate="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"))[
            "tlsCertificate"
        ]
    )
    assert "without a passphrase" in refused(**own(tlsPrivateKey=CERTIFICATE))["tlsPrivateKey"]
    assert "certificates alone" in refused(**own(tlsCertificate=CERTIFICATE + KEY))["tlsCertificate"]
    assert "no host" in refused(**own(tlsCertificate=certificate()[0]))["tlsCertificate"]


def test_an_address_written_as_a_name_does_not_stand_for_the_address_as_browsers_have_it() -> None:
    name = x509.SubjectAlternativeName([x509.DNSName("192.0.2.1")])
    chain, key = certificate(names=name)
    assert (
        "this one is for 192.0.2.1"
        in refused(**own(publicUrl="https://192.0.2.1", tlsCertificate=chain, tlsPrivateKey=key))["tlsCertificate"]
    )


def test_own_needs_both_and_other_modes_take_neither() -> None:
    assert set(refused(**PUBLIC, tls="own")) == {"tlsCertificate", "tlsPrivateKey"}
    assert set(refused(**own(tls="proxy"))) == {"tlsCertificate", "tlsPrivateKey"}


def test_an_encrypted_certificate_is_not_looked_into() -> None:
    assert load(**own(tlsCertificate=ENCRYPTED, tlsPrivateKey=ENCRYPTED)).tls_mode == "own"


def test_a_certificate_that_ends_within_30_days_is_warned_of() -> None:
    soon, key = certificate("video.example.org", days=29.5)
    later = load(
        **own(**dict(zip(("tlsCertificate", "tlsPrivateKey"), certificate("video.example.org", days=31), strict=True)))
    )
    assert any(
        "tlsCertificate ends in 29 days" in text
        for text in rules.warnings(load(**own(tlsCertificate=soon, tlsPrivateKey=key)))
    )
    assert not any("tlsCertificate" in text for text in rules.warnings(later))


def test_letsencrypt_is_refused_where_it_could_not_get_a_certificate() -> None:
    assert set(refused(publicUrl="https://video.example.org")) == {"letsencryptEmail", "httpPort"}
    assert set(refused(tls="letsencrypt", httpPort="80", letsencryptEmail="a@example.org")) == {"tls"}
    assert set(refused(**{**DOMAIN, "bindAddress": "127.0.0.1"})) == {"bindAddress"}


@pytest.mark.parametrize("addresses", ["127.0.0.1,203.0.113.10", "203.0.113.10,::1"])
def test_letsencrypt_is_accepted_where_one_of_several_addresses_can_be_reached(addresses: str) -> None:
    assert load(**{**DOMAIN, "bindAddress": addresses}).tls.mode == "letsencrypt"


def test_letsencrypt_reaches_the_image_as_it_reads_it() -> None:
    environment = container("web", load(**DOMAIN, letsencryptUseStaging="true")).environment
    assert {name: value for name, value in environment.items() if "LETSENCRYPT" in name} == {
        "ENABLE_LETSENCRYPT": "1",
        "LETSENCRYPT_DOMAIN": "video.example.org",
        "LETSENCRYPT_EMAIL": DOMAIN["letsencryptEmail"],
        "LETSENCRYPT_USE_STAGING": "1",
        "LETSENCRYPT_ACME_SERVER": "https://acme-staging-v02.api.letsencrypt.org/directory",
    }


@pytest.mark.parametrize(("mode", "uploaded"), [("local-ca", True), ("self-signed", False), ("proxy", False)])
def test_web_gets_a_certificate_where_this_program_provides_it(mode: str, uploaded: bool) -> None:
    files = container("web", load(tls=mode)).files
    assert (FileSpec(path=topology.WEB_CERTIFICATE, content=SecretRef("tls_certificate")) in files) is uploaded
    assert (FileSpec(path=topology.WEB_PRIVATE_KEY, content=SecretRef("tls_private_key")) in files) is uploaded


def test_behind_a_proxy_web_speaks_plain_http_to_its_own_machine_only() -> None:
    spec = container("web", load(tls="proxy"))
    assert [(port.internal, port.ip) for port in spec.ports] == [(topology.WEB_HTTP_PORT, "127.0.0.1")]
    assert spec.environment["DISABLE_HTTPS"] == "1"
    assert spec.environment["ENABLE_HTTP_REDIRECT"] == "0"
    assert [port.ip for port in container("web", load(tls="proxy", bindAddress="192.0.2.9")).ports] == ["192.0.2.9"]
