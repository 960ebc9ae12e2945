"""STUN messages against the test vectors of RFC 5769."""

from __future__ import annotations

import hashlib

import pytest

from ops.verify import stun

# RFC 5769, 2.2: an IPv4 response's XOR-MAPPED-ADDRESS.
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
MAPPED = bytes.fromhex("0001a147e112a643")


def test_an_address_is_read_as_in_the_rfc() -> None:
    assert stun.address(MAPPED, TRANSACTION) == "192.0.2.1#32853"


def test_an_ipv6_address_is_read_as_in_the_rfc() -> None:
    value = bytes.fromhex("0002a1470113a9faa5d3f179bc25f4b5bed2b9d9")
    assert stun.address(value, TRANSACTION) == "2001:db8:1234:5678:11:2233:4455:6677#32853"


def test_the_integrity_of_a_request_is_that_of_the_rfc() -> None:
    """RFC 5769, 2.4: the long-term mechanism, with the password after SASLprep."""
    transaction = bytes.fromhex("78ad3433c6ad72c029da412e")
    user = bytes.fromhex("e3839ee38388e383aae38383e382afe382b9")
    key = hashlib.md5(user + b":example.org:TheMatrIX").digest()
    attributes = {0x0006: user, 0x0015: b"f//499k954d6OL34oL9FSTvy64sA", 0x0014: b"example.org"}
    message = stun.encode(0x0001, transaction, attributes, key)
    assert message[-20:].hex() == "f67024656dd64a3e02b8e0712e85c9a28ca89666"


@pytest.mark.parametrize("junk", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(20), bytes(19)])
def test_what_is_no_stun_message_is_refused(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"short|STUN"):
        stun.decode(junk)


def test_a_message_is_read_back_as_it_was_written() -> None:
    message = stun.encode(0x0003, bytes(12), {0x0019: b"\x11\0\0\0", 0x0006: b"abc"})
    assert stun.decode(message) == (0x0003, bytes(12), {0x0019: b"\x11\0\0\0", 0x0006: b"abc"})
