"""The names of docker-jitsi-meet's variables as an import asks for them.

Owns which services read a variable that is neither a key nor decided here. The names themselves, and what became of those
that are gone, are `components.config.tables.image_variables`'.
"""

from __future__ import annotations

from typing import Final

from components.config.environment import owner
from components.config.tables.image_variables import ABSENT, DEAD, FIXED, SERVICES, STARTED, UNREAD, read_by

__all__ = ["ABSENT", "DEAD", "FIXED", "SERVICES_READING", "STARTED", "UNREAD"]

_DECIDED: Final = {*FIXED, *STARTED, *ABSENT, *UNREAD}
SERVICES_READING: Final = {
    name: tuple(service for service in SERVICES if name in read_by(service))
    for name in sorted(frozenset().union(*map(read_by, SERVICES)) - _DECIDED)
    if not owner(name)
}
"""The services whose image reads it."""
