"""What looks alike and is not: each verdict of a check against its neighbours."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from ops.verify import net, report
from ops.verify.checks import call_events, certificate, config_js, media, plain_http, rooms, sign_in, turn
from ops.verify.context import Context
from ops.verify.deployed import DeployedStack, Turn
from ops.verify.net import Answer, HttpError, Unreachable, Unresolved
from ops.verify.result import Result, Status, skipped
from ops.verify.streams import Bosh
from ops.verify.stun import StunError
from ops.verify.xmpp import Client, Refused, Service
from tests.verify.outputs import HOST, outputs
from tests.verify.scenes import CONFIG_JS

HERE, THERE = "192.0.2.1#10000", "192.0.2.2#10000"


def context(port: int = 8443, **changes: Any) -> Context:
    return Context(DeployedStack.of(outputs(port, **changes)))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_every_kind_of_redirect_to_public_url_will_do(status: int) -> None:
    answer = Answer(status, {"location": f"https://{HOST}/config.js"}, "")
    assert plain_http._judge_redirect(context(443), answer).status is Status.OK


@pytest.mark.parametrize("status", [200, 300, 303, 304, 401, 403, 404, 502])
def test_no_other_answer_is_a_redirect(status: int) -> None:
    answer = Answer(status, {"location": f"https://{HOST}/config.js"}, "")
    result = plain_http._judge_redirect(context(443), answer)
    assert result.status is Status.FAILED
    assert f"HTTP {status}" in result.detail


def test_the_stacks_own_turn_server_is_not_a_foreign_one() -> None:
    urls = ["turn:turn.verify.test:3478?transport=udp", "turns:turn.verify.test:5349?transport=tcp"]
    text = CONFIG_JS.replace("PORT", "8443") + (
        "config.iceServers = [{urls: 'turn:turn.verify.test:3478?transport=udp'},"
        " {urls: 'turns:turn.verify.test:5349?transport=tcp'}];\n"
    )
    own = context(turn={"urls": urls, "secret": "s"})
    assert config_js.judge(own, text).status is Status.OK
    foreign = config_js.judge(context(), text)
    assert foreign.status is Status.FAILED
    assert "turn.verify.test:3478" in foreign.detail


@pytest.mark.parametrize(
    ("answers", "here", "own"),
    [
        ({HERE: "answered"}, [HERE], True),
        ({HERE: "answered", THERE: "answered"}, [HERE, THERE], True),
        ({HERE: "answered", THERE: "answered"}, [HERE], False),
        ({HERE: "answered", THERE: "has no route from here"}, [THERE], False),
        ({HERE: "answered", THERE: "has no route from here"}, [HERE], True),
    ],
)
def test_this_very_machine_is_said_where_all_that_answered_is_this_machine(
    answers: dict[str, str], here: list[str], own: bool
) -> None:
    result = media.judge_call(answers, here)
    assert result.status is Status.OK
    assert ("this very machine" in result.detail) is own


REFUSED = Refused("not-allowed")


@pytest.mark.parametrize(
    ("token", "anonymous", "status", "says"),
    [
        (REFUSED, REFUSED, Status.OK, "a room stays closed"),
        (REFUSED, rooms._OUTSIDE, Status.FAILED, "anonymous guests cannot sign in"),
        (rooms._OUTSIDE, REFUSED, Status.SKIPPED, "no sign-in"),
        (rooms._OPENED, REFUSED, Status.FAILED, "a token without the moderator claim opened a room"),
        (REFUSED, rooms._OPENED, Status.FAILED, "an anonymous guest (enableGuests) opened a room"),
        (REFUSED, Unreachable("no answer"), Status.FAILED, "no answer to entering"),
    ],
)
def test_guests_are_judged_one_by_one(token: Any, anonymous: Any, status: Status, says: str) -> None:
    result = rooms._judge_guests(context(), {rooms._NO_MODERATOR: token, rooms._ANONYMOUS: anonymous})
    assert result.status is status
    assert says in result.detail


@pytest.mark.parametrize(
    ("code", "secret"), [(400, False), (401, True), (402, False), (403, True), (437, False), (438, True), (486, False)]
)
def test_a_wrong_secret_is_told_from_a_server_that_is_full(
    monkeypatch: pytest.MonkeyPatch, code: int, secret: bool
) -> None:
    async def refuse(*_: object) -> str:
        raise StunError(code, "")

    monkeypatch.setattr(turn, "_allocate", refuse)
    servers = Turn(urls=("turn:turn.verify.test:3478",), secret="s")
    fault = asyncio.run(turn._attempt(context(), servers, servers.urls[0], None))
    assert fault is not None
    assert f"error {code}" in fault.detail
    assert ("secret is not the server's" in fault.fix) is secret


def test_a_server_that_is_told_without_a_credential_is_a_fault_of_prosodys() -> None:
    servers = Turn(urls=("turn:turn.verify.test:3478",), secret="s")
    offered = [Service("turn", "turn.verify.test", "3478", "udp", username="", password="")]
    fault = asyncio.run(turn._attempt(context(), servers, servers.urls[0], offered))
    assert fault is not None
    assert fault.detail == "is told to clients without a credential"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (10, "has expired"),
        (62, "is for another host"),
        (64, "is for another host"),
        (2, "does not lead to"),
        (19, "does not lead to"),
        (20, "does not lead to"),
        (21, "does not lead to"),
        (9, "is not valid: not yet"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told_by_openssls_code(code: int, says: str) -> None:
    """X509_V_ERR_... in OpenSSL's x509_vfy.h."""
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "not yet"
    result = certificate._distrusted(context(caCertificate="PEM", facts={"tls": {"mode": "own"}}), error)
    assert result.status is Status.FAILED
    assert says in result.detail


@pytest.mark.parametrize(("status", "gone"), [(500, False), (501, False), (502, True), (503, True), (504, True)])
def test_a_server_that_is_gone_is_told_from_one_that_fails(status: int, gone: bool) -> None:
    result = sign_in._no_sign_in(context(), HttpError("/http-bind", status), "the way")
    assert ("does prosody run?" in result.fix) is gone


@pytest.mark.parametrize(
    ("right", "wrong", "status", "says"),
    [
        (None, Refused("not-authorized"), Status.OK, "accepted: a right one"),
        (None, None, Status.FAILED, "lets in whoever comes"),
        (Refused("not-authorized"), Refused("not-authorized"), Status.FAILED, "refuses a right token"),
        (Refused("not-authorized"), None, Status.FAILED, "lets in whoever comes"),
        (Refused(""), Refused(""), Status.FAILED, "no sign-in: the stream is closed without a word"),
        (None, Unreachable("no answer"), Status.FAILED, "no sign-in: no answer"),
    ],
)
def test_a_refusal_is_told_from_no_answer_and_a_right_token_from_a_wrong_one(
    right: sign_in.Outcome, wrong: sign_in.Outcome, status: Status, says: str
) -> None:
    result = sign_in._judge(context(), right, {"with a wrong signature": wrong}, "the way")
    assert result.status is status
    assert result.detail.startswith(says) or result.detail.endswith(says)


def offering(*ways: str) -> sign_in.Open:
    """A stream whose server offers these ways to sign in."""
    sasl = "".join(f"<mechanism xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{one}</mechanism>" for one in ways)

    class Offering:
        async def open(self) -> None:
            pass

        async def send(self, stanza: str) -> None:
            raise AssertionError(stanza)

        async def receive(self) -> ET.Element:
            return ET.fromstring(f"<features xmlns='http://etherx.jabber.org/streams'>{sasl}</features>")

        async def close(self) -> None:
            pass

    return lambda *_: Offering()


@pytest.mark.parametrize(
    ("ways", "status", "says"),
    [
        (["PLAIN"], Status.OK, "asks for an account (PLAIN)"),
        (["PLAIN", "ANONYMOUS"], Status.FAILED, "lets in whoever comes without an account"),
        ([], Status.FAILED, "no way to do so is offered"),
    ],
)
def test_a_stack_with_accounts_asks_for_one(ways: list[str], status: Status, says: str) -> None:
    accounts = context(facts={"auth": {"required": True, "token": None}})
    result = asyncio.run(sign_in._check_without_tokens(accounts, offering(*ways), "the way"))
    assert result.status is status
    assert says in result.detail


@pytest.mark.parametrize(
    ("modules", "rights", "good"),
    [
        (["token_moderation"], ("owner", "moderator"), True),
        (["token_moderation"], ("admin", "moderator"), False),
        (["token_moderation"], ("owner", "participant"), False),
        (["token_moderation"], ("", ""), False),
        (["close_room"], ("none", "participant"), True),
    ],
)
def test_where_tokens_moderate_their_holder_is_owner_and_moderator(
    modules: list[str], rights: tuple[str, str], good: bool
) -> None:
    class Entering(Client):
        async def enter(self, room: str) -> tuple[str, str]:
            return rights

    one = context(facts={"rooms": {"modules": modules}})
    found = asyncio.run(rooms._entry(one, Entering(one, Bosh(one, "a", None)), "a"))
    assert (found is None) is good, found


BEFORE = {"delivered": 3, "events": 1, "last_problem": "of yesterday"}


@pytest.mark.parametrize(
    ("after", "status", "says"),
    [
        ({"delivered": 4}, Status.OK, "reached the VideoService"),
        ({"delivered": 4, "events": 0}, Status.OK, "reached the VideoService"),
        (
            {"delivered": 4, "unknown": 1, "unknown_status": 500},
            Status.OK,
            "(HTTP status 500): it does not know that room",
        ),
        ({"delivered": 4, "events": 2}, Status.FAILED, "of yesterday"),
        ({"delivered": 3}, Status.FAILED, "of yesterday"),
        ({"delivered": 3, "last_problem": None}, Status.FAILED, "nothing within"),
        ({"events": 2, "last_problem": "HTTP status 404"}, Status.FAILED, "HTTP status 404"),
    ],
)
def test_an_event_has_come_once_one_more_was_delivered_and_none_more_waits(
    monkeypatch: pytest.MonkeyPatch, after: dict[str, Any], status: Status, says: str
) -> None:
    class Asked(Context):
        async def curl_json(self, role: str, url: str) -> dict[str, Any]:
            return BEFORE | after

    monkeypatch.setattr(call_events, "_PAUSE", 0.001)
    result = asyncio.run(call_events._delivered(Asked(context().stack), BEFORE, 0.02, call_events._VIDEO_SERVICE))
    assert result.status is status
    assert says in result.detail


NEEDS_HTTPS = ("config.js", "bosh", "websocket", "guest", "moderator")


@contextmanager
def answering(reply: bytes | None) -> Iterator[int]:
    """A TCP server that says this and hangs up, or with None hangs up at once; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client, contextlib.suppress(OSError):
                    if reply is not None:
                        client.recv(4096)
                        client.sendall(reply)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def examined(port: int, address: str | None = "127.0.0.1", **changes: Any) -> dict[str, Result]:
    changes = {"facts": {"media": {"addresses": []}}} | changes
    return asyncio.run(report.examine(Context(DeployedStack.of(outputs(port, **changes)), address)))


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", None])
@pytest.mark.parametrize("mode", ["proxy", "local-ca", "letsencrypt"])
def test_a_port_without_tls_is_one_fault_and_no_firewall(reply: bytes | None, mode: str) -> None:
    tls = {"mode": mode, "acmeServer": None}
    with answering(reply) as port:
        found = examined(port, facts={"tls": tls, "media": {"addresses": []}})
    assert {name: found[name].status for name in NEEDS_HTTPS} == dict.fromkeys(NEEDS_HTTPS, Status.SKIPPED)
    assert {found[name].detail for name in NEEDS_HTTPS} == {"no https (see certificate)"}
    certificate = found["certificate"]
    assert certificate.status is Status.FAILED
    assert "no TLS there" in certificate.detail
    assert ("your proxy" in certificate.fix) is (mode == "proxy")
    assert "firewall" not in " ".join(one.fix for one in found.values())


def test_where_nothing_listens_the_rest_is_skipped() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = examined(unused.getsockname()[1])
    assert {found[name].status for name in NEEDS_HTTPS} == {Status.SKIPPED}
    assert found["certificate"].status is Status.FAILED
    assert "firewall" in found["certificate"].fix


def test_a_name_that_does_not_resolve_is_the_fault_of_the_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere(host: str) -> list[str]:
        raise Unresolved(f"{host} does not resolve")

    monkeypatch.setattr(net, "resolve", nowhere)
    found = examined(8443, None, hostsEntry=None)
    assert found["name"].status is Status.FAILED
    assert found["certificate"] == skipped("no address to connect to (see name)")
    assert {found[name].status for name in NEEDS_HTTPS} == {Status.SKIPPED}


@pytest.mark.parametrize(("mode", "own"), [("proxy", True), ("local-ca", False)])
def test_a_proxy_is_spoken_of_only_where_there_is_one(mode: str, own: bool) -> None:
    some = context(facts={"tls": {"mode": mode, "acmeServer": None}})
    fix = sign_in._no_sign_in(some, Unreachable("no answer"), sign_in._pass_on(some, "POST /http-bind")).fix
    assert ("proxy" in fix) is own


@pytest.mark.parametrize("scheme", ["turn", "turns"])
def test_a_turn_server_that_takes_the_connection_is_behind_no_firewall(scheme: str) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        url = f"{scheme}:127.0.0.1:{port}?transport=tcp"
        servers = Turn(urls=(url,), secret="s")
        fault = asyncio.run(turn._attempt(context(), servers, url, None))
    assert fault is not None
    assert "firewall" not in fault.fix
    assert f"TCP {port}" in fault.fix
