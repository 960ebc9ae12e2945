"""What the checks of the name, the certificate and plain HTTP make of what they see, with no server."""

from __future__ import annotations

import re
import ssl
from typing import Any

import pytest

from ops.verify.checks import certificate, name, plain_http, sign_in
from ops.verify.context import Context
from ops.verify.deployed import DeployedStack
from ops.verify.net import Answer, HttpError
from ops.verify.result import Status
from tests.verify.contexts import context, with_facts
from tests.verify.outputs import HOST, outputs


@pytest.mark.parametrize(
    ("changes", "resolved", "status"),
    [
        ({}, ["127.0.0.1"], Status.OK),
        ({}, ["127.0.0.1", "::1"], Status.WARNING),
        ({"hostsEntry": f"192.0.2.1 {HOST}"}, ["127.0.1.1"], Status.WARNING),
        ({"hostsEntry": f"192.0.2.1 {HOST}"}, ["192.0.2.2"], Status.FAILED),
        ({}, [], Status.FAILED),
        ({"dnsRecords": [f"{HOST} A 192.0.2.1", f"{HOST} AAAA 2001:db8::1"]}, ["2001:db8::1"], Status.OK),
        ({"dnsRecords": [f"{HOST} A 192.0.2.1"]}, ["192.0.2.1", "192.0.2.2"], Status.FAILED),
        ({"dnsRecords": [f"{HOST} A 192.0.2.1"]}, ["192.0.2.1", "64:ff9b::192.0.2.1"], Status.OK),
        ({"dnsRecords": [f"{HOST} A 192.0.2.1"]}, ["64:ff9b::192.0.2.2"], Status.FAILED),
        ({"dnsRecords": [f"{HOST} A 192.0.2.1"]}, ["127.0.1.1"], Status.WARNING),
        ({"dnsRecords": [f"{HOST} A 192.0.2.1"]}, ["127.0.1.1", "192.0.2.2"], Status.FAILED),
        ({"hostsEntry": None}, ["127.0.0.1"], Status.OK),
    ],
)
def test_a_name_must_lead_to_the_stacks_addresses_alone(
    changes: dict[str, Any], resolved: list[str], status: Status
) -> None:
    """Those of the DNS records, else of the hosts entry, else of dockerHostAddress."""
    result = name.judge(context(**changes), resolved)
    assert result.status is status, result


@pytest.mark.parametrize(
    ("resolved", "status"),
    [
        (["192.0.2.5"], Status.OK),
        (["2001:db8::5"], Status.OK),
        (["2001:db8::5", "192.0.2.5"], Status.OK),
        (["2001:db8::6"], Status.FAILED),
    ],
)
def test_a_name_may_lead_to_each_of_docker_host_address(resolved: list[str], status: Status) -> None:
    """hostsEntry has the first alone."""
    media = {"addresses": ["192.0.2.5", "2001:db8::5#10001"]}
    found = outputs(hostsEntry=f"192.0.2.5 {HOST}", facts={"media": media})
    assert name.judge(Context(DeployedStack.of(found)), resolved).status is status
    del found["hostsEntry"]
    assert name.judge(Context(DeployedStack.of(found)), resolved).status is status


def test_without_docker_host_address_a_right_name_on_another_machine_is_no_failure() -> None:
    """hostsEntry then is the loopback, which would be wrong there."""
    found = outputs(facts={"media": {"addresses": []}})
    result = name.judge(Context(DeployedStack.of(found)), ["192.0.2.5"])
    assert result.status is Status.WARNING
    assert "cannot be compared" in result.detail
    assert "127.0.0.1" not in result.fix
    assert "on other machines its address" in name.judge(Context(DeployedStack.of(found)), []).fix


def test_before_a_proxy_of_ones_own_another_address_is_only_a_warning() -> None:
    found = outputs(hostsEntry=None, facts={"tls": {"mode": "proxy"}, "media": {"addresses": ["192.0.2.1"]}})
    assert name.judge(Context(DeployedStack.of(found)), ["192.0.2.9"]).status is Status.WARNING


def test_a_name_that_does_not_resolve_is_fixed_by_the_hosts_entry() -> None:
    assert f"127.0.0.1 {HOST}" in name.judge(context(), []).fix


@pytest.mark.parametrize(
    ("days", "status"), [(0.5, Status.WARNING), (29.9, Status.WARNING), (30, Status.OK), (89.2, Status.OK)]
)
def test_a_certificate_for_less_than_thirty_days_is_a_warning(days: float, status: Status) -> None:
    result = certificate.judge_days(days * 86400, context().stack)
    assert result.status is status
    assert f"for {int(days)} more days" in result.detail


PUBLIC_CA = {"caCertificate": None, "hostsEntry": None}


@pytest.mark.parametrize(
    ("code", "acme_server", "changes", "status", "says", "fix"),
    [
        (
            20,
            "https://acme.example.org/directory",
            PUBLIC_CA,
            "failed",
            "the authority of https://acme.example.org/directory",
            "SSL_CERT_FILE",
        ),
        (
            20,
            "https://acme-v02.api.letsencrypt.org/directory",
            PUBLIC_CA,
            "failed",
            "not from Let's Encrypt",
            "docs/tls.md",
        ),
        (
            20,
            "https://acme-staging-v02.api.letsencrypt.org/directory",
            PUBLIC_CA,
            "failed",
            "staging",
            "docs/tls.md",
        ),
        (20, None, PUBLIC_CA, "failed", "does not lead to an authority known here", "whole chain"),
        (18, None, PUBLIC_CA, "failed", "self-signed, so no browser", "tls letsencrypt"),
        (18, None, {"caCertificate": None}, "warning", "self-signed: browsers ask", "local-ca"),
        (
            18,
            None,
            PUBLIC_CA | {"publicUrl": "https://192.0.2.5:8443"},
            "warning",
            "self-signed: browsers ask",
            "local-ca",
        ),
        (18, None, {"caCertificate": "PEM"}, "failed", "the stack's own authority", "bring the stack up"),
        (62, None, PUBLIC_CA, "failed", "for another host", "names the host"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_fixed_as_its_kind_needs(
    code: int, acme_server: str | None, changes: dict[str, Any], status: str, says: str, fix: str
) -> None:
    mode = "letsencrypt" if acme_server else "own"
    found = outputs(**changes, facts={"tls": {"mode": mode, "acmeServer": acme_server}})
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    result = certificate._distrusted(Context(DeployedStack.of(found)), error)
    assert (result.status.value, says in result.detail, fix in result.fix) == (status, True, True), result


@pytest.mark.parametrize(
    ("port", "http_port", "letsencrypt", "fix"),
    [
        (443, 8000, False, "httpPort is 8000, .* comes to 80: pulumi config set httpPort 80"),
        (443, 80, False, "let TCP through to port 80: whoever types"),
        (443, 80, True, "let TCP through to port 80: Let's Encrypt connects there"),
        (8443, 8000, False, "let TCP through to port 8000: whoever types"),
    ],
)
def test_missing_plain_http_is_fixed_as_its_reason_needs(
    port: int, http_port: int, letsencrypt: bool, fix: str
) -> None:
    outputs_now: dict[str, dict[str, Any]] = {
        "tls": {"mode": "letsencrypt" if letsencrypt else "own"},
        "http": {"port": 80 if port == 443 else http_port},
    }
    found = outputs(port, facts=outputs_now)
    (entry,) = [one for one in found["facts"]["ports"] if one["key"] == "httpPort"]
    entry["first"] = entry["last"] = http_port
    result = plain_http._fix(DeployedStack.of(found))
    assert re.match(fix, result), result
    assert letsencrypt or "Let's Encrypt" not in result


@pytest.mark.parametrize(
    ("location", "status"),
    [
        (f"https://{HOST}/a", Status.OK),
        (f"https://{HOST}:443/a", Status.OK),
        (f"http://{HOST}/a", Status.FAILED),
        ("https://elsewhere.example.org/", Status.FAILED),
        (f"https://{HOST}:8443/a", Status.FAILED),
        ("", Status.FAILED),
    ],
)
def test_http_must_redirect_to_public_url(location: str, status: Status) -> None:
    result = plain_http._judge_redirect(context(443), Answer(301, {"location": location}, ""))
    assert result.status is status


@pytest.mark.parametrize(
    ("status", "tls", "fix"),
    [
        (502, "own", "web does not reach prosody: does prosody run? docker logs videobackend-test-prosody"),
        (503, "proxy", "your proxy does not reach web, or web does not reach prosody"),
        (404, "own", "the way"),
    ],
)
def test_what_a_proxy_answers_for_a_server_that_is_gone_is_fixed_there(status: int, tls: str, fix: str) -> None:
    one = with_facts(tls={"mode": tls})
    result = sign_in._no_sign_in(one, HttpError("/http-bind", status), "the way")
    assert result.fix.startswith(fix)
    assert f"HTTP {status}" in result.detail
