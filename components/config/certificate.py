"""The operator's own certificate: whether it fits its key, the host and the date, and nginx and browsers take it.

Owns these checks. Does not verify who signed it: browsers will, and `python -m ops verify` does as they do.
Imports cryptography, so import this module only where there is a certificate to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, PublicKeyAlgorithmOID

from components.config.addresses import IpAddress, parse_ip

WARN_DAYS: Final = 30
RSA_MIN_BITS: Final = 2048
RSA_MAX_BITS: Final = 8192


def certificate_faults(chain: str, host: str, now: datetime | None = None) -> Iterator[str]:
    """What keeps the first certificate of `chain` from serving `host`, each as the words behind "allowed:"."""
    leaf = _leaf(chain)
    if leaf is None:
        yield "a certificate in PEM form, the server's first, then the intermediate ones"
        return
    now = now or datetime.now(UTC)
    if leaf.not_valid_after_utc <= now:
        yield f"a certificate that is still valid: this one ended on {leaf.not_valid_after_utc:%Y-%m-%d}"
    if leaf.not_valid_before_utc > now:
        yield f"a certificate that is valid already: this one begins on {leaf.not_valid_before_utc:%Y-%m-%d}"
    yield from _leaf_key_faults(leaf)
    yield from _signature_faults(chain)
    yield from _usage_faults(leaf)
    names = _names(leaf)
    if not any(_covers(name, host) for name in names):
        yield f"a certificate for publicUrl's host {host}: this one is for {', '.join(map(str, names)) or 'no host'}"


def _leaf_key_faults(leaf: x509.Certificate) -> Iterator[str]:
    """nginx of the image's base (OpenSSL, security level 2) wants RSA of 2048 bits, browsers RSA, P-256 or P-384."""
    allowed = f"a certificate with an RSA key of {RSA_MIN_BITS} to {RSA_MAX_BITS} bits or an EC key on P-256 or P-384"
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        yield f"{allowed}, which nginx and browsers take"
        return
    if isinstance(key, rsa.RSAPublicKey):
        if leaf.public_key_algorithm_oid != PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5:
            yield f"{allowed}: browsers do not take RSA-PSS keys"
        elif not RSA_MIN_BITS <= key.key_size <= RSA_MAX_BITS:
            yield f"{allowed}: this RSA key has {key.key_size} bits"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            yield f"{allowed}: this one is on {key.curve.name}"
    else:
        yield f"{allowed}: browsers do not take {type(key).__name__.removesuffix('PublicKey')} keys"


def _signature_faults(chain: str) -> Iterator[str]:
    """The same of who signed: of a self-signed certificate nobody looks at the signature, of the others OpenSSL does."""
    for number, one in enumerate(x509.load_pem_x509_certificates(chain.encode()), 1):
        if number > 1 and one.issuer == one.subject:
            continue
        try:
            algorithm = one.signature_hash_algorithm
        except UnsupportedAlgorithm:
            algorithm = None
        if algorithm is None or algorithm.name not in ("sha256", "sha384", "sha512"):
            name = algorithm.name.upper() if algorithm else "an algorithm that browsers do not take"
            which = "this one is" if number == 1 else f"certificate {number} of the chain is"
            yield f"a certificate signed with SHA-256, SHA-384 or SHA-512: {which} signed with {name}"
            return


def _usage_faults(leaf: x509.Certificate) -> Iterator[str]:
    """Whether browsers take it for a server's (RFC 5280, 4.2.1.3 and 4.2.1.12)."""
    try:
        extensions = leaf.extensions
    except (ValueError, x509.DuplicateExtension):
        yield "a certificate whose extensions can be read"
        return
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage):
            serves = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
            if not serves & set(value):
                yield "a certificate for servers: this one's extended key usage lacks serverAuth"
        elif isinstance(value, x509.KeyUsage) and not value.digital_signature:
            yield "a certificate that may sign: this one's key usage lacks digitalSignature"


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
