"""Whether the images can be had."""

from __future__ import annotations

import re
import socket

from components.config.settings import Settings
from components.resources.docker_cli import DockerCli
from components.stack import services
from ops.errors import OpsError
from ops.preflight.docker import is_local


def check_images(settings: Settings) -> None:
    """That each image is on the Docker host, or its registry can be found from here. Raises OpsError.

    Of a remote host only it knows whether it reaches the registry.
    """
    if not is_local(settings):
        return
    docker = DockerCli.of(settings)
    images = sorted({spec.image for spec in services.specs(settings)})
    missing = [image for image in images if docker.run("image", "inspect", image).returncode]
    if not missing or docker.run("info", "--format", "{{.HTTPSProxy}}{{.HTTPProxy}}").stdout.strip():
        return
    for image in missing:
        registry = registry_of(image)
        try:
            socket.getaddrinfo(registry.partition(":")[0], None)
        except OSError:
            raise OpsError(
                f"no network: {image} is not on this machine and its registry {registry} cannot be found; connect to "
                f"the network, or bring the images with docker save and docker load: {' '.join(missing)}"
            ) from None


def registry_of(image: str) -> str:
    """The registry's host in an image reference; the first part is one if it has a dot, a port or is localhost."""
    first, slash, _ = image.partition("/")
    return first if slash and (re.search(r"[.:]", first) or first == "localhost") else "registry-1.docker.io"
