"""One rule for every value that is shown: no user name with a password, and no token, is ever repeated.

Owns what such a value looks like. Secret keys do not come here: their values are never shown at all.
"""

from __future__ import annotations

import re
from typing import Final

CREDENTIALS: Final = "a value with credentials"
TOKEN: Final = "a link with a token"

_USERINFO: Final = re.compile(r"://[^@]*@|[^\s:@]+:[^@]*@|://[^/?#\s]*%40|[^\s:@/]+:[^\s@/]*%40")
_HARMLESS: Final = re.compile(r"\bssh://[^:@/\s,;?#%]+@(?=[^@]*$)|^\s*mailto:[^:@\s]+@(?=[^@]*$)", re.IGNORECASE)
"""A user name alone where none is a secret."""
_NAMED: Final = re.compile(
    r"(?:token|passw(?:or)?d|passwort|passphrase|pwd|secret|credentials?|api[_-]?key|access[_-]?key|signature)"
    r"[\"']?\s*(?:=|:|%3d)\s*[\"']?[^\s\"']|\b(?:bearer|basic)\s+[A-Za-z0-9+/._~=-]{3}|\bsshpass\b"
    r"|\beyJ[A-Za-z0-9_-]{8}|PRIVATE KEY-----",
    re.IGNORECASE,
)
_JWT: Final = re.compile(r"\bjwt(?:=|%3d)", re.IGNORECASE)
_PAIR: Final = re.compile(
    r"(?!(?:https?|wss?|stuns?|turns?|amqps?|unix|tcp|ssh|mailto|docker):)[^\s:@/]+:(?!port\b)(?![0-9]+/?)[\w!$%^&*+~.-][^\s:@/]*",
    re.IGNORECASE,
)
"""`USER:PASSWORD` with nothing around it: what follows the colon is no port."""
_VARIABLE: Final = re.compile(r"\$\{?\w+\}?")


def masked(text: str) -> str:
    """`text`, or what stands for it where it has a password or token in it, or may be `user:password`."""
    if has_password(text):
        return CREDENTIALS
    if _JWT.search(text):
        return TOKEN
    pairs = (_PAIR.fullmatch(word) for word in re.split(r"[\s,;\"']+", _VARIABLE.sub("0", text)))
    return CREDENTIALS if any(pairs) else text


def has_password(text: str) -> bool:
    """Whether `text` has `user:password@`, `scheme://…@`, or a word such as `password=` or `Bearer` with a value in it."""
    return _USERINFO.search(_HARMLESS.sub("", text)) is not None or _NAMED.search(text) is not None
