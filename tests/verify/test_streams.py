"""BOSH, WebSocket, a Jitsi client and TURN against servers in this process, over real sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree as ET

import pytest
from websockets.asyncio.server import ServerConnection

from ops.verify import net, stun
from ops.verify.context import Context
from ops.verify.net import HttpError, Unreachable
from ops.verify.streams import HTTPBIND, Bosh, StreamClosed, WebSocket, name
from ops.verify.stun import StunError, TcpChannel, udp_channel
from ops.verify.xmpp import Client, NotOffered, Refused, visit
from tests.verify import fakes

T = TypeVar("T")
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
FEATURES = f"<features><mechanisms xmlns='{SASL}'><mechanism>ANONYMOUS</mechanism></mechanisms></features>"
OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='1'/>"


def run(work: Awaitable[T]) -> T:
    async def limited() -> T:
        return await asyncio.wait_for(work, 20)

    return asyncio.run(limited())


def body(content: str = "", **attributes: str) -> str:
    listed = "".join(f" {key}='{value}'" for key, value in attributes.items())
    return f"<body xmlns='{HTTPBIND}'{listed}>{content}</body>"


# HTTP


def test_an_answer_without_bound_is_not_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "_LARGEST", 100_000)

    async def ask(size: int) -> int:
        async with fakes.http(lambda *_: "a" * size) as port:
            return len((await net.request("127.0.0.1", port, "/", host="x")).body)

    assert run(ask(90_000)) == 90_000
    with pytest.raises(Unreachable, match="no HTTP answer"):
        run(ask(200_000))


# BOSH


def bosh(directory: Path, answers: list[str], work: Callable[[Bosh], Awaitable[T]]) -> tuple[T, list[ET.Element]]:
    """What comes of `work` with a stream whose requests get these answers, and the requests."""
    asked: list[ET.Element] = []

    def answer(_: str, text: str) -> str:
        asked.append(ET.fromstring(text))
        return answers[len(asked) - 1]

    async def both() -> T:
        async with fakes.http(answer, fakes.tls(directory)) as port:
            return await work(Bosh(fakes.context(port), "room", "token"))

    return run(both()), asked


def test_a_bosh_session_counts_its_requests_and_ends_with_terminate(tmp_path: Path) -> None:
    async def work(stream: Bosh) -> str:
        await stream.open()
        first = await stream.receive()
        await stream.send("<iq xmlns='jabber:client'/>")
        second = await stream.receive()
        await stream.close()
        return f"{name(first)} {name(second)}"

    answers = [body("<features/>", sid="s1"), body(), body("<iq/>"), body(type="terminate")]
    found, asked = bosh(tmp_path, answers, work)
    assert found == "features iq"
    numbers = [int(one.get("rid") or 0) for one in asked]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert [one.get("sid") for one in asked] == [None, "s1", "s1", "s1"]
    assert asked[-1].get("type") == "terminate"


def test_a_session_that_the_server_terminated_is_not_terminated_again(tmp_path: Path) -> None:
    async def work(stream: Bosh) -> str:
        await stream.open()
        await stream.receive()
        try:
            await stream.send("<iq xmlns='jabber:client'/>")
        except StreamClosed as closed:
            await stream.close()
            return str(closed)
        return "open"

    found, asked = bosh(
        tmp_path, [body("<features/>", sid="s1"), body(type="terminate", condition="not-authorized")], work
    )
    assert found == "not-authorized"
    assert len(asked) == 2


@pytest.mark.parametrize("answer", ["<html/>", "not XML", "<!DOCTYPE x><body/>"])
def test_what_is_not_bosh_is_said_not_to_be(tmp_path: Path, answer: str) -> None:
    with pytest.raises(Unreachable, match="not XMPP"):
        bosh(tmp_path, [answer], Bosh.open)


def test_the_status_of_a_refused_post_is_kept(tmp_path: Path) -> None:
    async def work() -> None:
        forbidden = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        async with fakes.http(lambda *_: forbidden, fakes.tls(tmp_path)) as port:
            await Bosh(fakes.context(port), "room", None).open()

    with pytest.raises(HttpError) as caught:
        run(work())
    assert caught.value.status == 403


# WebSocket


def talking(directory: Path, answers: dict[str, list[str]], work: Callable[[Context], Awaitable[T]]) -> T:
    """What comes of `work` with a server that answers each frame by the first pattern that it matches.

    `ID` stands for the frame's id.
    """

    async def handle(socket: ServerConnection) -> None:
        async for frame in socket:
            text = frame if isinstance(frame, str) else frame.decode()
            number = re.search(r" id='([^']*)'", text)
            pattern = next((one for one in answers if re.search(one, text)), None)
            for answer in answers.get(pattern or "", []):
                await socket.send(answer.replace("ID", number[1] if number else ""))

    async def both() -> T:
        async with fakes.websocket(handle, fakes.tls(directory)) as port:
            return await work(fakes.context(port))

    return run(both())


SIGN_IN = {"^<open ": [OPEN, FEATURES], "<auth ": [f"<success xmlns='{SASL}'/>"]}
SESSION = {
    **SIGN_IN,
    "xmpp-bind": [
        "<iq type='result' id='ID'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>abcdefgh-1@meet.jitsi/x</jid></bind></iq>"
    ],
    "xmpp-session": ["<iq type='error' id='ID'><error><feature-not-implemented/></error></iq>"],
}


def test_a_client_signs_in_and_gets_a_session_by_websocket(tmp_path: Path) -> None:
    async def work(context: Context) -> str:
        async with await visit(context, "room", "token") as client:
            return client._jid

    assert talking(tmp_path, SESSION, work) == "abcdefgh-1@meet.jitsi/x"


def test_a_refused_sign_in_says_the_servers_own_words(tmp_path: Path) -> None:
    failure = f"<failure xmlns='{SASL}'><not-allowed/><text>token required</text></failure>"

    async def work(context: Context) -> None:
        async with Client(context, WebSocket(context, "room", None)) as client:
            await client.sign_in()

    with pytest.raises(Refused, match="not-allowed: token required"):
        talking(tmp_path, {**SIGN_IN, "<auth ": [failure]}, work)


def test_a_server_that_wants_accounts_is_told_from_one_that_refuses(tmp_path: Path) -> None:
    accounts = FEATURES.replace("ANONYMOUS", "PLAIN")

    async def work(context: Context) -> None:
        async with Client(context, WebSocket(context, "room", None)) as client:
            await client.sign_in()

    with pytest.raises(NotOffered, match="PLAIN"):
        talking(tmp_path, {"^<open ": [OPEN, accounts]}, work)


def test_a_stream_that_the_server_closes_is_closed(tmp_path: Path) -> None:
    async def work(context: Context) -> None:
        stream = WebSocket(context, "room", None)
        await stream.open()
        await stream.receive()

    closing = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
    with pytest.raises(StreamClosed):
        talking(tmp_path, {"^<open ": [OPEN, closing]}, work)


ROOM = "room@muc.meet.jitsi"
MUC = "http://jabber.org/protocol/muc#user"
JOINED = (
    f"<presence from='{ROOM}/abcdefgh'><x xmlns='{MUC}'><item affiliation='owner' role='moderator'/><status code='110'/>"
    f"</x></presence>"
)
QUESTION = "<iq type='get' id='q1' from='focus@auth.meet.jitsi/focus'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
OFFER = (
    "<iq type='set' id='j1' from='focus'><jingle xmlns='urn:xmpp:jingle:1' action='session-initiate'><content>"
    "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u' pwd='ice-password'>"
    "<candidate protocol='udp' ip='192.0.2.1' port='10000'/><candidate protocol='tcp' ip='192.0.2.1' port='4443'/>"
    "</transport></content></jingle></iq>"
)


def test_what_jicofo_asks_before_the_room_is_entered_is_answered_and_its_offer_kept(tmp_path: Path) -> None:
    """The question comes among others' presences, before anybody listens; without its answer there is no offer."""
    answers = {
        **SESSION,
        "protocol/muc'/>": [QUESTION, f"<presence from='{ROOM}/other'/>", JOINED],
        'id="q1".*jingle:apps:rtp:audio': [OFFER],
    }

    async def work(context: Context) -> tuple[tuple[str, str], tuple[str, ...], str]:
        client = await visit(context, "room", "token")
        role = await client.enter("room")
        listening = asyncio.ensure_future(client.listen())
        offer = await client.offer()
        listening.cancel()
        return role, offer.candidates, context.hide("ice-password")

    assert talking(tmp_path, answers, work) == (("owner", "moderator"), ("192.0.2.1#10000",), "[secret]")


def test_an_entry_that_is_refused_says_why(tmp_path: Path) -> None:
    refusal = f"<presence from='{ROOM}/abcdefgh' type='error'><error><not-allowed/></error></presence>"

    async def work(context: Context) -> None:
        client = await visit(context, "room", "token")
        await client.enter("room")

    with pytest.raises(Refused, match="not-allowed"):
        talking(tmp_path, {**SESSION, "protocol/muc'/>": [refusal]}, work)


# TURN


async def allocate(server: fakes.Turn, password: str = "right") -> str:
    async with fakes.udp(server) as port:
        channel = await udp_channel("127.0.0.1", port)
        try:
            return await stun.allocate_and_release(channel, "user", password)
        finally:
            channel.close()


def test_an_allocation_is_made_and_given_back_though_a_datagram_is_lost() -> None:
    server = fakes.Turn(lost=1)
    assert run(allocate(server)) == server.RELAYED
    assert server.lifetimes == [0], "it is given back"


@pytest.mark.parametrize(("server", "code"), [(fakes.Turn("other"), 401), (fakes.Turn(error=486), 486)])
def test_a_refusal_of_turn_keeps_its_code(server: fakes.Turn, code: int) -> None:
    with pytest.raises(StunError) as caught:
        run(allocate(server))
    assert caught.value.code == code


@pytest.mark.parametrize("code", [400, 402, 403, 500])
def test_a_server_that_refuses_before_it_asked_for_credentials_gets_none(code: int) -> None:
    class Refusing(fakes.Turn):
        requests = 0

        def answer(self, request: bytes) -> bytes:
            self.requests += 1
            kind, transaction, _ = stun.decode(request)
            return self._refusal(kind, transaction, code, {0x0014: b"realm", 0x0015: b"nonce"})

    server = Refusing()
    with pytest.raises(StunError) as caught:
        run(allocate(server))
    assert (caught.value.code, server.requests) == (code, 1)


def test_an_allocation_over_tcp_reads_messages_as_they_are_cut() -> None:
    server = fakes.Turn()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(20):
            answer = server.answer(head + await reader.readexactly(int.from_bytes(head[2:4])))
            for part in (answer[:7], answer[7:]):
                writer.write(part)
                await writer.drain()
        writer.close()

    async def work() -> str:
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
            channel = TcpChannel(*await net.connect("127.0.0.1", listening.sockets[0].getsockname()[1]))
            try:
                return await stun.allocate_and_release(channel, "user", "right")
            finally:
                channel.close()

    assert run(work()) == server.RELAYED
