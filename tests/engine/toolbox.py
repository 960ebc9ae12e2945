"""What this tier needs from the machine: the Pulumi CLI with its plugins, a Docker daemon, busybox, a Python with the pins.

Finds them, or says what is missing in a `Missing`. Changes nothing of the tester's own: plugins and login live in a
PULUMI_HOME of the tests, the program's packages in the checkout's virtual environment or in one of the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from components.config.settings import DEFAULT_DOCKER_URL
from ops import environment
from ops.environment import PROGRAM, SetupError

ROOT: Final = Path(__file__).resolve().parents[2]
DOCKER: Final = ("docker", "--host", DEFAULT_DOCKER_URL)
_PIN = re.compile(r"^pulumi-([a-z0-9-]+)==([0-9.]+)", re.MULTILINE)
_ADDRESS: Final = "https://www.pulumi.com/docs/iac/download-install/"


class Missing(Exception):
    """What this machine lacks; its text is the reason to skip."""


@dataclass(frozen=True)
class Toolbox:
    """All that a project copy needs to run."""

    pulumi_home: Path
    venv: Path
    busybox: Path


def providers(requirements: str) -> dict[str, str]:
    """Provider packages that an exported file pins, each with its version."""
    return {name: version for name, version in _PIN.findall((ROOT / requirements).read_text()) if name != "policy"}


def find(home: Path, cache: Path, *, requirements: str = PROGRAM) -> Toolbox:
    """The tools, with a PULUMI_HOME made at `home`.

    Args:
        home: a new directory for Pulumi's login and plugins.
        cache: where a virtual environment made here is kept for the next run.
        requirements: the exported file in the project that names the packages.

    Raises:
        Missing: with what is not there.
    """
    if not shutil.which("pulumi"):
        raise Missing(f"the Pulumi CLI is not on PATH ({_ADDRESS})")
    _docker()
    busybox = _busybox()
    _plugins(home, providers(requirements))
    return Toolbox(pulumi_home=home, venv=_venv(cache, requirements), busybox=busybox)


def _docker() -> None:
    if not shutil.which("docker"):
        raise Missing("the docker CLI is not on PATH")
    run = subprocess.run(
        [*DOCKER, "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise Missing(f"no Docker daemon answers at {DEFAULT_DOCKER_URL}")


def _busybox() -> Path:
    for name in ("/bin/busybox", shutil.which("busybox")):
        if name and Path(name).is_file() and _is_static(Path(name)):
            return Path(name)
    raise Missing("no static busybox at /bin/busybox or on PATH (Debian: busybox-static)")


def _is_static(program: Path) -> bool:
    """True for a 64-bit ELF program that asks for no interpreter (the dynamic loader)."""
    data = program.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return False
    start, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    interpreter = 3
    return all(struct.unpack_from("<I", data, start + size * index)[0] != interpreter for index in range(count))


def _plugins(home: Path, wanted: dict[str, str]) -> None:
    """Gives `home` the plugins: those of the tester's own Pulumi, those on PATH, or the official ones."""
    own = Path(os.environ.get("PULUMI_HOME", Path.home() / ".pulumi")) / "plugins"
    for name, version in wanted.items():
        folder = f"resource-{name}-v{version}"
        target = home / "plugins" / folder
        target.parent.mkdir(parents=True, exist_ok=True)
        binary = shutil.which(f"pulumi-resource-{name}")
        if (own / folder).is_dir():
            # The engine passes over a folder that is a symbolic link.
            target.mkdir()
            for file in (own / folder).iterdir():
                (target / file.name).symlink_to(file)
        elif binary:
            target.mkdir()
            (target / f"pulumi-resource-{name}").symlink_to(binary)
        else:
            _install(home, name, version)


def _install(home: Path, name: str, version: str) -> None:
    command = ["pulumi", "plugin", "install", "resource", name, version]
    environment = {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        run = None
    if run is None or run.returncode:
        why = run.stderr.strip().splitlines()[-1] if run and run.stderr.strip() else "it took too long"
        raise Missing(f"the plugin {name} {version} is not installed and cannot be fetched: {why}")


def _venv(cache: Path, requirements: str) -> Path:
    """A virtual environment with just the providers of `requirements`: the engine looks for the plugin of each it finds."""
    own = ROOT / ".venv"
    if _provider_packages(own) == set(providers(requirements)):
        return own
    venv = cache / f"venv-{Path(requirements).stem}"
    try:
        environment.install(venv, [requirements])
    except SetupError as error:
        raise Missing(str(error)) from None
    return venv


def _provider_packages(venv: Path) -> set[str]:
    names = {path.name.partition("-")[0] for path in venv.glob("lib/python*/site-packages/pulumi_*.dist-info")}
    return {name.removeprefix("pulumi_").replace("_", "-") for name in names} - {"policy"}
