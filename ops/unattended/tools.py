"""`python3 -m ops.unattended.tools install`: the Pulumi CLI and the providers' plugins, by version and checksum.

Owns where they come from and that they are what was pinned. The versions are those of the locked packages
(`requirements.txt`), the checksums stand in `requirements/engine.txt`; `pin` writes them there, once, for a reviewer to
see. What the machine already has in the right version is taken as it is.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.unattended.errors import UnattendedError

ROOT: Final = Path(__file__).resolve().parents[2]
PINS: Final = "requirements/engine.txt"
MIRROR: Final = "https://get.pulumi.com/releases"
"""Pulumi's releases; VIDEOBACKEND_ENGINE_MIRROR names a copy of them."""
_HEAD: Final = """\
# The Pulumi CLI and the providers' plugins that CI installs: name, version, SHA-256 of the archive for Linux on x86-64.
# The versions are those of the packages. After a change of theirs: python3 -m ops.unattended.tools pin
"""
_PIN: Final = re.compile(r"^(pulumi(?:-[a-z]+)?)==([0-9.]+)", re.MULTILINE)
_SECONDS: Final = 300

Download = Callable[[str], bytes]


@dataclass(frozen=True)
class Tool:
    """The CLI (`pulumi`), or a plugin by its provider's name."""

    name: str
    version: str

    @property
    def path(self) -> str:
        """Its archive, below the mirror's address."""
        if self.name == "pulumi":
            return f"sdk/pulumi-v{self.version}-linux-x64.tar.gz"
        return f"plugins/pulumi-resource-{self.name}-v{self.version}-linux-amd64.tar.gz"


def needed(root: Path, *, dns: bool) -> list[Tool]:
    """What the locked packages need."""
    files = ["requirements.txt", *(["requirements/dns.txt"] if dns else [])]
    pinned: dict[str, str] = {}
    for file in files:
        pinned |= dict(_PIN.findall((root / file).read_text(encoding="utf-8")))
    return [Tool(name.removeprefix("pulumi-"), version) for name, version in sorted(pinned.items())]


def install(root: Path, home: Path, environ: Mapping[str, str], download: Download) -> list[Path]:
    """Installs what is missing below `home`, which is a PULUMI_HOME; directories for PATH. Raises UnattendedError."""
    # A stack without DNS has no package of Cloudflare's, and the engine then looks for no plugin of it.
    dns = any((root / ".venv").glob("lib/python3*/site-packages/pulumi_cloudflare"))
    pins = _pins(root)
    for tool in needed(root, dns=dns):
        if _is_here(tool, home, environ):
            continue
        checksum = pins.get((tool.name, tool.version))
        if checksum is None:
            raise UnattendedError(
                f"{PINS} has no checksum of {tool.name} {tool.version}: where the network is open, python3 -m "
                "ops.unattended.tools pin; compare, and commit it"
            )
        archive = download(f"{_mirror(environ)}/{tool.path}")
        if hashlib.sha256(archive).hexdigest() != checksum:
            raise UnattendedError(f"{tool.path} is not what {PINS} pins: nothing of it was unpacked")
        _unpack(archive, _directory(tool, home))
        print(f"installed {tool.name} {tool.version}")
    return [_directory(Tool("pulumi", ""), home) / "pulumi"]


def pin(root: Path, environ: Mapping[str, str], download: Download) -> None:
    """Writes the checksums of what the locked packages need; those that are there stay."""
    pins, lines = _pins(root), []
    for tool in needed(root, dns=True):
        checksum = pins.get((tool.name, tool.version))
        if checksum is None:
            checksum = hashlib.sha256(download(f"{_mirror(environ)}/{tool.path}")).hexdigest()
        lines.append(f"{tool.name} {tool.version} {checksum}\n")
    (root / PINS).write_text(_HEAD + "".join(lines), encoding="utf-8")


def _pins(root: Path) -> dict[tuple[str, str], str]:
    file = root / PINS
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, version, checksum = line.split()
            found[name, version] = checksum
    return found


def _mirror(environ: Mapping[str, str]) -> str:
    return (environ.get("VIDEOBACKEND_ENGINE_MIRROR") or MIRROR).rstrip("/")


def _directory(tool: Tool, home: Path) -> Path:
    return home / "cli" if tool.name == "pulumi" else home / "plugins" / f"resource-{tool.name}-v{tool.version}"


def _is_here(tool: Tool, home: Path, environ: Mapping[str, str]) -> bool:
    if tool.name != "pulumi":
        on_path = shutil.which(f"pulumi-resource-{tool.name}", path=environ.get("PATH"))
        return on_path is not None or _directory(tool, home).is_dir()
    cli = shutil.which("pulumi", path=f"{home / 'cli' / 'pulumi'}{os.pathsep}{environ.get('PATH', '')}")
    if cli is None:
        return False
    run = subprocess.run([cli, "version"], env=dict(environ), capture_output=True, text=True, check=False)
    return run.stdout.strip() == f"v{tool.version}"


def _unpack(archive: bytes, directory: Path) -> None:
    part = directory.with_name(f"{directory.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tree:
        tree.extractall(part, filter="data")
    shutil.rmtree(directory, ignore_errors=True)
    part.rename(directory)


def _download(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310 (a constant, or the operator's)
            content: bytes = answer.read()
            return content
    except urllib.error.URLError as error:
        raise UnattendedError(f"{address} cannot be downloaded: {error}") from None


def main(
    arguments: Sequence[str], environ: Mapping[str, str], download: Download = _download, root: Path = ROOT
) -> int:
    """`install` for this job and, by GITHUB_PATH, its later steps; or `pin`."""
    home = Path(environ.get("PULUMI_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".pulumi")
    try:
        if list(arguments) == ["pin"]:
            pin(root, environ, download)
        elif list(arguments) == ["install"]:
            if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
                raise UnattendedError(
                    "this installs for Linux on x86-64 alone: bring the Pulumi CLI and the plugins along"
                )
            directories = install(root, home, environ, download)
            if file := environ.get("GITHUB_PATH"):
                with Path(file).open("a", encoding="utf-8") as path:
                    path.writelines(f"{one}\n" for one in directories)
        else:
            raise UnattendedError("usage: python3 -m ops.unattended.tools install|pin")
    except UnattendedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
