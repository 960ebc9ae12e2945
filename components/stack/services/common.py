"""What the services share: the arguments that each container has, and health checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypedDict

from components.config.settings import Settings
from components.stack import images, topology
from components.stack.spec import HealthSpec


class Shared(TypedDict):
    """Arguments of ContainerSpec that every service has."""

    role: str
    image: str
    memory: int
    tmpfs: dict[str, str]
    restart: str
    log_max_size: str
    log_max_files: int


MEMORY: Final = {topology.RABBITMQ: 1024, topology.COTURN: 512}
"""MiB, of the services whose memory is no setting."""
BESIDE_HEAP: Final = {topology.JICOFO: 512, topology.JVB: 1024}
"""MiB that threads, code and packets on their way need beside Java's heap."""


_TMPFS: Final[Mapping[str, Mapping[str, str]]] = {
    topology.RABBITMQ: {},
    topology.COTURN: {"/tmp": topology.TMPFS["/tmp"]},
}
"""Of the services whose image is not Jitsi's."""


def shared(settings: Settings) -> dict[str, Shared]:
    """The shared arguments of every service, by its role."""
    registry, release = settings.image_registry, settings.jitsi_release
    restart, size, files = settings.restart_policy, settings.log_max_size, settings.log_max_files
    memory = {
        topology.WEB: settings.web_memory,
        topology.PROSODY: settings.prosody_memory,
        topology.JVB: settings.jvb_memory,
        topology.JICOFO: settings.jicofo_memory,
        **MEMORY,
    }
    return {
        role: Shared(
            role=role,
            image=images.of(role, registry, release),
            memory=mebibytes,
            tmpfs=dict(_TMPFS.get(role, topology.TMPFS)),
            restart=restart,
            log_max_size=size,
            log_max_files=files,
        )
        for role, mebibytes in memory.items()
    }


def heap(shared: Shared) -> str:
    """Java's heap of a service, as its start script takes it: its memory without what else it needs."""
    return f"{shared['memory'] - BESIDE_HEAP[shared['role']]}m"


def http_health(port: int, path: str, *, tls: bool = False, needs: Iterable[str] = ()) -> HealthSpec:
    """A health check that asks the service itself, by curl, which is in every Jitsi image.

    Args:
        port: where it answers on its loopback address.
        path: what to ask for.
        tls: whether by https, whoever signed the certificate.
        needs: URLs that must answer as well.
    """
    options = ("--fail", "--fail-early", "--silent", "--show-error", *(["--insecure"] if tls else []))
    urls = (*needs, f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}")
    return HealthSpec(
        command=("CMD", "curl", *options, *(word for url in urls for word in ("--output", "/dev/null", url)))
    )


def tcp_health(port: int, address: str = "127.0.0.1") -> HealthSpec:
    """A health check for an image without curl but with bash: something listens."""
    return HealthSpec(command=("CMD", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"))


def flag(value: bool) -> str:
    """A switch as the images' templates read it."""
    return "1" if value else "0"
