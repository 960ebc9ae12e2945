"""The configuration keys by their names, and the key that a misspelt one was meant to be."""

from __future__ import annotations

from typing import Final

from components.config import suggestions
from components.config.declare import Key, declared
from components.config.settings import Settings

KEYS: Final[dict[str, Key]] = {key.name: key for key in declared(Settings)}
"""Every configuration key by its name, in the order of docs/settings.md."""

_RENAMED: Final = {"jvbAdvertiseIps": "dockerHostAddress", "jvbStunServers": "stunServers", "tz": "timeZone"}


def nearest(name: str) -> str | None:
    """The key that `name` is near to, also by the names of an .env file; None where it is near to no other."""
    spellings = {spelling: key.name for key in KEYS.values() for spelling in (key.name, key.env) if spelling}
    return suggestions.nearest(name, spellings | _RENAMED)
