"""Where state and configuration of a stack are: in `.local/`, for a stack that brings no backend of its own.

Owns the rule when `.local/` is used, the places in it, and the state's passphrase. Nothing outside `.local/` is written,
no global login is made. The copy of the stack file there is `local_copy`'s business, the call of the CLI `engine`'s.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ops.errors import OpsError
from ops.project import stackfile

DIRECTORY: Final = stackfile.LOCAL
SALT: Final = "encryptionsalt"
PASSPHRASE: Final = "PULUMI_CONFIG_PASSPHRASE"
PASSPHRASE_FILE: Final = "PULUMI_CONFIG_PASSPHRASE_FILE"
"""The CLI's variables; it prefers the first."""
BACKEND_SECRETS: Final = (SALT, "secretsprovider", "encryptedkey")
"""What the engine writes into a stack file about the key of its secrets."""


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
    def detected(self) -> Path:
        """What make itself has detected on this machine."""
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
        return dataclasses.replace(stack_state, note=_passphrase_note(stack_state, environ))
    note = f"{stack_state.tracked.name} has {sign}: using your backend (pulumi login or PULUMI_BACKEND_URL)"
    return StackState(stack, root, embedded=False, note=note)


def _passphrase_note(stack_state: StackState, environ: Mapping[str, str]) -> str:
    """That the environment's passphrase is used, as the embedded state's own is missing; empty where it is not."""
    if uses_own_passphrase(stack_state, environ):
        return ""
    name = _passphrase_variable(stack_state, environ)
    return f"{DIRECTORY}/passphrase is missing: stack {stack_state.stack!r} takes the one of {name}"


def _sign_of_a_backend(tracked: Mapping[str, Any]) -> str:
    """What of a tracked stack file only another backend can have written, or can open; empty where there is nothing."""
    own = [key for key in (*BACKEND_SECRETS, "environment") if tracked.get(key)]
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


def make_directory(stack_state: StackState) -> None:
    """`.local/`, for its owner alone: it holds the passphrase, and the state's file backend writes for all to read."""
    stack_state.directory.mkdir(mode=0o700, exist_ok=True)
    stack_state.directory.chmod(0o700)


def uses_own_passphrase(stack_state: StackState, environ: Mapping[str, str]) -> bool:
    """Whether the embedded state is read with `.local/passphrase`, whatever the environment says.

    The environment's passphrase serves only a state whose own is not there: it was lost, or the state was made with it.
    """
    if stack_state.passphrase.exists() or not stack_state.exists:
        return True
    return _passphrase_variable(stack_state, environ) is None


def _passphrase_variable(stack_state: StackState, environ: Mapping[str, str]) -> str | None:
    """The variable that names a passphrase other than the embedded state's own."""
    if PASSPHRASE in environ:
        return PASSPHRASE
    return None if environ.get(PASSPHRASE_FILE) in (None, "", str(stack_state.passphrase)) else PASSPHRASE_FILE


def check_passphrase(stack_state: StackState, environ: Mapping[str, str]) -> None:
    """That the embedded state's own passphrase is not lost. Raises OpsError."""
    lost = stack_state.exists and not stack_state.passphrase.exists()
    if stack_state.embedded and lost and uses_own_passphrase(stack_state, environ):
        raise OpsError(
            f"{DIRECTORY}/passphrase is gone, and the secrets of {DIRECTORY}/state cannot be read without it: put it back "
            f"from a copy, or name one in PULUMI_CONFIG_PASSPHRASE_FILE. Without a copy they are lost: mv {DIRECTORY} "
            f"{DIRECTORY}.lost, and the next make up says how to remove what runs"
        )


def ensure_passphrase(stack_state: StackState, environ: Mapping[str, str]) -> None:
    """A random passphrase for the embedded state. Raises OpsError where the state's own is lost."""
    check_passphrase(stack_state, environ)
    if uses_own_passphrase(stack_state, environ) and not stack_state.passphrase.exists():
        make_directory(stack_state)
        write_whole(stack_state.passphrase, secrets.token_hex(32) + "\n")
