"""What an import reads, whatever it came from: variables, the statistics file, the look, a certificate.

Owns the shape alone. `checkout` and `chart` fill it, `mapping` makes keys of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SERVICES: Final = ("web", "prosody", "jicofo", "jvb")
SWITCH: Final = {"statistics.cfg.lua": "enable_statistics", "videoservice.cfg.lua": "enable_persistent_rooms"}
"""Prosody's files of settings, and the one in each without which the others have no effect."""
LUA_NAMES: Final = {
    "statistics.cfg.lua": ("enable_statistics", "rabbit_url", "rabbit_username", "rabbit_password"),
    "videoservice.cfg.lua": (
        "enable_persistent_rooms",
        "videoserviceurl",
        "keycloak_auth_server_url",
        "keycloak_app_client_id",
        "jitsi_technical_username",
        "jitsi_technical_password",
    ),
}
"""What stands in them."""


@dataclass(frozen=True)
class Variable:
    """One variable of the installation.

    Args:
        name: as the images or the compose file know it.
        value: as its container gets it.
        origin: file and line, such as `.env:12`.
        services: the containers that get it; None where no compose file says so.
    """

    name: str
    value: str
    origin: str
    services: frozenset[str] | None = None


@dataclass(frozen=True)
class Note:
    """Something that is no variable, or one that had no effect.

    Args:
        name: what it is called where it stands.
        reason: why it is not taken over.
        lost: it did something, and has no place here.
    """

    name: str
    reason: str
    lost: bool = False


@dataclass(frozen=True)
class Fault:
    """What has to change in the source before it can be taken over.

    Args:
        place: file and line, or the name of a value.
        reason: what is wrong with it, without the value where that may be secret.
        fix: what to do, as typed where it can be typed.
        renewable: a generated secret may stand in its place.
    """

    place: str
    reason: str
    fix: str
    renewable: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One installation.

    Args:
        path: what was given.
        kind: what it was taken for, in words.
        variables: in the order of the file.
        defaults: what applies where a variable is unset or empty, by name.
        look: files of the front end by their path below brandingDir.
        certificate: chain and private key, where the operator's own were mounted.
        asked: keys that the operator has to set, and why the installation's value will not do.
        notes: what is not taken over, and why.
        faults: what cannot be read.
    """

    path: Path
    kind: str
    variables: Sequence[Variable]
    defaults: Mapping[str, str] = dataclasses.field(default_factory=dict)
    look: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    certificate: tuple[str, str] | None = None
    asked: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Sequence[Note] = ()
    faults: Sequence[Fault] = ()
