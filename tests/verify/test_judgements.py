"""What each check makes of what it sees, with no server."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from ops.errors import OpsError
from ops.verify.checks import bridge, call_events, certificate, config_js, media, name, plain_http, rooms, sign_in, turn
from ops.verify.context import Context, NoDocker
from ops.verify.deployed import DeployedStack, Turn
from ops.verify.net import Answer, HttpError, Unreachable
from ops.verify.result import Status
from ops.verify.xmpp import Offer, Service
from tests.prosody.configuration import SECRET
from tests.verify.outputs import HOST, accepting, outputs
from tests.verify.scenes import CONFIG_JS

T = TypeVar("T")
JS = CONFIG_JS.replace("PORT", "8443")


def context(port: int = 8443, address: str | None = None, **changes: Any) -> Context:
    return Context(DeployedStack.of(outputs(port, **changes)), address)


def with_facts(**facts: dict[str, Any]) -> Context:
    return context(facts=facts)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


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
    told: dict[str, dict[str, Any]] = {
        "tls": {"mode": "letsencrypt" if letsencrypt else "own"},
        "http": {"port": 80 if port == 443 else http_port},
    }
    found = outputs(port, facts=told)
    (entry,) = [one for one in found["facts"]["ports"] if one["key"] == "httpPort"]
    entry["first"] = entry["last"] = http_port
    result = plain_http._fix(DeployedStack.of(found))
    assert re.match(fix, result), result
    assert letsencrypt or "Let's Encrypt" not in result


def test_the_page_as_the_program_makes_it_is_good() -> None:
    assert config_js.judge(context(), JS).status is Status.OK


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            ":8443/' + subdir + 'http-bind'",
            "/' + subdir + 'http-bind'",
            "not to https://video.verify.test:8443/http-bind",
        ),
        ("wss://video.verify.test", "wss://localhost", "not to wss://video.verify.test:8443/xmpp-websocket"),
        ("config.websocket", "config.other", "no config.websocket"),
        ("config.p2p.stunServers = [];", "", "names no STUN servers"),
        ("stunServers = [];", "stunServers = [{ urls: 'stun:meet-jit-si-turnrelay.jitsi.net:443' }];", "jitsi.net:443"),
        ("stunServers = [];", "stunServers = 'stun.example.org:3478'.split(',');", "stun.example.org:3478"),
        ("enabled: true", "stunServers: [{ urls: 'stun:a.example.org:3478' }]", "a.example.org:3478"),
    ],
)
def test_a_page_that_leads_elsewhere_or_to_a_third_party_fails(old: str, new: str, says: str) -> None:
    assert old in JS
    result = config_js.judge(context(), JS.replace(old, new))
    assert result.status is Status.FAILED
    assert says in result.detail
    assert result.fix


OTHER = "https://other.example.org"


@pytest.mark.parametrize(
    "line",
    [
        f"config.bosh = '{OTHER}/http-bind'",
        f"config.bosh = '{OTHER}/http-bind'; // ours",
        f"config.bosh = '{OTHER}/http-bind' /* ours */",
        f"config.bosh =\n  '{OTHER}/'\n  + 'http-bind'",
        f"config['bosh'] = '{OTHER}/http-bind';",
        f'window.config["bosh"] = "{OTHER}/http-bind";',
        f"config.bosh = `{OTHER}/http-bind`;",
        f"Object.assign(config, {{ bosh: '{OTHER}/http-bind' }});",
        f"Object.assign(config, {{ bosh: '{OTHER}/' + subdir + 'http-bind' }})",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\nconfig.other = 'x';\n"])
def test_a_line_that_sends_browsers_elsewhere_fails_however_it_is_written(line: str, end: str) -> None:
    result = config_js.judge(context(), JS + line + end)
    assert result.status is Status.FAILED, result
    assert f"{OTHER}/http-bind" in result.detail
    websocket = line.replace("bosh", "websocket").replace("http-bind", "xmpp-websocket")
    assert config_js.judge(context(), JS + websocket + end).status is Status.FAILED


@pytest.mark.parametrize(
    "line",
    [
        f"config.bosh = 'https://{HOST}:8443/http-bind'",
        f"config['bosh'] = 'https://{HOST}:8443/' + subdir + 'http-bind' // ours",
        f"Object.assign(config, {{ bosh: 'https://{HOST}:8443/tenant/http-bind' }})",
        "config.bosh = '/http-bind', config.other = 'https://other.example.org/'",
        "config.otherbosh = 1; myconfig.bosh = 'x'; if (config.bosh == 'y') { z(); }",
    ],
)
def test_a_line_that_leaves_browsers_here_is_good_however_it_is_written(line: str) -> None:
    assert config_js.judge(context(), JS + line + "\n").status is Status.OK


def test_a_url_elsewhere_that_a_later_line_replaces_is_a_warning() -> None:
    result = config_js.judge(context(), f"var config = {{ bosh: '{OTHER}/http-bind' }};\n" + JS)
    assert result.status is Status.WARNING
    assert OTHER in result.detail


def test_stun_servers_without_a_semicolon_count_too() -> None:
    line = "config.p2p.stunServers = [{ urls: 'stun:stun.example.org:3478' }] // ours\n"
    assert "stun.example.org:3478" in config_js.judge(context(), JS + line).detail


def test_what_is_commented_out_in_the_page_does_not_count() -> None:
    commented = "// config.bosh = 'https://a/';\n/* config.p2p.stunServers = [{ urls: 'stun:a.example.org' }]; */\n"
    assert config_js.judge(context(), JS + commented).status is Status.OK
    assert (
        config_js.judge(context(), JS + "config.a = 'b'; // config.bosh = 'https://a/http-bind'\n").status is Status.OK
    )


def test_configured_stun_servers_are_not_foreign() -> None:
    given = "config.p2p.stunServers = 'a.example.org:3478,b.example.org:3478'.split(',').map(function (url) { return { urls: 'stun:' + url }; } );\n"
    one = with_facts(media={"stunServers": ["a.example.org:3478", "b.example.org:3478"]})
    assert config_js.judge(one, JS + given).status is Status.OK
    other = with_facts(media={"stunServers": ["a.example.org:3478"]})
    assert "b.example.org:3478" in config_js.judge(other, JS + given).detail


def test_relative_urls_in_the_page_are_good() -> None:
    relative = JS.replace(f"https://{HOST}:8443/", "/").replace(f"wss://{HOST}:8443/", "/")
    assert config_js.judge(context(), relative).status is Status.OK


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


def test_the_wrong_tokens_are_each_wrong_in_one_thing_and_shown_by_no_line() -> None:
    one = context()
    tokens = sign_in.wrong_tokens(one, "a")
    assert len(tokens) == 5
    for token in filter(None, tokens.values()):
        assert token not in one.hide(f"refused {token}")
    assert SECRET not in one.hide(f"key {SECRET}\nnext")
    assert "\n" not in one.hide("a\nb\x1b[31m")


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


@pytest.mark.parametrize("claim", ["issuer", "audience"])
def test_where_every_issuer_or_audience_is_accepted_a_wrong_one_is_not_tried(claim: str) -> None:
    one = context(facts=accepting(**{f"{claim}s": ["a", "*"]}))
    tried = sign_in.wrong_tokens(one, "a")
    assert f"with a wrong {claim}" not in tried
    assert len(tried) == 4


@pytest.mark.parametrize("check", [rooms.check_guest, rooms.check_moderator])
def test_rooms_of_a_stack_without_tokens_are_not_tried_with_tokens(check: Any) -> None:
    assert run(check(with_facts(auth={"token": None}))).status is Status.SKIPPED


def test_rooms_that_everybody_may_open_by_configuration_are_no_fault() -> None:
    result = run(rooms.check_guest(with_facts(rooms={"modules": ["close_room"]})))
    assert result.status is Status.SKIPPED
    assert "create_room" in result.detail


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ({"bridge_selector": {"bridge_count": 2, "operational_bridge_count": 1}}, Status.OK, "1 of 2"),
        ({"bridge_selector": {"bridge_count": 1, "operational_bridge_count": 0}}, Status.FAILED, "none works"),
        ({"bridge_selector": {"bridge_count": 0, "operational_bridge_count": 0}}, Status.FAILED, "no bridge"),
        ({}, Status.SKIPPED, "does not tell"),
        (NoDocker("the docker command is not installed here"), Status.SKIPPED, "not installed"),
        (Unreachable("the container a is not running"), Status.FAILED, "not running"),
    ],
)
def test_a_bridge_is_what_jicofo_says_it_is(answer: Any, status: Status, says: str) -> None:
    class Asked(Context):
        async def curl_json(self, role: str, url: str) -> Any:
            assert role == "jicofo"
            if isinstance(answer, Exception):
                raise answer
            return answer

    result = run(bridge.check(Asked(context().stack)))
    assert result.status is status
    assert says in result.detail


def test_a_media_port_that_answers_refuses_or_is_silent_is_told_apart() -> None:
    async def probes() -> tuple[str, str, str]:
        loop = asyncio.get_running_loop()

        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: Any) -> None:
                self.transport.sendto(data, addr)

        transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, socket.socket(type=socket.SOCK_DGRAM) as shut:
            silent.bind(("127.0.0.1", 0))
            shut.bind(("127.0.0.1", 0))
            # Refuses all but its peer. A closed one's port could be given to a probe, which then talks to itself.
            shut.connect(silent.getsockname())
            where = [transport.get_extra_info("sockname")[1], shut.getsockname()[1], silent.getsockname()[1]]
            found = await asyncio.gather(*(media.probe(f"127.0.0.1#{port}") for port in where))
        transport.close()
        return found[0], found[1], found[2]

    assert run(probes()) == ("answered", "refused", "is silent")


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ({"192.168.1.5#10000": "refused", "192.0.2.5#10000": "is silent"}, Status.WARNING),
        ({"192.168.1.5#10000": "refused", "192.0.2.5#10000": "answered"}, Status.WARNING),
        ({"192.168.1.5#10000": "is silent", "192.0.2.5#10000": "refused"}, Status.FAILED),
        ({"192.168.1.5#10000": "refused", "192.0.2.5#10000": "refused"}, Status.FAILED),
        ({"192.168.1.5#10000": "refused"}, Status.FAILED),
        ({"192.168.1.5#10000": "is silent", "192.0.2.5#10000": "is silent"}, Status.SKIPPED),
        ({"192.168.1.5#10000": "answered", "192.0.2.5#10000": "answered"}, Status.OK),
    ],
)
def test_a_private_address_that_refuses_beside_another_is_only_a_warning(
    answers: dict[str, str], status: Status
) -> None:
    """In the caller's network it may be another device's."""
    assert media.judge_without_call(answers).status is status


def test_where_no_call_could_be_held_the_line_says_why() -> None:
    result = media.judge_without_call({"192.0.2.5#10000": "is silent"}, "no call (see moderator)")
    assert result.status is Status.SKIPPED
    assert result.detail == "cannot be told: UDP 192.0.2.5#10000 is silent; no call (see moderator)"


@pytest.mark.parametrize(
    ("answers", "status", "says"),
    [
        ({"192.0.2.5#10000": "answered"}, Status.OK, "the bridge answers at UDP 192.0.2.5#10000"),
        ({"192.0.2.5#10000": "is silent"}, Status.FAILED, "the bridge does not answer at UDP 192.0.2.5#10000"),
        ({"192.168.1.5#10000": "is silent"}, Status.FAILED, "the bridge does not answer at UDP 192.168.1.5#10000"),
        ({"192.0.2.5#10000": "refused"}, Status.FAILED, "nothing listens at UDP 192.0.2.5#10000"),
        (
            {"192.168.1.5#10000": "is silent", "192.0.2.5#10000": "answered"},
            Status.WARNING,
            "the bridge does not answer at UDP 192.168.1.5#10000, a private address",
        ),
        (
            {"192.168.1.5#10000": "is answered by something else", "192.0.2.5#10000": "answered"},
            Status.WARNING,
            "something other than the bridge answers at UDP 192.168.1.5#10000",
        ),
        (
            {"192.168.1.5#10000": "answered", "192.0.2.5#10000": "is silent"},
            Status.FAILED,
            "the bridge does not answer at UDP 192.0.2.5#10000",
        ),
        (
            {"192.168.1.5#10000": "refused", "192.0.2.5#10000": "is silent"},
            Status.FAILED,
            "nothing listens at UDP 192.168.1.5#10000; the bridge does not answer at UDP 192.0.2.5#10000",
        ),
        (
            {"192.0.2.5#10000": "answered", "2001:db8::5#10000": "has no route from here"},
            Status.OK,
            "the bridge answers at UDP 192.0.2.5#10000; 2001:db8::5#10000 has no route from here",
        ),
        ({"2001:db8::5#10000": "has no route from here"}, Status.SKIPPED, "cannot be told: UDP 2001:db8::5#10000"),
    ],
)
def test_with_a_call_silence_at_an_address_is_a_fault(answers: dict[str, str], status: Status, says: str) -> None:
    """Except at a private one beside others, which leads to the bridge in its own network alone."""
    result = media.judge_call(answers, ())
    assert result.status is status, result
    assert result.detail.startswith(says)
    assert bool(result.fix) is (status in (Status.FAILED, Status.WARNING))


def test_the_line_says_where_the_bridge_was_asked_from_its_own_machine() -> None:
    answers = {"192.0.2.5#10000": "answered"}
    assert "this very machine" in media.judge_call(answers, ["192.0.2.5#10000"]).detail
    assert "this very machine" not in media.judge_call(answers, []).detail
    assert media._is_here("127.0.0.1#9")
    assert not media._is_here("192.0.2.255#9")


def test_of_the_addresses_that_a_bridge_found_itself_only_an_answer_counts() -> None:
    """Its container's own is not tried, and behind a router one that a STUN server saw may be silent."""
    offer = Offer("a", "b", ("172.18.0.4#10000", "127.0.0.1#10000", "not-an-address#1", "192.0.2.6#9", "192.0.2.7#9"))
    tried: list[str] = []

    async def probe(where: str, _: Offer) -> str:
        tried.append(where)
        return "is silent" if where == "192.0.2.6#9" else "answered"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media, "probe", probe)
        found = run(media._probe_offered(offer, ["192.0.2.5#10000"]))
    assert tried == ["192.0.2.5#10000", "192.0.2.6#9", "192.0.2.7#9"]
    assert found == {"192.0.2.5#10000": "answered", "192.0.2.7#9": "answered"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("turn:a.example.org", ("a.example.org", 3478, False, True)),
        ("turn:a.example.org:3479?transport=tcp", ("a.example.org", 3479, False, False)),
        ("turns:a.example.org", ("a.example.org", 5349, True, False)),
        ("turns:[2001:db8::1]:443?transport=tcp", ("2001:db8::1", 443, True, False)),
        ("turns:a.example.org?transport=udp", None),
        ("stun:a.example.org", None),
        ("https://a.example.org", None),
    ],
)
def test_turn_urls_are_taken_apart(url: str, expected: tuple[str, int, bool, bool] | None) -> None:
    server = turn.Server.parse(url)
    assert (server and (server.host, server.port, server.tls, server.udp)) == expected


@pytest.mark.parametrize(
    ("own", "known", "relayed", "good"),
    [
        (True, "192.0.2.5", "192.0.2.5#49160", True),
        (True, "10.0.0.5,192.0.2.5#10001", "192.0.2.5#49160", True),
        (True, "192.0.2.5", "10.0.0.5#49160", False),
        (True, "192.0.2.5", "192.0.2.6#49160", False),
        (True, "", "10.0.0.5#49160", True),
        (False, "192.0.2.5", "192.0.2.6#49160", True),
        (False, "192.0.2.5", "10.0.0.5#49160", False),
        (False, "10.0.0.6", "10.0.0.5#49160", True),
    ],
)
def test_relays_sit_at_the_stacks_address_or_at_least_not_at_a_private_one(
    own: bool, known: str, relayed: str, good: bool
) -> None:
    """A TURN server of the stack's has the stack's address; one elsewhere has its own."""
    found = outputs(facts={"media": {"addresses": list(filter(None, known.split(",")))}})
    if own:
        found["containers"]["coturn"] = "videobackend-test-coturn"
    problem = turn.judge_relay(DeployedStack.of(found), relayed)
    assert (problem is None) is good, problem


@pytest.mark.parametrize(
    ("services", "says"),
    [
        ([("turn", "a.example.org", "3478", "udp")], None),
        ([("turn", "a.example.org", "", ""), ("stun", "b.example.org", "", "")], None),
        ([("turn", "a.example.org", "3478", "tcp")], "does not tell clients of turn:a.example.org"),
        ([("turns", "a.example.org", "3478", "tcp")], "does not tell clients of turn:a.example.org"),
        (
            [("turn", "a.example.org", "3478", "udp"), ("turn", "b.example.org", "3478", "udp")],
            "not configured: turn:b.example.org:3478",
        ),
        ([], "does not tell clients of turn:a.example.org"),
    ],
)
def test_clients_are_told_of_the_stacks_turn_servers_and_of_no_others(
    services: list[tuple[str, str, str, str]], says: str | None
) -> None:
    told = [Service(*one, username="1", password="p") for one in services]
    problem = turn._compare(context(), Turn(urls=("turn:a.example.org",), secret="s"), told)
    assert (problem is None) if says is None else (problem is not None and says in problem.detail)


@pytest.mark.parametrize("value", [{"urls": []}, {"urls": ["turn:a"]}, {"secret": "s"}, "turn:a"])
def test_a_turn_output_of_another_shape_is_an_error_in_a_line(value: Any) -> None:
    with pytest.raises(OpsError, match="turn"):
        context(turn=value)


def test_without_leave_for_a_test_call_the_backlog_alone_is_looked_at() -> None:
    assert call_events._judge_backlog({"events": 0}).status is Status.SKIPPED
    waiting = call_events._judge_backlog({"events": 3, "last_problem": "HTTP status 404"})
    assert waiting.status is Status.WARNING
    assert "404" in waiting.detail
