"""The stack file, its secrets and the files of the look: compared with what is there, then written.

Owns that nothing is overwritten, and that an import which was interrupted is completed by the next one. A secret goes to
`pulumi config set --secret` over stdin, into a scratch file with the stack's salt; only what came back encrypted is kept.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ops.errors import OpsError
from ops.project import checkpoint, engine, local_copy, scalars, stackfile, state
from ops.project.state import StackState

_WORKERS: Final = 4
_SECONDS: Final = 120
_HEADER: Final = (
    "# Imported from an installation of docker-compose or Helm. Only what differs from the defaults stands here;\n"
    "# docs/settings.md has every key.\n"
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the import would have.

    Args:
        stack: the stack's name.
        root: the project's directory.
        config: plain values by key, without namespace; maps for structured keys.
        secrets: secret values by key, or by path for a part of a structured key.
        look: files by path below the branding directory.
        branding_dir: that directory, from `root` on.
    """

    stack: str
    root: Path
    config: Mapping[str, Any]
    secrets: Mapping[str, str]
    look: Mapping[str, bytes]
    branding_dir: str

    @property
    def file(self) -> Path:
        return self.root / f"Pulumi.{self.stack}.yaml"

    @property
    def project(self) -> str:
        return str(stackfile.read_project(self.root)["name"])


def check_name(stack: str) -> None:
    """That a stack can have this name. Raises OpsError."""
    if re.fullmatch(r"[A-Za-z0-9._-]{1,100}", stack) is None:
        raise OpsError("a stack's name has letters, digits, dots, hyphens and underscores alone: STACK=NAME")


def differences(wanted: Wanted) -> list[tuple[str, str, str]]:
    """What is there otherwise: key or file, what it is there, what it would be. Empty where nothing is in the way."""
    found = []
    if wanted.file.exists():
        content = stackfile.read(wanted.file)
        there = stackfile.namespaced(content, wanted.project)
        if there:
            here = {stackfile.full_key(key, wanted.project): value for key, value in wanted.config.items()}
            found += list(_compared(there, here, wanted))
    target = wanted.root / wanted.branding_dir
    for name, content_here in wanted.look.items() if wanted.branding_dir and target.exists() else ():
        file = target / name
        if not file.is_file() or file.read_bytes() != content_here:
            found.append((f"{wanted.branding_dir}/{name}", "another file" if file.exists() else "none", "a file"))
    return found


def _compared(there: Mapping[str, Any], here: Mapping[str, Any], wanted: Wanted) -> Iterator[tuple[str, str, str]]:
    secrets = {stackfile.full_key(key.partition(".")[0], wanted.project) for key in wanted.secrets}
    for key in dict.fromkeys([*here, *there]):
        if key in secrets:
            continue  # judged by its value, where that can be read
        one, other = there.get(key), here.get(key)
        if one is None or other is None or not _same(one, other):
            shown = "[secret]" if stackfile.has_secret(one) else "unset" if one is None else _as_text(one)
            yield key.removeprefix(f"{wanted.project}:"), shown, "unset" if other is None else _as_text(other)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(_same(one[key], other[key]) for key in one)
    return _as_text(one) == _as_text(other)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def write(wanted: Wanted) -> list[str]:
    """Writes what is missing; what was done, in words. Raises OpsError."""
    os.umask(0o077)
    done = []
    look = bool(wanted.look) and _write_look(wanted)
    if look:
        done.append(f"the look in {wanted.branding_dir}/")
    fresh = _write_file(wanted)
    if fresh:
        done.append(wanted.file.name)
    if wanted.secrets:
        stack_state = state.of_stack(wanted.stack, os.environ, wanted.root)
        cli = engine.find_cli(stack_state)
        try:
            count = _write_secrets(wanted, stack_state, cli)
        except OpsError as error:
            again = "it is completed by the same command once that is put right" if stack_state.embedded else ""
            if fresh and not stack_state.embedded:
                wanted.file.unlink()
                if look:
                    shutil.rmtree(wanted.root / wanted.branding_dir)
                again = f"nothing was kept. For a first time: pulumi stack init {wanted.stack}"
            raise OpsError(f"{error}; {again}") from None
        if count:
            secrets = "1 secret" if count == 1 else f"{count} secrets"
            done.append(f"{secrets}, encrypted, in {stack_state.config_file.relative_to(wanted.root)}")
    return done


def _write_look(wanted: Wanted) -> bool:
    target = wanted.root / wanted.branding_dir
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".import-") as scratch:
        part = Path(scratch) / "look"
        write_files(part, wanted.look)
        part.rename(target)
    return True


def write_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """The files below a directory, readable by all: version control keeps them."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _write_file(wanted: Wanted) -> bool:
    """The tracked stack file, where there is none, or one that has no configuration yet."""
    before = stackfile.read(wanted.file) if wanted.file.exists() else {}
    if before.get("config"):
        return False
    kept = "".join(scalars.dump({key: before[key]}) for key in before if key != "config")
    text = _HEADER + kept + _config_text(wanted)
    mode = "w" if before or wanted.file.exists() else "x"  # never over a file that came up meanwhile
    try:
        with wanted.file.open(mode, encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OpsError(f"{wanted.file.name} came up meanwhile, and is left as it is: run it again") from None
    wanted.file.chmod(0o644)
    return True


def _config_text(wanted: Wanted) -> str:
    lines = ["config:" if wanted.config else "config: {}"]
    for key, value in wanted.config.items():
        name = stackfile.full_key(key, wanted.project)
        if isinstance(value, str):
            lines.append(f"  {name}: {scalars.scalar(value)}")
        else:
            lines += ["  " + line for line in scalars.dump({name: value}).splitlines()]
    return "\n".join(lines) + "\n"


def _write_secrets(wanted: Wanted, stack_state: StackState, cli: Path) -> int:
    """How many were missing and are there now. Raises OpsError where one is there with another value."""
    if stack_state.embedded:
        engine.initialise(stack_state, cli, os.environ)
        local_copy.write_copy(stack_state, local_copy.next_copy(stack_state)[0])
    content = stackfile.read(stack_state.config_file)
    there = stackfile.namespaced(content, wanted.project)
    missing = {key: value for key, value in wanted.secrets.items() if not _has(there, key, wanted.project)}
    _check_same({key: value for key, value in wanted.secrets.items() if key not in missing}, stack_state, cli)
    if not stack_state.embedded:
        for key, value in missing.items():
            _encrypt(key, value, stack_state.config_file, stack_state, cli)
        return len(missing)
    head = {key: content[key] for key in state.BACKEND_SECRETS if key in content}
    with tempfile.TemporaryDirectory(dir=stack_state.directory, prefix="import-") as scratch:

        def encrypted(numbered: tuple[int, tuple[str, str]]) -> Mapping[str, Any]:
            number, (key, value) = numbered
            file = Path(scratch) / f"{number}.yaml"
            file.write_text(scalars.dump(head), encoding="utf-8")
            _encrypt(key, value, file, stack_state, cli)
            return stackfile.read(file)

        # Most of each call is the derivation of the key from the passphrase.
        with ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1)) as pool:
            parts = list(pool.map(encrypted, enumerate(missing.items())))
    config: dict[str, Any] = copy.deepcopy(there)
    for part in parts:
        _merge(config, part["config"])
    if missing:
        local_copy.write_copy(stack_state, {**content, "config": config})
    return len(missing)


def _has(config: Mapping[str, Any], path: str, project: str) -> bool:
    """Whether a key, or the part of one that a path names, has a value."""
    first, *rest = path.split(".")
    value: Any = config.get(stackfile.full_key(first, project))
    for part in rest:
        value = value.get(part) if isinstance(value, dict) else None
    return value is not None


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict) and set(value) != {"secure"}:
            _merge(into[key], value)
        else:
            into[key] = value


def _encrypt(key: str, value: str, file: Path, stack_state: StackState, cli: Path) -> None:
    words = ["config", "set", "--secret", *(["--path"] if "." in key else []), key, "--config-file", str(file)]
    _call(stack_state, cli, words, key, typed=value)


def _check_same(secrets: Mapping[str, str], stack_state: StackState, cli: Path) -> None:
    """That secrets which are there are the installation's. Raises OpsError with the keys of the others."""
    if not secrets:
        return
    words = ["config", "--show-secrets", "--json", "--config-file", str(stack_state.config_file)]
    shown = json.loads(_call(stack_state, cli, words, "the secrets"))
    project = str(stackfile.read_project(stack_state.root)["name"])
    other = []
    for path, value in secrets.items():
        first, *rest = path.split(".")
        entry = shown.get(stackfile.full_key(first, project)) or {}
        found: Any = entry.get("objectValue") if rest else entry.get("value")
        for part in rest:
            found = found.get(part) if isinstance(found, dict) else None
        if str(found).rstrip("\n") != value.rstrip("\n"):
            other.append(path)
    if other:
        raise OpsError(f"{', '.join(other)}: set to another secret in {stack_state.config_file.name}, which stays")


def _call(stack_state: StackState, cli: Path, words: list[str], what: str, typed: str | None = None) -> str:
    """What the CLI says. Raises OpsError with its reason, in which no value stands: it never saw one on its command line."""
    try:
        run = subprocess.run(
            [str(cli), *words, "--stack", stack_state.stack, "--non-interactive"],
            cwd=stack_state.root,
            env=engine.environment(stack_state, os.environ, cli),
            input=typed or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise OpsError(f"pulumi config of {what} did not end within {_SECONDS} s") from None
    finally:
        if stack_state.embedded:
            checkpoint.prune(stack_state)
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if line.startswith("error:")]
        reason = lines[0].removeprefix("error:").strip() if lines else f"exit code {run.returncode}"
        raise OpsError(f"pulumi config of {what} failed: {reason}")
    return run.stdout
