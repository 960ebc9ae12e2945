"""The configuration keys by their names, and the key that a misspelt one was meant to be."""

from __future__ import annotations

import difflib
import re
from typing import Final

from components.config.declare import Key, declared
from components.config.settings import Settings

KEYS: Final[dict[str, Key]] = {key.name: key for key in declared(Settings)}
"""Every configuration key by its name, in the order of docs/settings.md."""

_RENAMED: Final = {"jvbAdvertiseIps": "dockerHostAddress", "jvbStunServers": "stunServers", "tz": "timeZone"}


def nearest(name: str) -> str | None:
    """The key that `name` is most like, also by the names of an .env file; None where it is like no other."""
    by_letters = {_letters(alias): key.name for key in KEYS.values() for alias in (key.name, key.env) if alias}
    by_letters |= {_letters(old): new for old, new in _RENAMED.items()}
    matches = difflib.get_close_matches(_letters(name), by_letters, n=1, cutoff=0.6)
    return by_letters[matches[0]] if matches else None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
