"""The embedded defaults of a stack that brings no backend of its own: all of them live in `.local/`.

Owns `.local/`: state, passphrase, the machine's own copy of the stack file, the downloaded CLI; and the rule when
these are used. Nothing outside `.local/` is written, no global login is made. Does not run the stack (`run`).

The engine writes the salt of the passphrase, and every `config set`, into the stack file. So that a tracked file
stays as it is, the engine gets a copy of it, `.local/Pulumi.<stack>.yaml`. Before each command the copy takes over
what changed in the tracked file since the last time; what was set on this machine stays.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from components.resources import docker_cli
from ops.errors import OpsError
from ops.project import scalars, stackfile

DIRECTORY: Final = stackfile.LOCAL
SALT: Final = "encryptionsalt"
_OWN_SECRETS: Final = (SALT, "secretsprovider", "encryptedkey")
_HEADER: Final = (
    "# Made by make from {tracked} and what was set on this machine.\n"
    "# Edit {tracked}, or: make config STACK={stack} ARGS='set KEY VALUE'\n"
)
_MOVING: Final = ("PULUMI_OPTION_", "PULUMI_STACK", "PULUMI_CONFIG_SECRET_KEYS", "PULUMI_BACKEND_URL")
"""Variables of the CLI's that would lead it elsewhere, or give its commands other options."""
_ABSENT: Final = object()


@dataclass(frozen=True)
class StackState:
    """Where the engine finds state and configuration of one stack.

    Args:
        stack: its name.
        root: the project's directory.
        embedded: True for state and passphrase in `.local/`, False for the operator's own backend.
        note: why it is not embedded, where the operator might wonder.
    """

    stack: str
    root: Path
    embedded: bool
    note: str = ""

    @property
    def directory(self) -> Path:
        return self.root / DIRECTORY

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def passphrase(self) -> Path:
        return self.directory / "passphrase"

    @property
    def tracked(self) -> Path:
        """The stack file under version control."""
        return self.root / f"Pulumi.{self.stack}.yaml"

    @property
    def config_file(self) -> Path:
        """The stack file that the engine gets."""
        return self.directory / self.tracked.name if self.embedded else self.tracked

    @property
    def base(self) -> Path:
        """The tracked file's configuration as the copy last took it over."""
        return self.directory / f"Pulumi.{self.stack}.base.yaml"

    @property
    def found(self) -> Path:
        """What make itself found out about this machine."""
        return self.directory / f"Pulumi.{self.stack}.found.json"

    @property
    def checkpoint(self) -> Path:
        """The stack in the embedded state, as the engine's file backend names it."""
        project = str(stackfile.read_project(self.root)["name"])
        return self.state / ".pulumi" / "stacks" / project / f"{self.stack}.json"

    @property
    def exists(self) -> bool:
        """Whether the embedded state holds the stack."""
        return self.checkpoint.exists()


def backend_url(root: Path) -> str:
    """The embedded state as the engine's URL."""
    return (root / DIRECTORY / "state").as_uri()


def of_stack(stack: str, environ: Mapping[str, str], root: Path = stackfile.ROOT) -> StackState:
    """Whether the stack has a backend of its own; raises OpsError for no such stack, or where both would fit."""
    tracked = stackfile.read(stackfile.path_of(stack, root))
    url = environ.get("PULUMI_BACKEND_URL")
    chosen = bool(url and url != backend_url(root)) or bool(environ.get("PULUMI_ACCESS_TOKEN"))
    chosen = chosen or bool((stackfile.read_project(root).get("backend") or {}).get("url"))
    stack_state = StackState(stack, root, embedded=not chosen)
    if chosen:
        return stack_state
    sign = _sign_of_a_backend(tracked)
    if sign and stack_state.exists:
        raise OpsError(
            f"{stack_state.tracked.name} has {sign}, which belongs to a backend of its own, and {DIRECTORY}/state has this "
            f"stack too: set PULUMI_BACKEND_URL for the one; for the other remove {sign} from the file and set its "
            f"secrets with: make config STACK={stack} ARGS='set --secret KEY'"
        )
    if not sign and not stack_state.exists and _selected_in_cloud(stack, root, environ):
        note = f"stack {stack!r} is selected in Pulumi Cloud, where you are logged in: using it (else: pulumi stack unselect)"
        return StackState(stack, root, embedded=False, note=note)
    if not sign:
        return dataclasses.replace(stack_state, note=_note_of_passphrase(stack_state, environ))
    note = f"{stack_state.tracked.name} has {sign}: using your backend (pulumi login or PULUMI_BACKEND_URL)"
    return StackState(stack, root, embedded=False, note=note)


def _note_of_passphrase(stack_state: StackState, environ: Mapping[str, str]) -> str:
    """That the environment's passphrase is used for the embedded state; empty where it is the state's own."""
    file = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    named = "PULUMI_CONFIG_PASSPHRASE" if "PULUMI_CONFIG_PASSPHRASE" in environ else "PULUMI_CONFIG_PASSPHRASE_FILE"
    if named not in environ or (named.endswith("FILE") and file in ("", str(stack_state.passphrase))):
        return ""
    return (
        f"{named} is set: stack {stack_state.stack!r} takes it instead of {DIRECTORY}/passphrase (else: unset {named})"
    )


def _sign_of_a_backend(tracked: Mapping[str, Any]) -> str:
    """What of a tracked stack file only another backend can have written, or can open; empty where there is nothing."""
    own = [key for key in (*_OWN_SECRETS, "environment") if tracked.get(key)]
    if own:
        return own[0]
    encrypted = [
        str(key)
        for key, value in (tracked.get("config") or {}).items()
        if isinstance(value, dict) and set(value) == {"secure"} and stackfile.is_ciphertext(value["secure"])
    ]
    return f"{encrypted[0]} in encrypted form" if encrypted else ""


def _selected_in_cloud(stack: str, root: Path, environ: Mapping[str, str]) -> bool:
    """Whether the operator is logged in to Pulumi Cloud and has this stack selected here (pulumi, workspace.go)."""
    home = Path(environ.get("PULUMI_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".pulumi")
    project = str(stackfile.read_project(root)["name"])
    digest = hashlib.sha1(str(root / "Pulumi.yaml").encode(), usedforsecurity=False).hexdigest()
    try:
        current = json.loads((home / "credentials.json").read_text(encoding="utf-8")).get("current") or ""
        workspace = json.loads((home / "workspaces" / f"{project}-{digest}-workspace.json").read_text(encoding="utf-8"))
        selected = str(workspace.get("stack") or "")
    except (OSError, ValueError, AttributeError):
        return False
    return str(current).startswith("https://") and selected.rpartition("/")[2] == stack


def environment(stack_state: StackState, environ: Mapping[str, str], cli: Path) -> dict[str, str]:
    """The engine's environment: the operator's, and with embedded defaults what points to them."""
    child = {"PULUMI_SKIP_UPDATE_CHECK": "true", **environ}
    for name in docker_cli.LEADING:
        child.pop(name, None)  # the provider looks at them, too
    if cli.is_relative_to(stack_state.directory):
        child["PATH"] = f"{cli.parent}{os.pathsep}{environ.get('PATH', '')}"
    if stack_state.embedded:
        child = {name: value for name, value in child.items() if not name.startswith(_MOVING)}
        child |= embedded_environment(stack_state, environ)
    return child


def embedded_environment(stack_state: StackState, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that make any `pulumi` command use the embedded state and the machine's copy of the stack file."""
    found = {
        "PULUMI_BACKEND_URL": backend_url(stack_state.root),
        "PULUMI_OPTION_STACK": stack_state.stack,
        "PULUMI_OPTION_CONFIG_FILE": str(stack_state.config_file),
    }
    if "PULUMI_CONFIG_PASSPHRASE" not in environ:
        found["PULUMI_CONFIG_PASSPHRASE_FILE"] = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE") or str(
            stack_state.passphrase
        )
    return found


def merge(
    tracked: Mapping[str, Any], base: Mapping[str, Any], copy: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The copy's next configuration, and the keys whose local value gives way.

    A key that changed in the tracked file since the last time comes from there; any other keeps what the copy has,
    so that what was set or removed on this machine stays. So does a value of this machine's own whose key left the
    tracked file: a secret that stood there in plain text is set here first, and removed there then.

    Args:
        tracked: configuration of the tracked file now, keys with namespace.
        base: the same when the copy was last made.
        copy: configuration of the copy.
    """
    merged: dict[str, Any] = {}
    dropped = []
    for key in dict.fromkeys([*tracked, *base, *copy]):
        now, before, here = (one.get(key, _ABSENT) for one in (tracked, base, copy))
        own = here is not _ABSENT and not same(here, before)
        value = here if same(now, before) or (own and now is _ABSENT) else now
        if value is not _ABSENT:
            merged[key] = value
        if not same(here, before) and not same(here, value):
            dropped.append(key)
    return merged, sorted(dropped)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to the engine, which writes 8000 back as "8000"."""
    if _ABSENT in (one, other):
        return one is other
    texts = [value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in (one, other)]
    return texts[0] == texts[1]


def with_local_secrets(stack_state: StackState, tracked: Mapping[str, Any]) -> dict[str, Any]:
    """The tracked file's content, and secrets that were set on this machine alone, for a plan to count as present."""
    if not (stack_state.embedded and stack_state.config_file.exists()):
        return dict(tracked)
    project = stackfile.read_project(stack_state.root)["name"]
    copy = stackfile.namespaced(stackfile.read(stack_state.config_file), project)
    secret = {key: value for key, value in copy.items() if stackfile.has_secret(value)}
    return {**tracked, "config": {**secret, **stackfile.namespaced(tracked, project)}}


def own_plain_keys(stack_state: StackState) -> list[str]:
    """Keys of plain settings that `make config` set or removed on this machine, beside what make found out itself."""
    if not (stack_state.embedded and stack_state.config_file.exists()):
        return []
    project = stackfile.read_project(stack_state.root)["name"]
    tracked = stackfile.namespaced(stackfile.read(stack_state.tracked), project)
    content, _ = next_copy(stack_state)
    here, found = content["config"], found_here(stack_state)
    return [
        key.removeprefix(f"{project}:")
        for key in dict.fromkeys([*tracked, *here])
        if not same(tracked.get(key, _ABSENT), here.get(key, _ABSENT))
        and not stackfile.has_secret(here.get(key))
        and found.get(key.removeprefix(f"{project}:")) != here.get(key, "")
    ]


def next_copy(stack_state: StackState) -> tuple[dict[str, Any], list[str]]:
    """Content of the copy as it has to be now, and the keys whose local value gave way to the tracked file's."""
    project = stackfile.read_project(stack_state.root)["name"]
    tracked = stackfile.read(stack_state.tracked)
    copy = stackfile.read(stack_state.config_file) if stack_state.config_file.exists() else {}
    base = stackfile.read(stack_state.base) if copy and stack_state.base.exists() else {}
    tracked_config, base_config, copy_config = (stackfile.namespaced(one, project) for one in (tracked, base, copy))
    config, dropped = merge(tracked_config, base_config, copy_config)
    own: dict[str, Any] = {key: copy[key] for key in _OWN_SECRETS if key in copy}
    return {**tracked, **own, "config": config}, dropped


def write_copy(stack_state: StackState, content: Mapping[str, Any]) -> None:
    """Writes the copy, and remembers the tracked configuration that went into it."""
    make_directory(stack_state)
    project = stackfile.read_project(stack_state.root)["name"]
    header = _HEADER.format(tracked=stack_state.tracked.name, stack=stack_state.stack)
    base = {"config": stackfile.namespaced(stackfile.read(stack_state.tracked), project)}
    for path, text in (
        (stack_state.config_file, header + scalars.dump(dict(content))),
        (stack_state.base, scalars.dump(base)),
    ):
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_whole(path, text)


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that it is there whole or not at all, for its owner alone."""
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def found_here(stack_state: StackState) -> dict[str, str]:
    """What make found out about this machine at an earlier `up`, by key; what cannot be read was not found."""
    try:
        content = json.loads(stack_state.found.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}


def keep_found(stack_state: StackState, found: Mapping[str, str]) -> None:
    """Remembers what was found out, so that it can be told from what was set."""
    make_directory(stack_state)
    write_whole(stack_state.found, json.dumps(dict(found)) + "\n")


def make_directory(stack_state: StackState) -> None:
    """`.local/`, for its owner alone: it holds the passphrase, and the state's file backend writes for all to read."""
    stack_state.directory.mkdir(mode=0o700, exist_ok=True)
    stack_state.directory.chmod(0o700)


def check_passphrase(stack_state: StackState, environ: Mapping[str, str]) -> None:
    """That the embedded state's own passphrase is not lost. Raises OpsError."""
    if stack_state.embedded and stack_state.exists and not _has_passphrase(stack_state, environ):
        raise OpsError(
            f"{DIRECTORY}/passphrase is gone, and the secrets of {DIRECTORY}/state cannot be read without it: put it back "
            f"from a copy, or name one in PULUMI_CONFIG_PASSPHRASE_FILE. Without a copy they are lost: mv {DIRECTORY} "
            f"{DIRECTORY}.lost, and the next make up says how to remove what runs"
        )


def _has_passphrase(stack_state: StackState, environ: Mapping[str, str]) -> bool:
    own = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE") not in (None, "", str(stack_state.passphrase))
    return own or "PULUMI_CONFIG_PASSPHRASE" in environ or stack_state.passphrase.exists()


def ensure_passphrase(stack_state: StackState, environ: Mapping[str, str]) -> None:
    """A random passphrase, unless the operator has one. Raises OpsError where the state's own is lost."""
    check_passphrase(stack_state, environ)
    if not _has_passphrase(stack_state, environ):
        make_directory(stack_state)
        write_whole(stack_state.passphrase, secrets.token_hex(32) + "\n")


def initialise(stack_state: StackState, cli: Path, environ: Mapping[str, str]) -> None:
    """Makes the stack in the embedded state, and takes the salt into the copy.

    `pulumi stack init` knows no --config-file and would write the salt beside the project's Pulumi.yaml: it runs in a
    directory of its own with a Pulumi.yaml of the same name.
    """
    make_directory(stack_state)
    stack_state.state.mkdir(mode=0o700, exist_ok=True)
    ensure_passphrase(stack_state, environ)
    if stack_state.exists:
        return
    scratch = stack_state.directory / "init"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    project = {"name": stackfile.read_project(stack_state.root)["name"], "runtime": "python"}
    (scratch / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    salted = scratch / stack_state.tracked.name
    content, _ = next_copy(stack_state)
    if SALT in content:
        salted.write_text(yaml.safe_dump({SALT: content[SALT]}))
    child = environment(stack_state, environ, cli)
    child.pop("PULUMI_OPTION_STACK", None)
    child.pop("PULUMI_OPTION_CONFIG_FILE", None)
    run = subprocess.run(
        [str(cli), "stack", "init", stack_state.stack, "--no-select", "--non-interactive"],
        cwd=scratch,
        env=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        raise OpsError(f"cannot make stack {stack_state.stack!r} in {DIRECTORY}/state: {run.stdout.strip()}")
    write_copy(stack_state, {**content, SALT: stackfile.read(salted)[SALT]})
    shutil.rmtree(scratch)


def find_cli(stack_state: StackState) -> Path:
    """The Pulumi CLI on PATH, else the official release of the SDK's version in `.local/pulumi`.

    Raises OpsError where it cannot be downloaded.
    """
    found = shutil.which("pulumi")
    if found:
        return Path(found)
    home = stack_state.directory / "pulumi"
    cli = home / "bin" / "pulumi"
    if cli.exists():
        return cli
    from pulumi import automation
    from pulumi._version import version

    make_directory(stack_state)
    print(
        f"the Pulumi CLI is not on PATH: downloading v{version} into {DIRECTORY}/pulumi ...",
        file=sys.stderr,
        flush=True,
    )
    try:
        automation.PulumiCommand.install(root=str(home), version=version)
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "output", None) or b"").decode(errors="replace").strip()
        said = output.splitlines()[-1] if output else error
        raise OpsError(
            f"the Pulumi CLI is not on PATH and cannot be downloaded ({said}): connect to the network, or install it "
            f"from https://www.pulumi.com/docs/install/"
        ) from None
    return cli
