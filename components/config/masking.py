"""One rule for every value that is shown: no user name with a password, and no token of a link, is ever repeated.

Owns what such a value looks like. Secret keys do not come here: their values are never shown at all.
"""

from __future__ import annotations

import re
from typing import Final

_CREDENTIALS: Final = re.compile(r"://[^@]*@|[^\s:@]+:[^@]*@")
_TOKEN: Final = re.compile(r"\bjwt=", re.IGNORECASE)


def masked(text: str) -> str:
    """`text`, or what stands for it where it has `user:password@`, `scheme://…@` or a token in it."""
    if _CREDENTIALS.search(text):
        return "a value with credentials"
    return "a link with a token" if _TOKEN.search(text) else text
