"""Which variables of the Jitsi images may be set by `environment`, and what is said of the others.

Owns which key decides a variable. Which names the images read is a table (`tables.image_variables`), what a value may be
`checks`'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from components.config.keys import KEYS
from components.config.suggestions import nearest
from components.config.tables import image_variables as table

_OWNERS: Final = {
    "DISABLE_HTTPS": "tls",
    "ENABLE_LETSENCRYPT": "tls",
    "JVB_ADVERTISE_IPS": "dockerHostAddress",
    "JVB_DISABLE_STUN": "stunServers",
    "LETSENCRYPT_DOMAIN": "publicUrl",
    "P2P_STUN_SERVERS": "stunServers",
    "TURNS_HOST": "turnHost",
}
_BY_ENV: Final = {key.env: key.name for key in KEYS.values() if key.env}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a variable is not taken.

    Args:
        reason: in words.
        certain: it holds for every release, and not for the one of the table alone.
    """

    reason: str
    certain: bool


def owner(name: str) -> str:
    """The key that decides a variable; empty for none."""
    return _BY_ENV.get(name) or _OWNERS.get(name, "")


def refusal(service: str, name: str) -> Refusal | None:
    """Why a service's variable is not taken; None where it is."""
    if key := owner(name):
        return Refusal(reason=f"the key {key} decides it", certain=True)
    if reason := table.FIXED.get(name) or table.STARTED.get(name):
        return Refusal(reason=f"the program does not leave it open: {reason}", certain=True)
    if name in table.read_by(service):
        return None
    return Refusal(reason=_unread(service, name), certain=False)


def _unread(service: str, name: str) -> str:
    others = [f"environment.{one}.{name}" for one in table.SERVICES if name in table.read_by(one)]
    if others:
        return f"the image of {service} does not read it; there is {' and '.join(others)}"
    if since := table.DEAD.get(name):
        return f"a dead name: no image reads it since {since}"
    if part := table.ABSENT.get(name):
        return f"it is of {part}, a container that no stack has"
    if name in table.UNREAD:
        return "docker-jitsi-meet's compose file hands it over, and no image reads it"
    near = nearest(name, [one for one in table.read_by(service) if owner(one) or refusal(service, one) is None])
    hint = f"did you mean {near}?" if near else "docs/settings.md says where the names come from"
    return f"the image of {service} reads no such variable; {hint}"
