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


# RFC 5769, 2.1 and 2.2: a connectivity check, and the answer to it.
PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b1"
    "51263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
ANSWER = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599"
    "fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)


@pytest.mark.parametrize("message", [REQUEST, ANSWER])
def test_the_integrity_of_the_rfcs_messages_is_seen_with_their_password_alone(message: bytes) -> None:
    assert stun.has_integrity(message, PASSWORD)
    assert not stun.has_integrity(message, PASSWORD + b"x")
    assert not stun.has_integrity(message.replace(b"test", b"best"), PASSWORD)


def test_a_message_without_integrity_has_none() -> None:
    assert not stun.has_integrity(stun.binding_request(), PASSWORD)
    assert not stun.has_integrity(b"", PASSWORD)


@pytest.mark.parametrize("message", [REQUEST, ANSWER])
def test_the_fingerprint_is_that_of_the_rfc(message: bytes) -> None:
    assert stun.with_fingerprint(message[:-8]) == message


def test_a_connectivity_check_has_what_the_rfc_wants() -> None:
    """RFC 8445, 7.1: user name, priority and role, its integrity by the password, and a fingerprint at its end."""
    message = stun.connectivity_check("evtj:h6vY", PASSWORD)
    kind, _, attributes = stun.decode(message)
    assert kind == 0x0001
    assert list(attributes) == [0x0006, 0x0024, 0x8029, 0x0008, 0x8028]
    assert attributes[0x0006] == b"evtj:h6vY"
    assert (len(attributes[0x0024]), len(attributes[0x8029])) == (4, 8)
    assert stun.has_integrity(message, PASSWORD)
    assert stun.with_fingerprint(message[:-8]) == message


def test_an_answer_belongs_to_its_request() -> None:
    assert stun.is_response_to(REQUEST, ANSWER)
    assert not stun.is_response_to(stun.binding_request(), ANSWER)
    assert not stun.is_response_to(REQUEST, REQUEST)
    assert not stun.is_response_to(REQUEST, b"junk")


@pytest.mark.parametrize("junk", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(20), bytes(19)])
def test_what_is_no_stun_message_is_refused(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"short|STUN"):
        stun.decode(junk)


def test_a_message_is_read_back_as_it_was_written() -> None:
    message = stun.encode(0x0003, bytes(12), {0x0019: b"\x11\0\0\0", 0x0006: b"abc"})
    assert stun.decode(message) == (0x0003, bytes(12), {0x0019: b"\x11\0\0\0", 0x0006: b"abc"})
