"""Where web's certificate and key come from, and that the keys go nowhere else."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.component.recorder import GENERATED, Recording, Sealed, run_main, scenario
from tests.values import DOMAIN, OWN_SECRETS

KEY: Final = "tls:index/privateKey:PrivateKey"
AUTHORITY: Final = "tls:index/selfSignedCert:SelfSignedCert"
SERVER: Final = "tls:index/locallySignedCert:LocallySignedCert"
REQUEST: Final = "tls:index/certRequest:CertRequest"


def uploads(recording: Recording) -> dict[str, Any]:
    return {item["file"]: item.get("content") for item in recording.containers["web"].inputs["uploads"]}


def test_the_local_authority_signs_webs_certificate() -> None:
    recording = scenario("defaults")
    (authority,), (server,), (request,) = (recording.of_type(token) for token in (AUTHORITY, SERVER, REQUEST))
    assert authority.inputs["isCaCertificate"] is True
    assert server.inputs["caCertPem"] == f"certificate-of-{authority.name}"
    assert server.inputs["certRequestPem"] == f"request-of-{request.name}"
    assert uploads(recording)["/config/keys/cert.crt"] == f"certificate-of-{server.name}"


def test_the_servers_key_fits_the_request_and_is_not_the_authoritys() -> None:
    recording = scenario("defaults")
    (authority,), (server,), (request,) = (recording.of_type(token) for token in (AUTHORITY, SERVER, REQUEST))
    assert request.inputs["privateKeyPem"] == uploads(recording)["/config/keys/cert.key"]
    assert server.inputs["caPrivateKeyPem"] == authority.inputs["privateKeyPem"]
    assert request.inputs["privateKeyPem"] != authority.inputs["privateKeyPem"]


def test_webs_key_is_sealed() -> None:
    for name in ("defaults", "own secrets"):
        assert isinstance(uploads(scenario(name))["/config/keys/cert.key"], Sealed), name


def test_the_authoritys_key_leaves_no_resource_but_those_that_sign() -> None:
    recording = scenario("defaults")
    (authority,) = recording.of_type(AUTHORITY)
    key = authority.inputs["privateKeyPem"].value
    assert key.startswith(GENERATED)
    holders = {one.type for one in recording.resources if key in repr(one.inputs)}
    assert holders == {AUTHORITY, SERVER}
    assert key not in repr(recording.outputs)


def test_the_authority_to_trust_is_an_output() -> None:
    recording = scenario("defaults")
    (authority,) = recording.of_type(AUTHORITY)
    assert recording.outputs["caCertificate"] == f"certificate-of-{authority.name}"


@pytest.mark.parametrize(
    ("url", "names", "addresses"),
    [
        ("https://onlineberatung.local:8443", ["onlineberatung.local"], None),
        ("https://192.0.2.10:8443", None, ["192.0.2.10"]),
        ("https://[2001:DB8::1]:8443", None, ["2001:db8::1"]),
    ],
)
def test_the_certificate_is_for_the_host_of_the_public_url(
    url: str, names: list[str] | None, addresses: list[str] | None
) -> None:
    (request,) = run_main({"publicUrl": url}).of_type(REQUEST)
    assert request.inputs.get("dnsNames") == names
    assert request.inputs.get("ipAddresses") == addresses


def test_an_own_certificate_is_handed_over_and_nothing_is_generated() -> None:
    recording = scenario("own secrets")
    assert uploads(recording)["/config/keys/cert.crt"] == Sealed(OWN_SECRETS["tlsCertificate"])
    assert uploads(recording)["/config/keys/cert.key"] == Sealed(OWN_SECRETS["tlsPrivateKey"])
    assert recording.of_type(KEY, AUTHORITY, SERVER, REQUEST) == []
    assert "caCertificate" not in recording.outputs


@pytest.mark.parametrize("mode", ["letsencrypt", "proxy", "self-signed"])
def test_where_the_image_or_a_proxy_has_the_certificate_this_program_makes_none(mode: str) -> None:
    recording = run_main({**DOMAIN, "tls": mode})
    assert recording.error is None
    assert not [path for path in uploads(recording) if "/keys/" in path]
    assert recording.of_type(KEY, AUTHORITY, SERVER, REQUEST) == []
    assert "caCertificate" not in recording.outputs
