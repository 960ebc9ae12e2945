"""Whether the Docker host can be used, and whether it is this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from components.config.settings import DEFAULT_DOCKER_URL, Settings
from components.resources.docker_cli import DockerCli
from ops.errors import OpsError

_SECONDS = 20


def is_local(settings: Settings) -> bool:
    """True where the Docker host is this machine."""
    host = settings.docker_url
    return isinstance(host, str) and host.startswith("unix://") and not _context(settings)


def _context(settings: Settings) -> str:
    return str(settings.docker.get("context") or "")


def current_docker_host() -> str:
    """The host that `docker` talks to now, by the environment for once; the default one where docker is missing."""
    if not shutil.which("docker"):
        return DEFAULT_DOCKER_URL
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return DEFAULT_DOCKER_URL
    host = run.stdout.strip()
    return host if run.returncode == 0 and host else DEFAULT_DOCKER_URL


def check_docker(settings: Settings) -> bool:
    """Whether Docker could be asked, and so the other checks can. Raises OpsError where it cannot be used."""
    docker = DockerCli.of(settings)
    if docker.unusable:
        return False
    host = str(settings.docker_url)
    if not shutil.which("docker"):
        if not is_local(settings) or Path(host.removeprefix("unix://")).exists():
            return False
        raise OpsError("Docker is not installed: https://docs.docker.com/engine/install/")
    run = docker.run("version", "--format", "{{.Server.Version}}")
    if run.returncode == 0:
        return True
    lines = run.stderr.strip().splitlines() or ["docker said nothing"]
    if "permission denied" in run.stderr.lower() and is_local(settings):
        raise OpsError(
            f"your user may not use Docker ({host}): sudo usermod -aG docker $USER, then log in again; "
            f"members of that group have root's power on this machine"
        )
    if is_local(settings):
        raise OpsError(
            f"the Docker daemon does not answer at {host}: start it, sudo systemctl start docker ({lines[-1]})"
        )
    raise OpsError(f"the Docker host {_context(settings) or host} does not answer: {lines[-1]}")
