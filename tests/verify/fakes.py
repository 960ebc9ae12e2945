"""Servers in this process, over real sockets, that say what a test wants: HTTP, WebSocket with XMPP, TURN.

Owns the transport. What they answer is the test's business.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, cast

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from ops.verify import stun
from ops.verify.context import Context
from ops.verify.deployed import DeployedStack
from tests.pem import certificate
from tests.verify.outputs import HOST, outputs

_CHAIN, _KEY = certificate(HOST)


def tls(directory: Path) -> ssl.SSLContext:
    """A server's context with a self-signed certificate, whose files lie in `directory`."""
    file = directory / "server.pem"
    file.write_text(_KEY + _CHAIN)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def context(port: int) -> Context:
    """That of checks which connect to the fake at this port."""
    return Context(DeployedStack.of(outputs(port)), "127.0.0.1")


@asynccontextmanager
async def http(answer: Callable[[str, str], str | bytes], context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """An HTTP server; its port. `answer` gets request line and body: a text is a body, bytes are the whole answer."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
        body = (await reader.readexactly(int(fields.get("content-length", 0)))).decode()
        found = answer(head.splitlines()[0], body)
        if isinstance(found, str):
            found = f"HTTP/1.1 200 OK\r\nContent-Length: {len(found.encode())}\r\n\r\n{found}".encode()
        writer.write(found)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def websocket(
    handle: Callable[[ServerConnection], Awaitable[None]], context: ssl.SSLContext
) -> AsyncIterator[int]:
    """A WebSocket server; its port."""
    async with serve(handle, "127.0.0.1", 0, ssl=context, subprotocols=[Subprotocol("xmpp")]) as server:
        yield next(iter(server.sockets)).getsockname()[1]


class Turn(asyncio.DatagramProtocol):
    """A TURN server, as far as an allocation goes (RFC 8656): it asks for credentials, and checks them.

    Args:
        password: of the user `user`.
        error: the error code with which it refuses right credentials; None where it does not.
        lost: so many requests at first that get no answer.
    """

    RELAYED: Final = "192.0.2.1#32853"

    def __init__(self, password: str = "right", error: int | None = None, lost: int = 0) -> None:
        self.key = hashlib.md5(f"user:realm:{password}".encode(), usedforsecurity=False).digest()
        self.error = error
        self.lost = lost
        self.lifetimes: list[int] = []
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        if self.lost:
            self.lost -= 1
            return
        self._transport.sendto(self.answer(data), addr)

    def answer(self, request: bytes) -> bytes:
        """The answer to a request."""
        kind, transaction, attributes = stun.decode(request)
        if 0x0008 not in attributes:
            return self._refusal(kind, transaction, 401, {0x0014: b"realm", 0x0015: b"nonce"})
        if not stun.has_integrity(request, self.key):
            return self._refusal(kind, transaction, 401, {})
        if self.error is not None:
            return self._refusal(kind, transaction, self.error, {})
        if 0x000D in attributes:
            self.lifetimes.append(struct.unpack("!I", attributes[0x000D])[0])
        # XOR-RELAYED-ADDRESS for 192.0.2.1 and 32853, as in RFC 5769, 2.2.
        return stun.encode(kind | 0x0100, transaction, {0x0016: bytes.fromhex("0001a147e112a643")})

    @staticmethod
    def _refusal(kind: int, transaction: bytes, code: int, more: Mapping[int, bytes]) -> bytes:
        error = struct.pack("!HBB", 0, code // 100, code % 100) + b"no"
        return stun.encode(kind | 0x0110, transaction, {0x0009: error, **more})


@asynccontextmanager
async def udp(server: Turn) -> AsyncIterator[int]:
    """The server on UDP; its port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
