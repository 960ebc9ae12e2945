"""What to run, as frozen plain values: the language between `services` and `DockerHost`.

Owns the shape of a container, its ports, files, volumes and health check, and the fingerprint that says
whether two containers differ. Holds no secret: a `SecretRef` names one and a `SecretText` says how a file is made from
some, and `secret_values` looks them up last. Knows neither Pulumi nor Docker's API.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from components.stack import topology

HIDDEN: Final = "[secret]"
"""What plain text shows in a secret's place."""


@dataclass(frozen=True)
class SecretRef:
    """A secret by its name among the stack's credentials."""

    name: str

    @property
    def made_from(self) -> tuple[str, ...]:
        return (self.name,)


@dataclass(frozen=True, kw_only=True)
class SecretText:
    """Text that is made from secrets as late as the container is.

    Args:
        made_from: their names among the stack's credentials.
        render: the text, given their values in that order; the same for the same values.
    """

    made_from: tuple[str, ...]
    render: Callable[..., str] = field(repr=False)

    @property
    def masked(self) -> str:
        """The text with `[secret]` in the place of each secret."""
        return self.render(*[HIDDEN] * len(self.made_from))


def sealed(text: str | SecretText) -> SecretText:
    """The text as a secret, whether there is one in it or not."""
    return text if isinstance(text, SecretText) else SecretText(made_from=(), render=lambda: text)


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
    content: str | bytes | SecretRef | SecretText


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
    interval: int = 2
    """Also the time until the first check. (A start interval of its own wants Docker 25.)"""
    timeout: int = 5
    retries: int = 5
    start_period: int = 30
    deadline: int = 90
    """How long a first start may take until `pulumi up` gives up on it: some time after Docker, which does so once the
    start period is over and the retries have failed, in 65 seconds at most."""


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
    memory: int
    """MiB that it may have, its tmpfs included; it gets no swap."""
    capabilities: tuple[str, ...] = ()
    """Kernel capabilities (capabilities(7)) that it may have; all others are taken from it."""
    gains_capabilities: bool = False
    """Whether its program has those from its file, as one that is not root's must; nothing may gain any otherwise."""
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
    """Roles that are started before, and healthy before where they are awaited."""
    awaited: bool = True
    """Whether `pulumi up`, and whoever starts after this one, waits until it is healthy."""
    needs: tuple[str, ...] = ()
    """Further roles without which it does not become healthy, though it starts before they are."""
    replaced_with: str | None = None
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
    def secret_names(self) -> frozenset[str]:
        """The secrets that reach the container, in its environment or in a file."""
        values = (*self.environment.values(), *(one.content for one in self.files))
        return frozenset(
            name for value in values if isinstance(value, SecretRef | SecretText) for name in value.made_from
        )

    @property
    def fingerprint(self) -> str:
        """A hash of what the container sees and only a new one gets; without any secret.

        Docker's provider calls some changes "updated" without applying them, and misses removed arguments: another hash
        replaces the container for them too. What is empty counts as not there, so that a new field changes nobody's
        containers before it is used.
        """
        return hashlib.sha256(json.dumps(_plain_json(self), sort_keys=True).encode()).hexdigest()[:16]


_NOT_IN_FINGERPRINT: Final = (
    "restart",
    "stop_grace",
    "starts_after",
    "awaited",
    "needs",
    "replaced_with",
    "deadline",
    "memory",
)
"""Fields that Docker applies to a running container, or never gets."""


def _plain_json(value: Any) -> Any:
    """As plain JSON, secrets by name."""
    if isinstance(value, SecretText):
        return {"made_from": value.made_from, "text": value.masked}
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if dataclasses.is_dataclass(value):
        fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        return {
            name: _plain_json(item)
            for name, item in fields.items()
            if name not in _NOT_IN_FINGERPRINT and not _is_empty(item)
        }
    if isinstance(value, Mapping):
        return {name: _plain_json(item) for name, item in value.items()}
    return [_plain_json(item) for item in value] if isinstance(value, tuple) else value


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ((), {})
