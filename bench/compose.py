"""The docker-compose file to compare with: the same images, settings, health checks and start order."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.measure import Unavailable
from components.stack.spec import ContainerSpec, SecretRef, SecretText
from tests.engine.docker_host import docker

_SECRET: Final = "0123456789abcdef0123456789abcdef"
_NETWORK: Final = "meet.jitsi"
_PATIENCE: Final = 180


def command() -> list[str]:
    """docker-compose, or the plugin. Raises Unavailable where there is neither."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    plugin = ["docker", "compose"]
    if shutil.which("docker") and not subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode:
        return plugin
    raise Unavailable("neither docker-compose nor the compose plugin is here (Debian: docker-compose)")


class Compose:
    """One compose project in a folder of its own."""

    def __init__(self, folder: Path, name: str, specs: Sequence[ContainerSpec]) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._file_name = folder / "docker-compose.yml"
        self._command = [*command(), "--project-name", name, "--file", str(self._file_name)]
        self.write(specs)

    def write(self, specs: Sequence[ContainerSpec]) -> None:
        """Writes the compose file for these containers."""
        self._awaited = {spec.role: spec.awaited for spec in specs}
        self._services = {spec.role: self._service(spec) for spec in specs}
        content = {
            "version": "3.9",
            "services": self._services,
            "networks": {_NETWORK: {}},
            "volumes": {volume.name: {} for spec in specs for volume in spec.volumes},
        }
        self._file_name.write_text(json.dumps(content, indent=2), encoding="utf-8")

    def _service(self, spec: ContainerSpec) -> dict[str, Any]:
        files = [self._file(spec.role, one.content) for one in spec.files]
        mounts = [f"{path}:{one.path}:ro" for path, one in zip(files, spec.files, strict=True)]
        return {
            "image": spec.image,
            "hostname": spec.role,
            "environment": {name: _plain(value) for name, value in spec.environment.items()},
            "networks": {_NETWORK: {"aliases": list(spec.aliases)}},
            "ports": [f"{one.ip}:{one.external}:{one.internal}/{one.protocol}" for one in spec.ports],
            "volumes": [*(f"{one.name}:{one.path}" for one in spec.volumes), *mounts],
            "tmpfs": [f"{path}:{options}" for path, options in spec.tmpfs.items()],
            "read_only": spec.read_only,
            "healthcheck": {
                "test": list(spec.health.command),
                "interval": f"{spec.health.interval}s",
                "timeout": f"{spec.health.timeout}s",
                "start_period": f"{spec.health.start_period}s",
                "retries": spec.health.retries,
            },
            "depends_on": {
                role: {"condition": "service_healthy" if self._awaited[role] else "service_started"}
                for role in spec.starts_after
            },
            "restart": spec.restart,
            "logging": {
                "driver": "json-file",
                "options": {"max-size": spec.log_max_size, "max-file": str(spec.log_max_files)},
            },
        }

    def _file(self, role: str, content: str | bytes | SecretRef | SecretText) -> Path:
        """A file named by its content: compose makes a container anew for another name, not for another content."""
        if isinstance(content, SecretText):
            content = content.masked
        elif isinstance(content, SecretRef):
            content = _SECRET
        data = content.encode() if isinstance(content, str) else content
        path = self._folder / f"{role}-{hashlib.sha256(data).hexdigest()[:16]}"
        path.write_bytes(data)
        return path

    def up(self) -> None:
        """`up -d`, and on until all are healthy."""
        self._run("up", "-d")
        ids = self._run("ps", "-q").split()
        end = time.monotonic() + _PATIENCE
        while not all(status == "healthy" for status in _health(ids)):
            if time.monotonic() > end:
                raise RuntimeError(f"the compose project is not healthy after {_PATIENCE} s: {_health(ids)}")
            time.sleep(0.1)

    def down(self) -> None:
        """Removes containers, network and volumes."""
        self._run("down", "--volumes", "--timeout", "30")

    def _run(self, *arguments: str) -> str:
        run = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{' '.join(self._command)} {' '.join(arguments)}: {run.stderr.strip()}")
        return run.stdout


def _health(ids: Sequence[str]) -> list[str]:
    found: list[Mapping[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
    return [one["State"]["Health"]["Status"] for one in found]


def _plain(value: str | SecretRef) -> str:
    # Compose reads $ as a variable.
    return _SECRET if isinstance(value, SecretRef) else value.replace("$", "$$")
