"""Where web's certificate comes from, and PEM text; what is in the PEM is `certificate`'s."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from components.config.addresses import is_host, parse_ip
from components.config.checks.text import Invalid, example_from, one_of, removable

TLS_MODES: Final = ("local-ca", "own", "letsencrypt", "proxy", "self-signed")
PEM_MAX_LENGTH: Final = 64 * 1024
_TLS_WORDS: Final = {
    **dict.fromkeys(("acme", "le", "letsencryptstaging"), "letsencrypt"),
    **dict.fromkeys(
        ("traefik", "nginx", "caddy", "haproxy", "apache", "reverseproxy", "ingress", "cloudflare"), "proxy"
    ),
    **dict.fromkeys(("none", "off", "no", "false", "disabled", "http"), "proxy"),
}
"""Words of other programs. With proxy web serves plain HTTP, and something else may put TLS in front."""
_BLOCK: Final = re.compile(
    r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----[ \t]*\r?\n(?P<content>[^-]+?)-----END (?P=label)-----"
)
_PEM: Final = "PEM text, from -----BEGIN to -----END, without a passphrase"


def tls(text: str) -> str:
    """Where web's certificate comes from."""
    return one_of(text, *TLS_MODES, also=_TLS_WORDS)


def certificate_chain(text: str) -> str:
    """The certificates of PEM text, without what openssl writes between the blocks."""
    if "PRIVATE KEY-----" in text:
        raise Invalid("certificates alone: the private key has a key of its own, tlsPrivateKey")
    return _blocks(text, lambda label: label == "CERTIFICATE", "a certificate")


def private_key(text: str) -> str:
    """The private key of PEM text, without what stands beside it."""
    if "ENCRYPTED" in text:
        raise Invalid(f"{_PEM}: this one has a passphrase (openssl pkey -in KEY.pem takes it off)")
    return _blocks(text, lambda label: label.endswith("PRIVATE KEY"), "a private key")


def _blocks(text: str, wanted: Callable[[str], bool], what: str) -> str:
    if len(text) > PEM_MAX_LENGTH:
        raise Invalid(f"PEM text of at most {PEM_MAX_LENGTH // 1024} KiB; this one has {len(text)} characters")
    found = [(block["label"], block["content"]) for block in _BLOCK.finditer(text)]
    if not found or text.count("-----BEGIN ") != len(found) or text.count("-----END ") != len(found):
        raise Invalid(_PEM)
    kept = [(label, content.split()) for label, content in found if wanted(label)]
    if not kept:
        raise Invalid(f"{_PEM}, with {what}")
    if not all(re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", "".join(lines)) for _, lines in kept):
        raise Invalid(_PEM)
    texts = ["\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"]) for label, lines in kept]
    return "\n".join(texts) + "\n"


@example_from(lambda text: [re.sub(r"^\s*mailto:|^.*<|>\s*$", "", text)], "NAME@DOMAIN")
@removable
def email(text: str) -> str:
    """An e-mail address, as far as acme.sh, which gets it unquoted from a shell, must take it."""
    name, _, domain = text.rpartition("@")
    plain = re.fullmatch(r"[A-Za-z0-9_%+-]+(\.[A-Za-z0-9_%+-]+)*", name) and not name.startswith("-")
    if not plain or "." not in domain or not is_host(domain.lower()) or parse_ip(domain):
        raise Invalid("an e-mail address")
    return text
