"""Whether the images can be had."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence

from components.config.settings import Settings
from components.resources.docker_cli import DockerCli
from components.stack import services
from ops.errors import OpsError
from ops.preflight.docker import is_local
from ops.preflight.machine import lan_address


def check_images(settings: Settings, command: Callable[[Sequence[str]], str]) -> None:
    """That each image is on the Docker host, or its registry can be found from here.

    Of a remote host only it knows whether it reaches the registry.

    Args:
        settings: the stack's.
        command: from the words of a `config set` to the command as an operator types it.

    Raises:
        OpsError: with the registries that cannot be found, and the images that are wanted of them.
    """
    if not is_local(settings):
        return
    docker = DockerCli.of(settings)
    images = sorted({spec.image for spec in services.specs(settings)})
    missing = [image for image in images if docker.run("image", "inspect", image).returncode]
    if not missing or docker.run("info", "--format", "{{.HTTPSProxy}}{{.HTTPProxy}}").stdout.strip():
        return
    registries = sorted({registry_of(image) for image in missing})
    unknown = [one for one in registries if not _resolves(one)]
    if unknown:
        wanted = [image for image in missing if registry_of(image) in unknown]
        ways = ["load these images (docker save elsewhere, docker load here)"]
        if registry_of(f"{settings.image_registry}/web") in unknown:
            ways.insert(0, f"name a mirror of it ({command(['set', 'imageRegistry', 'HOST/PATH'])})")
        if lan_address() is None:
            ways.insert(0, "this machine has no network: connect it")
        raise OpsError(f"{' and '.join(unknown)} cannot be resolved; {', or '.join(ways)}: {' '.join(wanted)}")


def _resolves(registry: str) -> bool:
    try:
        socket.getaddrinfo(registry.partition(":")[0], None)
    except OSError:
        return False
    return True


def registry_of(image: str) -> str:
    """The registry's host in an image reference; the first part is one if it has a dot, a port or is localhost."""
    first, slash, _ = image.partition("/")
    return first if slash and (re.search(r"[.:]", first) or first == "localhost") else "registry-1.docker.io"
