"""What to run, as frozen plain values: the language between `services` and a placement.

Owns the shape of a container, its ports, files, volumes and health check, and the fingerprint that says
whether two specs differ. Holds no secret: a `SecretRef` names one, and the placement looks it up last. Knows
neither Pulumi nor Docker's API.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from components.stack import topology

HIDDEN: Final = "[secret]"
"""What plain text shows in a secret's place."""


@dataclass(frozen=True)
class SecretRef:
    """A secret by its name among the placement's secrets."""

    name: str


Value = str | SecretRef


@dataclass(frozen=True, kw_only=True)
class PortSpec:
    """A published port."""

    internal: int
    external: int
    protocol: Literal["tcp", "udp"] = "tcp"
    ip: str


@dataclass(frozen=True, kw_only=True)
class FileSpec:
    """A file that is put into the container before it starts; never empty (Docker's provider refuses that)."""

    path: str
    content: Value | bytes


@dataclass(frozen=True, kw_only=True)
class VolumeSpec:
    """A named volume, for what outlives the container; services that name the same one share it."""

    name: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class HealthSpec:
    """Docker's HEALTHCHECK; times in seconds."""

    command: tuple[str, ...]
    interval: int = 3
    timeout: int = 5
    retries: int = 5
    start_period: int = 30
    deadline: int = 180
    """How long a first start may take until `pulumi up` gives up on it."""


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """One service of the stack."""

    role: str
    image: str
    command: tuple[str, ...] = ()
    """Arguments instead of the image's own; empty for those."""
    user: str | None = None
    """UID:GID instead of the image's own user."""
    environment: Mapping[str, Value]
    health: HealthSpec
    networks: tuple[str, ...] = (topology.NETWORK,)
    host_network: bool = False
    """Shares the host's own network: `networks`, `aliases` and `ports` are empty then."""
    aliases: tuple[str, ...] = ()
    """Names on each of these networks."""
    ports: tuple[PortSpec, ...] = ()
    files: tuple[FileSpec, ...] = ()
    volumes: tuple[VolumeSpec, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    starts_after: tuple[str, ...] = ()
    """Roles that must be healthy first."""
    session_with: str | None = None
    """Role whose new container makes this one's session worthless, so that this one is replaced too."""
    stop_grace: int = 30
    """Seconds between SIGTERM and SIGKILL."""
    restart: str = "unless-stopped"
    log_max_size: str = "10m"
    log_max_files: int = 3

    @property
    def plain_environment(self) -> dict[str, str]:
        """The environment for people to read, a secret as `[secret]`."""
        return {
            name: HIDDEN if isinstance(value, SecretRef) else value for name, value in sorted(self.environment.items())
        }

    @property
    def fingerprint(self) -> str:
        """A hash of all that only a new container applies; without any secret.

        Docker's provider calls some changes "updated" without applying them, and misses removed arguments. A
        label with this hash replaces the container for them too. What Docker does apply in place is left out.
        """
        applied_in_place = ("restart", "stop_grace")
        parts = {name: value for name, value in _plain(self).items() if name not in applied_in_place}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, SecretRef):
        return {"secret": value.name}
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
