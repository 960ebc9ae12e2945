"""Stand-ins for the Jitsi images: busybox that answers the health check, logs, and stops when told to.

Owns the images. Each has the volumes, health port and path of its original, and a `curl`, since that is what the
health checks call. What a service really does is none of its business.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from components.config.load import load as load_settings
from components.stack import services
from components.stack.spec import ContainerSpec
from tests.engine.toolbox import DOCKER

VOLUMES: Final = {
    "web": ("/config", "/usr/share/jitsi-meet/transcripts"),
    "prosody": ("/config", "/prosody-plugins-custom"),
    "jicofo": ("/config",),
    "jvb": ("/config",),
    "rabbitmq": ("/var/lib/rabbitmq",),
    "coturn": ("/var/lib/coturn",),
}
"""Volumes that the original images declare; without a mount Docker makes an anonymous one for each."""

GRACEFUL: Final = "SIGTERM seen, leaving"

_START: Final = """#!/bin/sh
trap 'echo "SIGTERM seen, leaving"; sleep 0.2; exit 0' TERM
echo "$ROLE starts"
# coturn is told where to listen in a file.
file=/etc/coturn/videobackend.conf
if [ -f $file ]; then
    PORT=$(sed -n 's/^listening-ip=//p' $file):$(sed -n 's/^listening-port=//p' $file)
fi
if [ "$BROKEN" = 1 ]; then
    echo "$ROLE cannot start: account jvb with password $JVB_AUTH_PASSWORD is refused"
else
    sleep "$DELAY" & wait $!
    httpd -p "$PORT" -h /www
    # Behind a proxy web is asked at its other port.
    if [ "$ROLE" = web ]; then httpd -p 8000 -h /www; fi
    echo "$ROLE is ready"
fi
while :; do sleep 3600 & wait $!; done
"""
_CURL: Final = """#!/bin/sh
for argument; do
    case $argument in
    *://*) wget -q -O /dev/null "http://${argument#*://}" || exit 22 ;;
    esac
done
"""
_BASH: Final = """#!/bin/sh
# bash -c "exec 3<>/dev/tcp/ADDRESS/PORT", as the broker's health check has it.
exec nc -w 1 127.0.0.1 "${2##*/}" < /dev/null
"""
_APPLETS: Final = (
    "sh",
    "sleep",
    "httpd",
    "wget",
    "cat",
    "stat",
    "ls",
    "touch",
    "chown",
    "env",
    "mount",
    "id",
    "nc",
    "timeout",
    "sed",
)


@dataclass(frozen=True)
class Variant:
    """One registry of stand-ins.

    Args:
        registry: the value of imageRegistry.
        delay: seconds from start to healthy.
        broken: roles that never become healthy.
    """

    registry: str
    delay: float = 0
    broken: tuple[str, ...] = ()

    def image(self, spec: ContainerSpec) -> str:
        """The stand-in of a spec's image; those that are not Jitsi's have fixed names of their own (`components.stack.images`)."""
        image = spec.image.partition("@")[0]  # no stand-in has a digest
        return image if image.startswith(f"{self.registry}/") else f"{self.registry}/{spec.role}:1"

    @property
    def everything(self) -> dict[str, ContainerSpec]:
        """The spec of every service there is, by role."""
        optional = {"rabbitMq": "embedded", "turn": "embedded", "dockerHostAddress": "10.99.0.10"}
        specs = services.specs(load_settings({"imageRegistry": self.registry, **optional}, stack="any"))
        return {spec.role: spec for spec in specs}


@contextmanager
def images(busybox: Path, variants: Iterable[Variant]) -> Iterator[None]:
    """Builds the images of each variant and removes them in the end."""
    built: list[str] = []
    try:
        for variant in variants:
            for role, spec in variant.everything.items():
                image, (port, path) = variant.image(spec), _probed(spec.health.command[-1])
                environment = {
                    "PATH": "/bin",
                    "ROLE": role,
                    "PORT": port,
                    "DELAY": str(variant.delay),
                    "BROKEN": str(int(role in variant.broken)),
                }
                built.append(image)
                _build(image, _layer(busybox, path), environment, VOLUMES[role])
        yield
    finally:
        if built:
            subprocess.run([*DOCKER, "image", "rm", "--force", *built], capture_output=True, check=False)


def _probed(test: str) -> tuple[str, str]:
    """Port and path that a health check asks: curl's URL, or bash's /dev/tcp/ADDRESS/PORT."""
    url = urlsplit(test)
    return (str(url.port), url.path) if url.port else (test.rpartition("/")[2], "/")


def _build(name: str, layer: bytes, environment: Mapping[str, str], volumes: Iterable[str]) -> None:
    changes = [f"ENV {key}={value}" for key, value in environment.items()]
    changes += [f"VOLUME {path}" for path in volumes]
    changes += ['ENTRYPOINT ["/bin/start"]']
    options = [argument for change in changes for argument in ("--change", change)]
    subprocess.run([*DOCKER, "import", *options, "-", name], input=layer, check=True, capture_output=True)


def _layer(busybox: Path, health_path: str) -> bytes:
    # jicofo's health check asks for prosody's BOSH.
    pages = [f"www{path}index.html" if path.endswith("/") else f"www{path}" for path in (health_path, "/http-bind")]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("bin", "config", "etc", "run"):
            _add(archive, folder, None, 0o755)
        # As in every image: runc gives a tmpfs the mode of the folder beneath it.
        _add(archive, "tmp", None, 0o1777)
        _add(archive, "bin/busybox", busybox.read_bytes(), 0o755)
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        _add(archive, "bin/start", _START.encode(), 0o755)
        _add(archive, "bin/curl", _CURL.encode(), 0o755)
        _add(archive, "bin/bash", _BASH.encode(), 0o755)
        for parent in dict.fromkeys(str(parent) for page in pages for parent in list(Path(page).parents)[-2::-1]):
            _add(archive, parent, None, 0o755)
        for page in pages:
            _add(archive, page, b"ok\n", 0o644)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes | None, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    if content is None:
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
