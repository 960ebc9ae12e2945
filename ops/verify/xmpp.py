"""A Jitsi client, as far as the checks need one: sign-in with a token, the conference request, a room, jicofo's offer.

Owns the order of the steps, which is lib-jitsi-meet's, and what counts as a refusal. Knows nothing of framing
(`streams`) and judges nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, NoReturn
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from ops.verify.context import Context
from ops.verify.net import Unreachable
from ops.verify.streams import Bosh, Stream, StreamClosed, WebSocket, name

_SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
_SESSION: Final = "urn:ietf:params:xml:ns:xmpp-session"
_FOCUS: Final = "http://jitsi.org/protocol/focus"
_MUC: Final = "http://jabber.org/protocol/muc"
_SERVICES: Final = "urn:xmpp:extdisco:2"
_DISCO: Final = "http://jabber.org/protocol/disco#info"
_JINGLE: Final = "urn:xmpp:jingle:1"
_ICE: Final = "urn:xmpp:jingle:transports:ice-udp:1"
_FEATURES: Final = ("urn:xmpp:jingle:apps:rtp:audio", "urn:xmpp:jingle:apps:rtp:video", _ICE)
"""What jicofo looks for in a participant before it makes an offer."""
_CLIENT: Final = "jabber:client"
_SELF: Final = "110"
"""Status code of a presence that is about oneself (XEP-0045)."""


class Refused(Exception):
    """The server said no.

    Args:
        condition: the XMPP condition, such as `not-allowed`; empty where the stream was closed without a word.
        text: what the server says about it, or empty.
    """

    def __init__(self, condition: str, text: str = "") -> None:
        super().__init__(": ".join(filter(None, (condition, text))) or "the stream is closed without a word")
        self.condition = condition


class NotOffered(Unreachable):
    """The server takes other users than those who come with a token, or with nothing."""


@dataclass(frozen=True)
class Service:
    """A STUN or TURN server that the server tells its clients of (XEP-0215)."""

    kind: str
    host: str
    port: str
    transport: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Offer:
    """How a client reaches the bridge: jicofo's session-initiate (XEP-0166, XEP-0176)."""

    user_fragment: str
    password: str = field(repr=False)
    candidates: tuple[str, ...]
    """UDP addresses, as IP#PORT."""


class Client:
    """One connection; as a context manager it leaves the room it is in, and the server."""

    def __init__(self, context: Context, stream: Stream) -> None:
        self._context = context
        self._stream = stream
        self._jid = ""
        self._room: str | None = None
        self._asked: deque[ET.Element] = deque()
        self._offer: Offer | None = None
        self._offered = asyncio.Event()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(Unreachable, StreamClosed, Refused):
            if self._room is not None:
                await self.leave()
        await self._stream.close()

    async def mechanisms(self) -> list[str]:
        """Opens the stream; the ways to sign in that the server offers (SASL). Raises Refused, or Unreachable."""
        try:
            await self._stream.open()
            features = await self._next("features")
        except StreamClosed as closed:
            raise Refused(str(closed)) from None
        return [one.text or "" for one in features.iter(f"{{{_SASL}}}mechanism")]

    async def sign_in(self) -> None:
        """SASL ANONYMOUS, as a client with a token does it. Raises Refused, or Unreachable."""
        mechanisms = await self.mechanisms()
        if "ANONYMOUS" not in mechanisms:
            ways = ", ".join(mechanisms)
            raise NotOffered(f"prosody asks for an account ({ways})" if ways else "prosody offers no way to do so")
        try:
            await self._stream.send(f"<auth xmlns='{_SASL}' mechanism='ANONYMOUS'/>")
            answer = await self._next("success", "failure")
        except StreamClosed as closed:
            raise Refused(str(closed)) from None
        if name(answer) == "failure":
            raise _refusal(answer)

    async def start(self) -> None:
        """The steps after the sign-in, up to a session that can send stanzas. Raises Unreachable."""
        try:
            await self._stream.open()
            await self._next("features")
            bound = await self._ask("", f"<bind xmlns='{_BIND}'/>")
            self._jid = bound.findtext(f".//{{{_BIND}}}jid") or ""
            with contextlib.suppress(Refused):  # RFC 6121 did away with it; servers may still want it
                await self._ask("", f"<session xmlns='{_SESSION}'/>")
        except (StreamClosed, Refused) as error:
            raise Unreachable(f"no session after the sign-in ({error})") from None

    async def services(self) -> list[Service]:
        """The STUN and TURN servers that it is told of, with its credentials. Raises Refused, or Unreachable."""
        try:
            answer = await self._ask(self._context.stack.domain, f"<services xmlns='{_SERVICES}'/>", kind="get")
        except StreamClosed as closed:
            raise Unreachable(f"the connection was closed {closed}".strip()) from None
        return [
            Service(
                kind=one.get("type", ""),
                host=one.get("host", ""),
                port=one.get("port", ""),
                transport=one.get("transport", ""),
                username=one.get("username", ""),
                password=self._context.keep_secret(one.get("password", "")),
            )
            for one in answer.iter(f"{{{_SERVICES}}}service")
        ]

    async def request_conference(self, room: str) -> bool:
        """Asks jicofo for the conference; whether it is ready. Raises Refused, or Unreachable."""
        stack = self._context.stack
        query = f"<conference xmlns='{_FOCUS}' room={quoteattr(f'{room}@{stack.muc}')} machine-uid='{secrets.token_hex(16)}'/>"
        answer = await self._ask(f"focus.{stack.domain}", query)
        conference = answer.find(f"{{{_FOCUS}}}conference")
        return conference is not None and conference.get("ready") == "true"

    async def enter(self, room: str) -> tuple[str, str]:
        """Enters the room; affiliation and role there. Raises Refused, or Unreachable."""
        # Jitsi's mod_muc_resource_validate may want the user name's first eight characters as the nickname.
        nick = self._jid.partition("@")[0][:8] or secrets.token_hex(4)
        occupant = f"{room}@{self._context.stack.muc}/{nick}"
        presence = f"<presence xmlns='{_CLIENT}' to={quoteattr(occupant)}><x xmlns='{_MUC}'/></presence>"
        await self._send(presence)
        while True:
            answer = await self._next("presence")
            if (answer.get("from") or "").partition("/")[0] != occupant.partition("/")[0]:
                continue
            if answer.get("type") == "error":
                raise _refusal(answer)
            if _SELF in _codes(answer):
                self._room = occupant
                item = answer.find(f".//{{{_MUC}#user}}item")
                return ("", "") if item is None else (item.get("affiliation", ""), item.get("role", ""))

    async def listen(self) -> NoReturn:
        """Answers what others ask, until it is cancelled. Raises Unreachable, or StreamClosed."""
        while True:
            while self._asked:
                await self._answer(self._asked.popleft())
            await self._next("iq")

    async def offer(self) -> Offer:
        """Waits for jicofo's offer, which comes once two are in the room and listen."""
        while self._offer is None:
            await self._offered.wait()
        return self._offer

    async def destroy_room(self) -> None:
        """Ends the room that it is in, as its owner, so that nothing of it is left. Raises Refused, or Unreachable."""
        room = (self._room or "").partition("/")[0]
        await self._ask(room, f"<query xmlns='{_MUC}#owner'><destroy/></query>", kind="set")
        self._room = None

    async def leave(self) -> None:
        """Leaves the room that it is in. Raises Unreachable."""
        occupant, self._room = self._room or "", None
        await self._send(f"<presence xmlns='{_CLIENT}' to={quoteattr(occupant)} type='unavailable'/>")
        while True:
            answer = await self._next("presence")
            if answer.get("type") == "unavailable" and _SELF in _codes(answer):
                return

    async def _ask(self, to: str, query: str, kind: str = "set") -> ET.Element:
        number = secrets.token_hex(4)
        address = f"to={quoteattr(to)}" if to else ""
        await self._send(f"<iq xmlns='{_CLIENT}' type='{kind}' id='{number}' {address}>{query}</iq>")
        while True:
            answer = await self._next("iq")
            if answer.get("id") == number:
                break
        if answer.get("type") == "error":
            raise _refusal(answer)
        return answer

    async def _send(self, stanza: str) -> None:
        try:
            await self._stream.send(stanza)
        except StreamClosed as closed:
            raise Unreachable(f"the connection was closed {closed}".strip()) from None

    async def _next(self, *wanted: str) -> ET.Element:
        """The next element of one of these names; others are passed over."""
        while True:
            element = await self._stream.receive()
            if name(element) == "iq" and element.get("type") in ("get", "set"):
                self._asked.append(element)
            if name(element) in wanted:
                return element
            if name(element) == "error":
                raise StreamClosed(_condition(element))

    async def _answer(self, request: ET.Element) -> None:
        """Answers what somebody else asks, for jicofo makes no offer before; keeps the offer."""
        content = ""
        query, jingle = request.find(f"{{{_DISCO}}}query"), request.find(f"{{{_JINGLE}}}jingle")
        if query is not None:
            features = "".join(f"<feature var='{one}'/>" for one in (_DISCO, *_FEATURES))
            node = f" node={quoteattr(query.get('node', ''))}" if query.get("node") else ""
            content = f"<query xmlns='{_DISCO}'{node}><identity category='client' type='bot'/>{features}</query>"
        elif jingle is not None and jingle.get("action") == "session-initiate":
            self._offer = self._read_offer(jingle) or self._offer
            if self._offer is not None:
                self._offered.set()
        kind = "error" if query is None and jingle is None else "result"
        if kind == "error":
            content = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        to = f"to={quoteattr(request.get('from', ''))}" if request.get("from") else ""
        number = quoteattr(request.get("id", ""))
        await self._send(f"<iq xmlns='{_CLIENT}' type='{kind}' id={number} {to}>{content}</iq>")

    def _read_offer(self, jingle: ET.Element) -> Offer | None:
        """All media of an offer go one way, so the first transport that tells it will do."""
        for transport in jingle.iter(f"{{{_ICE}}}transport"):
            fragment, password = transport.get("ufrag"), transport.get("pwd")
            if fragment and password:
                candidates = [
                    f"{one.get('ip')}#{one.get('port')}"
                    for one in transport.iter(f"{{{_ICE}}}candidate")
                    if one.get("protocol", "udp").lower() == "udp" and one.get("ip") and one.get("port")
                ]
                return Offer(fragment, self._context.keep_secret(password), tuple(dict.fromkeys(candidates)))
        return None


async def visit(context: Context, room: str, token: str | None, domain: str | None = None) -> Client:
    """A client with a session, by WebSocket as browsers do it, by BOSH where that fails. Raises Refused, Unreachable."""
    try:
        return await _started(Client(context, WebSocket(context, room, token, domain)))
    except Unreachable:
        return await _started(Client(context, Bosh(context, room, token, domain)))


async def visit_if_let_in(context: Context, room: str, token: str | None, domain: str | None = None) -> Client | None:
    """The same; None where there is no connection or no sign-in, which other checks judge."""
    if not await context.has_https():
        return None
    try:
        return await visit(context, room, token, domain)
    except (Refused, Unreachable):
        return None


async def _started(client: Client) -> Client:
    try:
        await client.sign_in()
        await client.start()
    except (Unreachable, Refused):
        await client.__aexit__(None, None, None)
        raise
    return client


def _codes(presence: ET.Element) -> set[str | None]:
    return {one.get("code") for one in presence.iter(f"{{{_MUC}#user}}status")}


def _refusal(element: ET.Element) -> Refused:
    error = next((one for one in element.iter() if name(one) in ("error", "failure")), element)
    text = next((one.text or "" for one in error if name(one) == "text"), "")
    return Refused(_condition(error), text[:200])


def _condition(error: ET.Element) -> str:
    return next((name(one) for one in error if name(one) != "text"), "no reason given")
