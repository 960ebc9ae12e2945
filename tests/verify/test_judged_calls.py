"""What the checks of sign-in, rooms, bridge, media, TURN and events make of what they see, with no server."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from ops.errors import OpsError
from ops.verify.checks import bridge, call_events, media, rooms, sign_in, turn
from ops.verify.context import Context, NoDocker
from ops.verify.deployed import DeployedStack, Turn
from ops.verify.net import Unreachable
from ops.verify.result import Status
from ops.verify.xmpp import Offer, Service
from tests.prosody.configuration import SECRET
from tests.verify.contexts import context, run, with_facts
from tests.verify.outputs import accepting, outputs


def test_the_wrong_tokens_are_each_wrong_in_one_thing_and_shown_by_no_line() -> None:
    one = context()
    tokens = sign_in.wrong_tokens(one, "a")
    assert len(tokens) == 5
    for token in filter(None, tokens.values()):
        assert token not in one.hide(f"refused {token}")
    assert SECRET not in one.hide(f"key {SECRET}\nnext")
    assert "\n" not in one.hide("a\nb\x1b[31m")


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
    for receiver, key in ((call_events._BROKER, "rabbitUrl"), (call_events._VIDEO_SERVICE, "videoServiceUrl")):
        assert call_events._judge_backlog({"events": 0}, receiver).status is Status.SKIPPED
        waiting = call_events._judge_backlog({"events": 3, "last_problem": "HTTP status 404"}, receiver)
        assert waiting.status is Status.WARNING
        assert f"3 {receiver.waiting}: HTTP status 404" in waiting.detail
        assert key in waiting.fix
