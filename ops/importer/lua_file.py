"""`statistics.cfg.lua`: assignments of texts, numbers and truth values, as Prosody reads them.

Owns the few forms of Lua that such a file has. Anything else is a fault: it would have to be run.
"""

from __future__ import annotations

import re
from typing import Final

_BLANK: Final = re.compile(r"(?:\s+|;|--\[(=*)\[.*?\]\1\]|--[^\n]*)*", re.DOTALL)
_NAME: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)\s*")
_LONG: Final = re.compile(r"\[(=*)\[\n?(.*?)\]\1\]", re.DOTALL)
_QUOTED: Final = re.compile(r"\"((?:\\.|[^\"\\\n])*)\"|'((?:\\.|[^'\\\n])*)'", re.DOTALL)
_WORD: Final = re.compile(r"true|false|nil|-?[0-9]+(?:\.[0-9]+)?")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-9]{1,3})|(.))", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'", "\n": "\n"}


def assignments(text: str) -> tuple[dict[str, str], int | None]:
    """Values by name, and the line at which it is no plain assignment any more; None where all was read."""
    values: dict[str, str] = {}
    at = 0
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        if at == len(text):
            return values, None
        line = text.count("\n", 0, at) + 1
        name = _NAME.match(text, at)
        if name is None:
            return values, line
        at = name.end()
        if found := _QUOTED.match(text, at):
            value = _unescaped(found[1] if found[1] is not None else found[2])
        elif found := _LONG.match(text, at):
            value = found[2]
        elif found := _WORD.match(text, at):
            value = "" if found[0] == "nil" else found[0]
        else:
            return values, line
        rest = re.compile(r"[ \t]*(?=$|\n|\r|;|--|[A-Za-z_])").match(text, found.end())
        if value is None or rest is None:
            return values, line
        values[name[1]] = value
        at = rest.end()


def _unescaped(text: str) -> str | None:
    """None for an escape that is not known."""
    strange = False

    def replaced(match: re.Match[str]) -> str:
        nonlocal strange
        code = int(match[1], 16) if match[1] else int(match[2]) if match[2] else None
        strange = strange or (code is not None and code > 127) or (code is None and match[3] not in _ESCAPED)
        return chr(code) if code is not None else _ESCAPED.get(match[3], "")

    result = _ESCAPE.sub(replaced, text)
    return None if strange else result
