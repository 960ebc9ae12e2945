"""A TURN client on a socket that is handed to it: allocate, permit, send and receive (RFC 8656).

The messages are those of `ops.verify.stun`; this adds what only a caller needs, and leaves out what only a slow network
does: nothing is sent twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
import socket
import struct
import time
from typing import Final

import pytest

from ops.verify import stun

ALLOCATE, CREATE_PERMISSION, SEND, DATA = 0x0003, 0x0008, 0x0016, 0x0017
SUCCESS, ERROR = 0x0100, 0x0110
USERNAME, ERROR_CODE, PEER, PAYLOAD, REALM, NONCE = 0x0006, 0x0009, 0x0012, 0x0013, 0x0014, 0x0015
RELAYED, FAMILY, TRANSPORT = 0x0016, 0x0017, 0x0019
IPV6_RELAY: Final = {FAMILY: struct.pack("!B3x", 2)}

PATIENCE: Final = 0.6
"""Seconds without a message after which none is on its way; in a namespace one takes less than a millisecond."""


class Refused(Exception):
    """The server's error code."""

    @property
    def code(self) -> int:
        return int(self.args[0])


def credentials(secret: str, *, seconds: int = 120, user: str = "caller") -> tuple[str, str]:
    """User name and password as prosody makes them from the shared secret; they end in so many seconds."""
    username = f"{int(time.time()) + seconds}:{user}"
    return username, base64.b64encode(hmac.digest(secret.encode(), username.encode(), hashlib.sha1)).decode()


class Client:
    """One client with one allocation, over UDP."""

    def __init__(self, connected: socket.socket, username: str, password: str) -> None:
        connected.settimeout(PATIENCE)
        self._socket = connected
        self._name, self._password = username, password
        self._own: dict[int, bytes] = {}
        self._key: bytes | None = None

    def allocate(self, extra: dict[int, bytes] | None = None) -> str:
        """The relay address as IP#PORT. Raises Refused."""
        wanted = {TRANSPORT: struct.pack("!B3x", 17), **(extra or {})}
        with pytest.raises(Refused, match="401"):
            self._ask(ALLOCATE, wanted)
        transaction, answer = self._ask(ALLOCATE, wanted)
        return stun.address(answer[RELAYED], transaction)

    def permit(self, peer: str, port: int = 0) -> None:
        """Asks that this peer may be sent to. Raises Refused."""
        transaction = secrets.token_bytes(12)
        self._ask(CREATE_PERMISSION, {PEER: peer_address(peer, port, transaction)}, transaction)

    def send(self, peer: str, port: int, payload: bytes) -> None:
        """An indication, to which no server answers."""
        transaction = secrets.token_bytes(12)
        attributes = {PEER: peer_address(peer, port, transaction), PAYLOAD: payload}
        self._socket.send(stun.encode(SEND, transaction, attributes))

    def receive(self) -> tuple[str, bytes] | None:
        """Peer (IP#PORT) and payload of what was relayed back; None where nothing came."""
        try:
            kind, transaction, attributes = stun.decode(self._socket.recv(2048))
        except TimeoutError:
            return None
        assert kind == DATA, hex(kind)
        return stun.address(attributes[PEER], transaction), attributes[PAYLOAD]

    def _ask(
        self, method: int, attributes: dict[int, bytes], transaction: bytes | None = None
    ) -> tuple[bytes, dict[int, bytes]]:
        transaction = transaction or secrets.token_bytes(12)
        self._socket.send(stun.encode(method, transaction, {**attributes, **self._own}, self._key))
        kind, seen, answer = stun.decode(self._socket.recv(2048))
        assert seen == transaction
        if kind == method | SUCCESS:
            return transaction, answer
        assert kind == method | ERROR, hex(kind)
        if self._key is None and REALM in answer:
            self._own = {USERNAME: self._name.encode(), REALM: answer[REALM], NONCE: answer[NONCE]}
            parts = [self._name.encode(), answer[REALM], self._password.encode()]
            self._key = hashlib.md5(b":".join(parts), usedforsecurity=False).digest()
        raise Refused((answer[ERROR_CODE][2] & 7) * 100 + answer[ERROR_CODE][3])


def peer_address(peer: str, port: int, transaction: bytes) -> bytes:
    """An XOR-PEER-ADDRESS attribute."""
    ip = ipaddress.ip_address(peer)
    pad = struct.pack("!I", stun.COOKIE) + transaction
    raw = bytes(a ^ b for a, b in zip(ip.packed, pad, strict=False))
    return struct.pack("!BBH", 0, 1 if ip.version == 4 else 2, port ^ (stun.COOKIE >> 16)) + raw
