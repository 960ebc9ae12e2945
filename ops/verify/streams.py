"""XMPP streams as browsers open them: BOSH (XEP-0124, XEP-0206) and WebSocket (RFC 7395).

Owns the framing: stanzas go out as text and come in as elements. Knows nothing of sign-in or rooms (`xmpp`). The domain
is that of users who sign in, unless another one is given.
The token goes into the query, where lib-jitsi-meet puts it and Jitsi's mod_auth_token looks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from collections import deque
from typing import Final, Protocol
from urllib.parse import urlencode
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ops.verify import net
from ops.verify.context import Context
from ops.verify.net import HttpError, Unreachable

HTTPBIND: Final = "http://jabber.org/protocol/httpbind"
_FRAMING: Final = "urn:ietf:params:xml:ns:xmpp-framing"
_XBOSH: Final = "urn:xmpp:xbosh"
_HELD_SECONDS: Final = 5


class StreamClosed(Exception):
    """The server ended the stream; the text is the condition it gave, or empty."""


class Stream(Protocol):
    """One XMPP stream."""

    async def open(self) -> None:
        """Opens it, or after the sign-in opens it anew. The features come as the next element."""

    async def send(self, stanza: str) -> None:
        """Sends one element."""

    async def receive(self) -> ET.Element:
        """The next element. Raises Unreachable, or StreamClosed."""
        raise NotImplementedError

    async def close(self) -> None:
        """Ends it, as far as that is still possible."""


def name(element: ET.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _parse(text: str, what: str) -> ET.Element:
    try:
        if "<!" in text:  # XMPP knows no document types and no entities of one's own (RFC 6120, 11.1)
            raise ET.ParseError
        return ET.fromstring(text)  # noqa: S314
    except ET.ParseError:
        raise Unreachable(f"{what} answers something that is not XMPP") from None


def _query(room: str, token: str | None) -> str:
    return urlencode({"room": room} | ({"token": token} if token is not None else {}))


class Bosh:
    """A stream over POST /http-bind, one request after the other, or two where the first one's caller has gone."""

    def __init__(self, context: Context, room: str, token: str | None, domain: str | None = None) -> None:
        self._context = context
        self._to = quoteattr(domain or context.stack.domain)
        self._target = f"/http-bind?{_query(room, token)}"
        self._rid = secrets.randbelow(2**48)
        self._sid: str | None = None
        self._came: deque[ET.Element] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        if self._sid is None:
            await self._post(
                f"to={self._to} xml:lang='en' wait='{_HELD_SECONDS}' hold='1' ver='1.6' content='text/xml; charset=utf-8' "
                f"xmpp:version='1.0' xmlns:xmpp='{_XBOSH}'"
            )
        else:
            await self._post(f"to={self._to} xml:lang='en' xmpp:restart='true' xmlns:xmpp='{_XBOSH}'")

    async def send(self, stanza: str) -> None:
        await self._post("", stanza)

    async def receive(self) -> ET.Element:
        while not self._came:
            await self._post("")
        return self._came.popleft()

    async def close(self) -> None:
        if self._sid is not None:
            with contextlib.suppress(Unreachable, StreamClosed):
                await self._post("type='terminate'", "<presence xmlns='jabber:client' type='unavailable'/>", last=True)

    async def _post(self, attributes: str, content: str = "", *, last: bool = False) -> None:
        self._rid += 1
        session = f"sid={quoteattr(self._sid)}" if self._sid is not None else ""
        body = f"<body xmlns='{HTTPBIND}' rid='{self._rid}' {session} {attributes}>{content}</body>"
        # Goes on where its caller is cancelled: the server waits for each number, and holds what comes after a gap.
        exchange, earlier = asyncio.ensure_future(self._exchange(body)), set(self._under_way)
        self._under_way.add(exchange)
        exchange.add_done_callback(self._done)
        if earlier and not last:
            # The server answers the earliest request that it holds, and holds this one.
            await asyncio.wait({exchange, *earlier}, return_when=asyncio.FIRST_COMPLETED)
            if self._came and not exchange.done():
                return
        await asyncio.shield(exchange)

    def _done(self, exchange: asyncio.Task[None]) -> None:
        self._under_way.discard(exchange)
        if not exchange.cancelled():
            exchange.exception()  # else Python tells of one that nobody waits for any more

    async def _exchange(self, body: str) -> None:
        answer = await self._context.ask(self._target, body)
        if answer.status != 200:
            raise HttpError("/http-bind", answer.status)
        element = _parse(answer.body, "/http-bind")
        if element.tag != f"{{{HTTPBIND}}}body":
            raise Unreachable("/http-bind answers something that is not XMPP")
        self._sid = element.get("sid") or self._sid
        self._came.extend(element)
        if element.get("type") == "terminate":
            self._sid = None
            if not self._came:
                raise StreamClosed(element.get("condition") or "")


class WebSocket:
    """A stream over wss://.../xmpp-websocket."""

    def __init__(self, context: Context, room: str, token: str | None, domain: str | None = None) -> None:
        self._context = context
        self._to = quoteattr(domain or context.stack.domain)
        self._query = _query(room, token)
        self._socket: ClientConnection | None = None

    async def open(self) -> None:
        if self._socket is None:
            self._socket = await self._connect()
        await self._send(f"<open xmlns='{_FRAMING}' to={self._to} version='1.0'/>")
        element = await self._next()
        if element.tag != f"{{{_FRAMING}}}open":
            raise StreamClosed(name(element))

    async def _connect(self) -> ClientConnection:
        stack, address = self._context.stack, await self._context.address()
        url = f"wss://{stack.origin.removeprefix('https://')}/xmpp-websocket?{self._query}"
        try:
            return await net.with_timeout(self._handshake(url, address), net.CONNECT_SECONDS)
        except InvalidStatus as error:
            raise HttpError("/xmpp-websocket", error.response.status_code) from None
        except (WebSocketException, ssl.SSLError, OSError, EOFError):
            raise Unreachable("/xmpp-websocket does not become a WebSocket") from None

    async def _handshake(self, url: str, address: str) -> ClientConnection:
        stack = self._context.stack
        return await connect_websocket(
            url,
            subprotocols=[Subprotocol("xmpp")],
            ssl=self._context.tls,
            server_hostname=stack.host,
            host=address,
            port=stack.port,
            proxy=None,
            compression=None,
            open_timeout=None,
            close_timeout=1,
            ping_interval=None,
        )

    async def send(self, stanza: str) -> None:
        await self._send(stanza)

    async def _send(self, text: str) -> None:
        if self._socket is None:
            raise StreamClosed
        try:
            await net.with_timeout(self._socket.send(text), net.ANSWER_SECONDS)
        except WebSocketException:
            raise StreamClosed from None

    async def receive(self) -> ET.Element:
        element = await self._next()
        if element.tag == f"{{{_FRAMING}}}close":
            raise StreamClosed
        return element

    async def _next(self) -> ET.Element:
        if self._socket is None:
            raise StreamClosed
        try:
            frame = await net.with_timeout(self._socket.recv(), net.ANSWER_SECONDS)
        except WebSocketException:
            raise StreamClosed from None
        return _parse(frame if isinstance(frame, str) else frame.decode("utf-8", "replace"), "/xmpp-websocket")

    async def close(self) -> None:
        if self._socket is None:
            return
        with contextlib.suppress(StreamClosed, Unreachable, OSError, asyncio.TimeoutError):
            await self._send(f"<close xmlns='{_FRAMING}'/>")
            await net.with_timeout(self._socket.close(), 1.0)
