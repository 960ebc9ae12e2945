"""One rule for every value that is shown: no user name with a password, and no token, is ever repeated.

Owns what such a value looks like. Secret keys do not come here: their values are never shown at all.
"""

from __future__ import annotations

import re
from typing import Final

CREDENTIALS: Final = "a value with credentials"
TOKEN: Final = "a link with a token"

_USERINFO: Final = re.compile(
    r"://[^@]*@|(?<![^\s:@])[^\s:@]+:[^@]*@|://[^/?#\s]*%40|(?<![^\s:@/])[^\s:@/]+:[^\s@/]*%40"
)
"""A name is looked for where a word begins: from each of its letters on, a long text would take its length squared."""
_HARMLESS: Final = re.compile(r"\bssh://[^:@/\s,;?#%]+@(?=[^@]*$)|^\s*mailto:[^:@\s]+@(?=[^@]*$)", re.IGNORECASE)
"""A user name alone where none is a secret."""
_NAMED: Final = re.compile(
    r"(?:token|passw(?:or)?d|passwort|passphrase|pwd|secret|credentials?|api[_-]?key|access[_-]?key|signature)"
    r"[\"']?\s*(?:=|:|%3d)\s*[\"']?[^\s\"']|\b(?:bearer|basic)\s+[A-Za-z0-9+/._~=-]{3}|\bsshpass\b"
    r"|\beyJ[A-Za-z0-9_-]{8}|PRIVATE KEY-----",
    re.IGNORECASE,
)
_JWT: Final = re.compile(r"\bjwt(?:=|%3d)", re.IGNORECASE)
_PAIR: Final = re.compile(r"([^\s:@/]+):(?!port\b)([\w!$%^&*+~.-][^\s:@/]*)", re.IGNORECASE)
"""`USER:PASSWORD` with nothing around it, unless what follows the colon is a port."""
_SCHEME: Final = re.compile(r"(?:https?|wss?|stuns?|turns?|amqps?|unix|tcp|ssh|mailto)$", re.IGNORECASE)
_BEFORE_PORT: Final = re.compile(r"[0-9]+|.*\..*|localhost|host|on-failure|\[.*\]?", re.IGNORECASE)
"""A host, an address, a port of the host, or Docker's restart policy."""
_VARIABLE: Final = re.compile(r"\$\{?\w+\}?")


def masked(text: str) -> str:
    """`text`, or what stands for it where it has a password or token in it, or may be `user:password`."""
    if has_password(text):
        return CREDENTIALS
    if _JWT.search(text):
        return TOKEN
    joined = re.sub(r"\s*:\s*", ":", _VARIABLE.sub("0", text))
    return CREDENTIALS if any(map(_is_pair, re.split(r"[\s,;\"']+", joined))) else text


def _is_pair(word: str) -> bool:
    """Whether a word may be `USER:PASSWORD`: a password of digits follows what no port follows, or is none."""
    pair = _PAIR.fullmatch(word)
    if pair is None or _SCHEME.fullmatch(pair[1]):
        return False
    number = re.fullmatch(r"([0-9]{1,5})(?:-[0-9]{1,5})?(?:[?#].*)?", pair[2])
    return number is None or int(number[1]) > 65535 or _BEFORE_PORT.fullmatch(pair[1]) is None


def has_password(text: str) -> bool:
    """Whether `text` has `user:password@`, `scheme://…@`, or a word such as `password=` or `Bearer` with a value in it."""
    return _USERINFO.search(_HARMLESS.sub("", text)) is not None or _NAMED.search(text) is not None
