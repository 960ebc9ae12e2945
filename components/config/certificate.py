"""The operator's own certificate: whether it fits its key, the host and the date.

Owns these checks. Does not verify who signed it: browsers will, and `python -m ops verify` does as they do.
Imports cryptography, so import this module only where there is a certificate to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from components.config.addresses import IpAddress, parse_ip

WARN_DAYS: Final = 30


def certificate_faults(chain: str, host: str, now: datetime | None = None) -> Iterator[str]:
    """What keeps the first certificate of `chain` from serving `host`, each as the words behind "allowed:"."""
    leaf = _leaf(chain)
    if leaf is None:
        yield "a certificate in PEM form, the server's first, then the intermediate ones"
        return
    if "PRIVATE KEY-----" in chain:
        yield "certificates alone: the private key has a key of its own, tlsPrivateKey"
    now = now or datetime.now(UTC)
    if leaf.not_valid_after_utc <= now:
        yield f"a certificate that is still valid: this one ended on {leaf.not_valid_after_utc:%Y-%m-%d}"
    if leaf.not_valid_before_utc > now:
        yield f"a certificate that is valid already: this one begins on {leaf.not_valid_before_utc:%Y-%m-%d}"
    names = _names(leaf)
    if not any(_covers(name, host) for name in names):
        yield f"a certificate for publicUrl's host {host}: this one is for {', '.join(map(str, names)) or 'no host'}"


def key_faults(chain: str, private_key: str) -> Iterator[str]:
    """What keeps `private_key` from serving with `chain`."""
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        yield "a private key in PEM form, without a passphrase"
        return
    leaf = _leaf(chain)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf is not None and leaf.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        yield "the private key that belongs to tlsCertificate's first certificate"


def days_left(chain: str, now: datetime | None = None) -> int | None:
    """Whole days until the first certificate of `chain` ends; None where there is none."""
    leaf = _leaf(chain)
    return None if leaf is None else (leaf.not_valid_after_utc - (now or datetime.now(UTC))).days


def _leaf(chain: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificates(chain.encode())[0]
    except (ValueError, IndexError):
        return None


def _names(certificate: x509.Certificate) -> list[Any]:
    """The hosts that a certificate is for: names as text, addresses as addresses."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return [*hosts, *names.get_values_for_type(x509.IPAddress)]


def _covers(name: str | IpAddress, host: str) -> bool:
    """Whether a certificate's name stands for `host`; a wildcard stands for one label (RFC 9525, 6.3)."""
    if not isinstance(name, str):
        return name == parse_ip(host)
    if parse_ip(host):
        return False  # browsers want it as an address, not as a name
    head, _, rest = host.partition(".")
    return name == host or (name.startswith("*.") and bool(head) and name[2:] == rest)
