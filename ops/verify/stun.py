"""STUN and TURN messages, as far as a binding request and an allocation need them (RFC 8489, RFC 8656, RFC 8445).

Owns their bytes and both credential mechanisms, short-term for a call's media and long-term for TURN. Judges nothing.

The bytes are a hundred lines, held to the vectors of RFC 5769. aioice has them too, and brings dnspython, ifaddr and an
ICE agent, while what verify needs most, one request to one address over a connection of its own, would still be written
here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
import struct
import zlib
from collections.abc import Mapping
from typing import Final, Protocol, cast

from ops.verify.net import Unreachable

COOKIE: Final = 0x2112A442
_BINDING: Final = 0x0001
_ALLOCATE: Final = 0x0003
_REFRESH: Final = 0x0004
_SUCCESS: Final = 0x0100
_ERROR: Final = 0x0110

_USERNAME: Final = 0x0006
_INTEGRITY: Final = 0x0008
_ERROR_CODE: Final = 0x0009
_LIFETIME: Final = 0x000D
_REALM: Final = 0x0014
_NONCE: Final = 0x0015
_RELAYED: Final = 0x0016
_TRANSPORT: Final = 0x0019
_PRIORITY: Final = 0x0024
_FINGERPRINT: Final = 0x8028
_ICE_CONTROLLED: Final = 0x8029
_UDP: Final = struct.pack("!B3x", 17)

_PEER_REFLEXIVE: Final = struct.pack("!I", 110 << 24 | 65535 << 8 | 255)
"""Priority of the first component's candidate of that type (RFC 8445, 5.1.2.1)."""
_FINGERPRINT_MASK: Final = 0x5354554E

_HEADER: Final = 20
_INTEGRITY_SIZE: Final = 24
_FINGERPRINT_SIZE: Final = 8
_TRIES: Final = 3
_PAUSE: Final = 0.7
"""UDP loses datagrams: so long until the request goes out again."""


class StunError(Exception):
    """The server refused a request with a STUN error code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"error {code}{f' ({reason})' if reason else ''}")
        self.code = code


def encode(method: int, transaction: bytes, attributes: Mapping[int, bytes], key: bytes | None = None) -> bytes:
    """A request; with a key it ends with MESSAGE-INTEGRITY."""
    body = b"".join(_attribute(kind, value) for kind, value in attributes.items())
    message = struct.pack("!HHI", method, len(body), COOKIE) + transaction + body
    if key is None:
        return message
    message = _sized(message, len(body) + _INTEGRITY_SIZE)
    return message + _attribute(_INTEGRITY, hmac.digest(key, message, hashlib.sha1))


def with_fingerprint(message: bytes) -> bytes:
    """The message with FINGERPRINT as its last attribute."""
    message = _sized(message, len(message) - _HEADER + _FINGERPRINT_SIZE)
    return message + _attribute(_FINGERPRINT, struct.pack("!I", zlib.crc32(message) ^ _FINGERPRINT_MASK))


def _sized(message: bytes, length: int) -> bytes:
    """The message with another length in its header: that up to the attribute which is worked out."""
    return message[:2] + struct.pack("!H", length) + message[4:]


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def decode(message: bytes) -> tuple[int, bytes, dict[int, bytes]]:
    """Type, transaction and attributes of a message. Raises ValueError where it is none."""
    if len(message) < _HEADER:
        raise ValueError("too short")
    kind, length, cookie = struct.unpack("!HHI", message[:8])
    if cookie != COOKIE or len(message) != _HEADER + length:
        raise ValueError("no STUN message")
    attributes: dict[int, bytes] = {}
    at = _HEADER
    while at + 4 <= len(message):
        name, size = struct.unpack("!HH", message[at : at + 4])
        attributes.setdefault(name, message[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    return kind, message[8:_HEADER], attributes


def has_integrity(message: bytes, key: bytes) -> bool:
    """Whether MESSAGE-INTEGRITY shows that the sender knows the key."""
    at = _HEADER
    while at + 4 <= len(message):
        name, size = struct.unpack("!HH", message[at : at + 4])
        if name == _INTEGRITY:
            signed = _sized(message[:at], at - _HEADER + _INTEGRITY_SIZE)
            return hmac.compare_digest(hmac.digest(key, signed, hashlib.sha1), message[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    return False


def address(value: bytes, transaction: bytes) -> str:
    """An XOR-...-ADDRESS attribute as IP#PORT. Raises ValueError."""
    pad = struct.pack("!I", COOKIE) + transaction
    port = struct.unpack("!H", value[2:4])[0] ^ (COOKIE >> 16)
    raw = bytes(a ^ b for a, b in zip(value[4:], pad, strict=False))
    return f"{ipaddress.ip_address(raw)}#{port}"


def binding_request() -> bytes:
    """A request that a STUN server answers with the sender's address."""
    return encode(_BINDING, secrets.token_bytes(12), {})


def connectivity_check(username: str, key: bytes) -> bytes:
    """A request that an ICE agent answers who has the key, as a browser sends it to the bridge (RFC 8445, 7.2)."""
    attributes = {
        _USERNAME: username.encode(),
        _PRIORITY: _PEER_REFLEXIVE,
        _ICE_CONTROLLED: secrets.token_bytes(8),
    }
    return with_fingerprint(encode(_BINDING, secrets.token_bytes(12), attributes, key))


def is_response_to(request: bytes, message: bytes) -> bool:
    """Whether a message is the response to a binding request, good or bad."""
    try:
        kind, transaction, _ = decode(message)
    except ValueError:
        return False
    return kind in (_BINDING | _SUCCESS, _BINDING | _ERROR) and transaction == request[8:_HEADER]


class Channel(Protocol):
    """A way to a TURN server."""

    async def exchange(self, request: bytes) -> bytes:
        """The answer to a request. Raises Unreachable, or an OSError."""
        raise NotImplementedError

    def close(self) -> None:
        """Closes it."""


class TcpChannel:
    """Over TCP, with or without TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def exchange(self, request: bytes) -> bytes:
        self._writer.write(request)
        await self._writer.drain()
        head = await self._reader.readexactly(_HEADER)
        return head + await self._reader.readexactly(struct.unpack("!H", head[2:4])[0])

    def close(self) -> None:
        self._writer.transport.abort()


class UdpChannel(asyncio.DatagramProtocol):
    """Over UDP; a request that gets no answer goes out again."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._came: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        self._came.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        self._came.put_nowait(exc)

    async def exchange(self, request: bytes) -> bytes:
        for _ in range(_TRIES):
            if self._transport is not None:
                self._transport.sendto(request)
            try:
                came = await asyncio.wait_for(self._came.get(), _PAUSE)
            except TimeoutError:
                continue
            if isinstance(came, Exception):
                raise Unreachable("nothing listens there")
            if came[8:_HEADER] == request[8:_HEADER]:
                return came
        raise Unreachable("no answer")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def udp_channel(ip: str, port: int) -> UdpChannel:
    """A channel to an address. Raises OSError."""
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(UdpChannel, remote_addr=(ip, port))
    return protocol


async def allocate_and_release(channel: Channel, username: str, password: str) -> str:
    """Makes an allocation and gives it back at once; its relay address as IP#PORT.

    Raises:
        StunError: where the server refuses.
        Unreachable: where it does not answer, or not with STUN.
    """
    try:
        await _request(channel, _ALLOCATE, {_TRANSPORT: _UDP})
    except _Challenge as challenge:
        found = challenge.attributes
    else:
        raise Unreachable("it gives relay addresses without credentials")
    realm, nonce = found.get(_REALM, b""), found.get(_NONCE, b"")
    own = {_USERNAME: username.encode(), _REALM: realm, _NONCE: nonce}
    key = hashlib.md5(b":".join([username.encode(), realm, password.encode()]), usedforsecurity=False).digest()
    transaction, answer = await _request(channel, _ALLOCATE, {_TRANSPORT: _UDP, **own}, key)
    relayed = address(answer[_RELAYED], transaction)
    await _request(channel, _REFRESH, {_LIFETIME: struct.pack("!I", 0), **own}, key)
    return relayed


class _Challenge(Exception):
    """The server asks for credentials."""

    def __init__(self, attributes: dict[int, bytes]) -> None:
        super().__init__()
        self.attributes = attributes


async def _request(
    channel: Channel, method: int, attributes: Mapping[int, bytes], key: bytes | None = None
) -> tuple[bytes, dict[int, bytes]]:
    """Transaction and attributes of the answer. Raises _Challenge to the first request, StunError, Unreachable."""
    transaction = secrets.token_bytes(12)
    try:
        kind, _, answer = decode(await channel.exchange(encode(method, transaction, attributes, key)))
    except ValueError:
        raise Unreachable("something answers there that is no TURN server") from None
    if kind == method | _SUCCESS:
        return transaction, answer
    if kind != method | _ERROR:
        raise Unreachable("something answers there that is no TURN server")
    raw = answer.get(_ERROR_CODE, bytes(4))
    code = (raw[2] & 7) * 100 + raw[3]
    if code == 401 and key is None:
        raise _Challenge(answer)
    raise StunError(code, raw[4:].decode("utf-8", "replace"))
