"""A certificate and its key for the tests, made anew each run so that none ever expires in the repository."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_SHA256 = hashes.SHA256()


def certificate(
    *hosts: str,
    days: float = 3650,
    starts: float = -1,
    names: x509.SubjectAlternativeName | None = None,
    key: Any = None,
    digest: Any = _SHA256,
    more: Sequence[x509.ExtensionType] = (),
    subject: str = "test",
) -> tuple[str, str]:
    """Certificate and private key, both PEM, for `hosts` or `names`; valid from `starts` days on, until `days` from now.

    Unless given, the key is on P-256 and signs by SHA-256; `more` are further extensions.
    `subject` is its own name and its issuer's; where several are trusted, each needs another one.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=starts))
        .not_valid_after(now + timedelta(days=days))
    )
    if hosts:
        names = x509.SubjectAlternativeName([_name(host) for host in hosts])
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    signed = builder.sign(key, digest)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return signed.public_bytes(Encoding.PEM).decode(), secret.decode()


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
