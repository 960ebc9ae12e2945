"""The virtual environments: `.venv` for the program, `.venv-ops` for plan, verify and token, `.venv-policies` for the
policy pack, `.venv-dev` for the rest.

Owns making them, keeping them at the locked versions, and starting a command in one of them. uv installs: the one on
PATH, else the locked one in `.venv-uv`; pip where uv cannot be had. Both read the files that `lock` exports from
uv.lock, so that each file is held by its hash and every environment has the same version of what it shares.

Runs with the system's Python before anything is installed: it imports the standard library only, and nothing that a
Python too old for the project could not parse. Which packages a stack needs is not judged here, but by
`ops.project.packages` within the environment, which can read YAML as the engine does.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
STAMP = ".made-of.json"
UV = ".venv-uv"
PROGRAM, DNS, OPS, DEV, POLICIES, TOOL = (
    "requirements.txt",
    "requirements/dns.txt",
    "requirements/ops.txt",
    "requirements/dev.txt",
    "requirements/policies.txt",
    "requirements/uv.txt",
)
# Of each kind: its directory, and what is always in it. The DNS package joins where a stack needs it.
KINDS = {
    "program": (".venv", (PROGRAM,)),
    "ops": (".venv-ops", (OPS,)),
    "dev": (".venv-dev", (DEV,)),
    "policies": (".venv-policies", (POLICIES,)),
}
# Of each exported file: the arguments of `uv export` that choose its project and groups.
EXPORTS = {
    PROGRAM: (),
    DNS: ("--group", "dns"),
    OPS: ("--group", "ops"),
    DEV: ("--all-groups", "--no-group", "uv"),
    POLICIES: ("--project", "policies"),
    TOOL: ("--only-group", "uv"),
}


class SetupError(Exception):
    """Why there is no environment, in one line."""


def ensure(kind: str, stacks: Sequence[str] = (), root: Path = ROOT, directory: Path | None = None) -> Path:
    """The directory of the environment `kind`, made or brought to the locked versions; at once where it is.

    Args:
        kind: a key of KINDS.
        stacks: stacks that it has to serve; what another one needed stays.
        root: the project's directory.
        directory: another one than the kind's own.

    Raises:
        SetupError: it cannot be made.
    """
    name, always = KINDS[kind]
    directory = directory or root / name
    sources = {stack: _digest(*_stack_files(stack, root)) for stack in stacks}
    if _is_ready(directory, always, sources, root):
        return directory
    with _alone(root):
        made_of = _made_of(directory)
        files = [*always, *([DNS] if DNS in made_of.get("files", ()) else [])]
        install(directory, files, root)
        judged = dict(made_of.get("stacks", {}))
        for stack, source in sources.items():
            if judged.get(stack) != source:
                if DNS not in files and _needs_dns(directory, stack, root):
                    files.append(DNS)
                    install(directory, files, root)
                judged[stack] = source
        _write_stamp(directory, files, judged, root)
    return directory


def _is_ready(directory: Path, always: Sequence[str], sources: dict[str, str], root: Path) -> bool:
    made_of = _made_of(directory)
    files = made_of.get("files", [])
    return (
        set(always) <= set(files)
        and made_of.get("pins") == pins(files, root)
        and sources.items() <= made_of.get("stacks", {}).items()
    )


def pins(files: Sequence[str], root: Path = ROOT) -> str:
    """A hash of the locked versions in `files`, and of the Python they are for."""
    return _digest(*(root / name for name in files), salt=_version())


def _digest(*paths: Path, salt: str = "") -> str:
    digest = hashlib.sha256(salt.encode())
    for path in paths:
        digest.update(path.read_bytes() if path.is_file() else b"-")
        digest.update(b"\0")
    return digest.hexdigest()


def _stack_files(stack: str, root: Path) -> list[Path]:
    """What may say that a stack has DNS records: the project's file, the stack's, and what this machine alone has."""
    name = f"Pulumi.{stack}.yaml"
    return [root / "Pulumi.yaml", root / name, root / ".local" / name] if Path(name).name == name else []


def _made_of(directory: Path) -> dict[str, Any]:
    """What the environment was made of, as its stamp has it; nothing where it cannot run or has no sound stamp."""
    try:
        found = json.loads((directory / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and _python(directory).exists() else {}


def _write_stamp(directory: Path, files: Sequence[str], stacks: dict[str, str], root: Path) -> None:
    stamp = {"python": _version(), "files": list(files), "pins": pins(files, root), "stacks": stacks}
    (directory / STAMP).write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One installation at a time in this checkout: `make -j` asks for the same environment more than once."""
    handle = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def install(directory: Path, files: Sequence[str], root: Path = ROOT) -> None:
    """Makes `directory` an environment with just what stands in the exported `files`; raises SetupError."""
    made_of = _made_of(directory)
    if made_of.get("files") == list(files) and made_of.get("pins") == pins(files, root):
        return
    print(f"installing {', '.join(files)} into {directory.name} ...", file=sys.stderr, flush=True)
    keep = made_of.get("python") == _version()
    # An installation that is cut off must not pass for the one before it.
    (directory / STAMP).unlink(missing_ok=True)
    failure = _by_uv(directory, files, root, keep=keep)
    if failure:
        print(f"uv: {failure}; trying pip ...", file=sys.stderr, flush=True)
        _by_pip(directory, files, root)
    _write_stamp(directory, files, made_of.get("stacks", {}), root)


def _by_uv(directory: Path, files: Sequence[str], root: Path, *, keep: bool) -> str:
    """Installs by uv; why not, where that failed."""
    uv = find_uv(root)
    if uv is None:
        return "cannot be had"
    commands = [[str(uv), "pip", "sync", "--quiet", "--python", str(_python(directory)), "--require-hashes"]]
    commands[0] += [str(root / name) for name in files]
    if not keep:
        commands.insert(0, [str(uv), "venv", "--quiet", "--no-project", "--clear", "--python", sys.executable])
        commands[0].append(str(directory))
    for command in commands:
        run = _run(command, _uv_environment())
        if run.returncode:
            return _last_line(run.stdout) or f"exit code {run.returncode}"
    return ""


def find_uv(root: Path = ROOT) -> Path | None:
    """uv on PATH, else the locked one in `.venv-uv`, installed there if need be; None where neither can be had."""
    found = shutil.which("uv")
    if found and not _run([found, "--version"]).returncode:
        return Path(found)
    directory = root / UV
    uv = directory / "bin" / "uv"
    if uv.exists() and _made_of_uv(directory) == pins([TOOL], root):
        return uv
    shutil.rmtree(directory, ignore_errors=True)
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    install += ["-r", str(root / TOOL)]
    if _run([sys.executable, "-m", "pip", *install, "--target", str(directory)]).returncode:
        # No pip of its own, as on Debian without python3-pip: an environment brings one.
        shutil.rmtree(directory, ignore_errors=True)
        if _run([sys.executable, "-m", "venv", str(directory)]).returncode:
            return None
        if _run([str(directory / "bin" / "python"), "-m", "pip", *install]).returncode:
            return None
    if not uv.exists() or _run([str(uv), "--version"]).returncode:
        return None
    (directory / STAMP).write_text(pins([TOOL], root), encoding="utf-8")
    return uv


def _made_of_uv(directory: Path) -> str:
    stamp = directory / STAMP
    return stamp.read_text(encoding="utf-8") if stamp.is_file() else ""


def _uv_environment() -> dict[str, str]:
    """The caller's environment, with what pip's own variables say about the index in uv's words."""
    environment = dict(os.environ)
    for ours, theirs in (("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), ("SSL_CERT_FILE", "PIP_CERT")):
        if theirs in environment:
            environment.setdefault(ours, environment[theirs])
    environment["UV_NO_PROGRESS"] = "1"
    return environment


def _by_pip(directory: Path, files: Sequence[str], root: Path) -> None:
    run = _run([sys.executable, "-m", "venv", "--clear", str(directory)])
    if run.returncode:
        if "ensurepip" in run.stdout or "No module named venv" in run.stdout:
            raise SetupError(
                "this Python cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv "
                f"(or python{_version()}-venv)"
            )
        raise SetupError(f"cannot make {directory.name}: {_last_line(run.stdout) or 'python -m venv failed'}")
    pip = [str(_python(directory)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run = _run([*pip, "--require-hashes", *(word for name in files for word in ("-r", str(root / name)))])
    if run.returncode:
        errors = [line for line in run.stdout.splitlines() if line.startswith("ERROR:")]
        raise SetupError(
            f"cannot install {', '.join(files)} (the first time needs the network, or a mirror in PIP_INDEX_URL): "
            f"{errors[-1] if errors else _last_line(run.stdout) or 'pip said nothing'}"
        )


def _needs_dns(directory: Path, stack: str, root: Path) -> bool:
    command = [str(_python(directory)), "-m", "ops.project.packages", stack]
    run = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=False)
    return "dns" in run.stdout.split()


def _python(directory: Path) -> Path:
    return directory / "bin" / "python"


def _version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(command), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def lock(root: Path = ROOT, *, check: bool = False) -> int:
    """Locks pyproject.toml and exports the lock; 0. With `check` nothing is written: 1 where something would change."""
    uv = find_uv(root)
    if uv is None:
        raise SetupError("locking needs uv, which is not on PATH and cannot be installed from the package index")
    for project in (".", "policies"):
        command = [str(uv), "lock", "--quiet", "--project", project, *(["--check"] if check else [])]
        run = _run(command, _uv_environment())
        if run.returncode:
            raise SetupError(f"uv lock: {_last_line(run.stdout)}" + ("; run: make lock" if check else ""))
    stale = []
    for name, groups in EXPORTS.items():
        chosen = ["--frozen", "--no-default-groups", *groups, "--no-emit-project", "--no-annotate", "--no-header"]
        run = _run([str(uv), "export", "--quiet", *chosen], _uv_environment())
        if run.returncode:
            raise SetupError(f"uv export: {_last_line(run.stdout)}")
        text = f"# Exported from uv.lock by make lock; edit pyproject.toml instead.\n{run.stdout}"
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if check and stale:
        raise SetupError(f"{', '.join(stale)}: not what uv.lock has; run: make lock")
    return 0


def _start(directory: Path, command: Sequence[str], words: str) -> int:
    """Becomes `command`, a program of the environment; its arguments are followed by those of the text `words`.

    The words are split as a shell would, and nothing in them is carried out.
    """
    try:
        arguments = [*command, *shlex.split(words)]
    except ValueError as error:
        raise SetupError(f"ARGS: {str(error).lower()}; put quotes in pairs, such as ARGS='--name \"A B\"'") from None
    program = str(directory / "bin" / arguments[0])
    # uv leaves compiling to the first import, which must be able to store it: without, each command is 2 s slower.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Python finds its environment by the name that it was started with.
    os.execv(program, [program, *arguments[1:]])  # noqa: S606 (no shell, on purpose)


def main(arguments: Sequence[str] | None = None) -> int:
    """`python3 -m ops.environment KIND [--stack NAME] [--args] [-- COMMAND ...]`, or `lock [--check]`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    end = given.index("--") if "--" in given else len(given)
    own, command = given[:end], given[end + 1 :]
    parser = argparse.ArgumentParser(
        prog="python3 -m ops.environment", description="Makes a virtual environment, and starts COMMAND in it."
    )
    parser.add_argument("kind", choices=[*KINDS, "lock"])
    parser.add_argument("--stack", action="append", default=[], help="a stack that it has to serve")
    parser.add_argument("--directory", type=Path, help="make it there")
    parser.add_argument("--args", action="store_true", help="add the words of the variable ARGS to the command")
    parser.add_argument("--check", action="store_true", help="lock: write nothing, fail where the lock is stale")
    options = parser.parse_args(own)
    try:
        if sys.version_info[:2] < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise SetupError(
                f"this needs Python {oldest} or newer, and {sys.executable} is {_version()}: name another one with "
                f"make PYTHON=/usr/bin/python{oldest}"
            )
        if options.kind == "lock":
            return lock(check=options.check)
        directory = ensure(options.kind, options.stack, directory=options.directory and options.directory.resolve())
        return _start(directory, command, os.environ.get("ARGS", "") if options.args else "") if command else 0
    except (SetupError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
