"""The two virtual environments: `.venv` for the program, `.venv-dev` for tests, linters and the plan.

Owns making them and keeping them at the pins. Runs with the system's Python before anything is installed, so it
imports the standard library only, and nothing that a Python too old for the project could not parse.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
PLAIN, WITH_DNS, DEV = "requirements.txt", "requirements-dns.txt", "requirements-dev.txt"
STAMP = ".requirements"


class SetupError(Exception):
    """Why there is no environment, in one line."""


def needs_dns(stack: str, root: Path = ROOT) -> bool:
    """Whether the stack's file, or what was set on this machine, has `dnsZone`. (No YAML parser is there yet.)"""
    line = re.compile(r"""^\s+["']?(videobackend:)?dnsZone["']?\s*:\s*[^\s#]""", re.MULTILINE)
    files = [root / f"Pulumi.{stack}.yaml", root / ".local" / f"Pulumi.{stack}.yaml"]
    return any(line.search(one.read_text(encoding="utf-8", errors="replace")) for one in files if one.is_file())


def fingerprint(requirements: Path) -> str:
    """A hash of the pins, of those they include, and of the Python they are for."""
    text = requirements.read_text(encoding="utf-8")
    digest = hashlib.sha256(f"{sys.version_info[:2]} {text}".encode())
    for name in re.findall(r"^-r (\S+)", text, re.MULTILINE):
        digest.update(fingerprint(requirements.parent / name).encode())
    return digest.hexdigest()


def ensure(directory: Path, requirements: Path) -> None:
    """Makes `directory` an environment with the pins of `requirements`; at once where it is one. Raises SetupError."""
    python = directory / "bin" / "python"
    stamp = directory / STAMP
    wanted = f"{requirements.name} {fingerprint(requirements)}\n"
    if python.exists() and stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"installing {requirements.name} into {directory.name} ...", file=sys.stderr, flush=True)
    if not (python.exists() and _pip(directory).is_dir()):
        _create(directory)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run = _run([*pip, "-r", str(requirements)])
    if run.returncode:
        errors = [line for line in run.stdout.splitlines() if line.startswith("ERROR:")] or run.stdout.splitlines()
        raise SetupError(
            f"cannot install {requirements.name} (the first time needs the network, or a mirror in PIP_INDEX_URL): "
            f"{errors[-1] if errors else 'pip said nothing'}"
        )
    stamp.write_text(wanted)


def _pip(directory: Path) -> Path:
    """Where this Python finds pip; not in an environment of another version, which an upgrade of the system leaves."""
    return directory / "lib" / f"python{_version()}" / "site-packages" / "pip"


def _create(directory: Path) -> None:
    run = _run([sys.executable, "-m", "venv", "--clear", str(directory)])
    if run.returncode:
        if "ensurepip" in run.stdout or "No module named venv" in run.stdout:
            raise SetupError(
                "this Python cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv "
                f"(or python{_version()}-venv)"
            )
        lines = run.stdout.strip().splitlines()
        raise SetupError(f"cannot make {directory.name}: {lines[-1] if lines else 'python -m venv failed'}")


def _version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def main(arguments: list[str] | None = None) -> int:
    """`python3 -m ops.venvs DIRECTORY [--stack NAME]`: without a stack, with the development tools."""
    parser = argparse.ArgumentParser(prog="python3 -m ops.venvs", description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--stack", help="make it for the program of this stack")
    options = parser.parse_args(arguments)
    try:
        if sys.version_info[:2] < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise SetupError(
                f"this needs Python {oldest} or newer, and {sys.executable} is {_version()}: name another one with "
                f"make PYTHON=/usr/bin/python{oldest}"
            )
        directory = ROOT / options.directory
        name = DEV
        if options.stack is not None:
            stamp = directory / STAMP
            had_dns = stamp.is_file() and stamp.read_text().startswith(WITH_DNS)
            name = WITH_DNS if had_dns or needs_dns(options.stack) else PLAIN
        ensure(directory, ROOT / name)
    except (SetupError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
