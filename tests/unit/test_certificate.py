"""An operator's own certificate: what nginx of the image's base and browsers take, on any machine alike.

tests/consumers/test_nginx.py shows the same certificates to an nginx, and one with SHA-1, which nothing here signs.
"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from components.config import checks
from components.config.certificate import certificate_faults, key_faults
from components.config.checks import Invalid
from tests.pem import certificate

HOST = "video.example.org"


def usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
    )
    flags = dict.fromkeys((*names.split(), "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**{**flags, **wanted})


TAKEN: dict[str, dict[str, Any]] = {
    "RSA of 2048 bits": {"key": lambda: rsa.generate_private_key(65537, 2048)},
    "P-256": {"key": lambda: ec.generate_private_key(ec.SECP256R1())},
    "P-384 with SHA-384": {"key": lambda: ec.generate_private_key(ec.SECP384R1()), "digest": hashes.SHA384()},
    "for servers": {"more": [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), usage(digital_signature=True)]},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "RSA of 1024 bits": ({"key": lambda: rsa.generate_private_key(65537, 1024)}, "this RSA key has 1024 bits"),
    "P-521": ({"key": lambda: ec.generate_private_key(ec.SECP521R1())}, "this one is on secp521r1"),
    "secp256k1": ({"key": lambda: ec.generate_private_key(ec.SECP256K1())}, "this one is on secp256k1"),
    "P-224": ({"key": lambda: ec.generate_private_key(ec.SECP224R1())}, "this one is on secp224r1"),
    "Ed25519": ({"key": ed25519.Ed25519PrivateKey.generate, "digest": None}, "browsers do not take Ed25519 keys"),
    "DSA": ({"key": lambda: dsa.generate_private_key(2048)}, "browsers do not take DSA keys"),
    "SHA-224": ({"digest": hashes.SHA224()}, "this one is signed with SHA224"),
    "for clients": ({"more": [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])]}, "lacks serverAuth"),
    "for encryption": ({"more": [usage(key_encipherment=True)]}, "lacks digitalSignature"),
}


def made(arguments: dict[str, Any]) -> tuple[str, str]:
    key = arguments.get("key", lambda: None)()
    return certificate(HOST, **{**arguments, "key": key})


@pytest.mark.parametrize("kind", TAKEN)
def test_what_nginx_and_browsers_take_is_taken(kind: str) -> None:
    chain, key = made(TAKEN[kind])
    assert list(certificate_faults(chain, HOST)) == []
    assert list(key_faults(chain, key)) == []


@pytest.mark.parametrize("kind", REFUSED)
def test_what_one_of_them_does_not_take_is_refused(kind: str) -> None:
    arguments, reason = REFUSED[kind]
    chain, _ = made(arguments)
    assert any(reason in fault for fault in certificate_faults(chain, HOST))


def test_an_intermediate_that_is_signed_weakly_is_refused_and_a_root_is_not_looked_at() -> None:
    leaf, _ = certificate(HOST)
    root, _ = certificate("root.example.org", digest=hashes.SHA224())
    assert list(certificate_faults(leaf + root, HOST)) == []


# PEM as programs write it, and what becomes of it


CHAIN, KEY = certificate(HOST)
DECORATED = {
    "openssl pkcs12": "Bag Attributes\n    localKeyID: 01 02\nsubject=CN = video\n\nissuer=CN = video\n\n{}",
    "openssl s_client": "# 0 s:CN = video\n#   i:CN = video\n{}---\nServer certificate\n",
    "carriage returns": "{}",
    "blank lines and spaces": "\n\n  {}\n\n",
}


@pytest.mark.parametrize("kind", DECORATED)
def test_what_stands_around_the_blocks_is_left_out(kind: str) -> None:
    chain, key = (DECORATED[kind].replace("{}", text) for text in (CHAIN, KEY))
    if kind == "carriage returns":
        chain, key = chain.replace("\n", "\r\n"), key.replace("\n", "\r\n")
    assert checks.certificate_chain(chain) == CHAIN
    assert checks.private_key(key) == KEY


def test_several_certificates_stay_in_their_order() -> None:
    other, _ = certificate("other.example.org")
    assert checks.certificate_chain(f"{CHAIN}\n# and\n{other}") == CHAIN + other


def test_parameters_and_certificates_beside_a_key_are_left_out() -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert checks.private_key(parameters + KEY + CHAIN) == KEY


@pytest.mark.parametrize(
    ("check", "text", "allowed"),
    [
        (checks.certificate_chain, CHAIN + KEY, "certificates alone"),
        (checks.certificate_chain, CHAIN.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), "PEM text"),
        (checks.certificate_chain, CHAIN[:-30], "PEM text"),
        (checks.certificate_chain, CHAIN.replace("\n", "\\n"), "PEM text"),
        (checks.certificate_chain, CHAIN * 200, "at most 64 KiB"),
        (checks.private_key, KEY.replace("PRIVATE", "ENCRYPTED PRIVATE"), "takes it off"),
        (checks.private_key, KEY.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1), "takes it off"),
        (checks.private_key, CHAIN, "with a private key"),
    ],
)
def test_other_text_is_refused(check: Any, text: str, allowed: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(text)
    assert allowed in refused.value.allowed
