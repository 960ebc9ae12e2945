"""Whether the engine can decrypt what the stack file holds encrypted: its own message names no key."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ops.errors import OpsError
from ops.project import engine, stackfile
from ops.project.state import StackState

_PASSPHRASE: Final = "incorrect passphrase"
_ANOTHER: Final = "message authentication failed"
"""Of the cipher (pulumi, sdk/go/common/resource/config/crypt.go)."""


def check_encrypted_values(stack_state: StackState, cli: Path, command: Callable[[Sequence[str]], str]) -> None:
    """That each encrypted value was encrypted with this stack's key.

    Args:
        stack_state: the stack.
        cli: the Pulumi CLI, which alone can tell. What it decrypts is thrown away.
        command: from the words of a `config set` to the command as an operator types it.

    Raises:
        OpsError: with each key whose value was not. (Of a wrong passphrase the engine's own message says enough.)
    """
    config = stackfile.read(stack_state.config_file).get("config") or {}
    keys = [str(key) for key, value in config.items() if stackfile.has_secret(value)]
    said = _refusal(stack_state, cli, "--json", "--show-secrets") if keys else ""
    if not said or _PASSPHRASE in said:
        return
    wrong = [key for key in keys if _refusal(stack_state, cli, "get", key)]
    if not wrong or (wrong == keys and _ANOTHER not in said):
        return  # a key service that cannot be reached, for instance: the engine says it
    project = str(stackfile.read_project(stack_state.root)["name"])
    names = [key.removeprefix(f"{project}:") for key in wrong]
    again = " && ".join(command(["set", "--secret", name]) for name in names)
    raise OpsError(
        f"{stack_state.config_file.name}: the encrypted value of {', '.join(names)} is another key's or passphrase's (copied "
        f"from another stack?), and Pulumi cannot decrypt it: {again}"
    )


def _refusal(stack_state: StackState, cli: Path, *words: str) -> str:
    """What the CLI says to a `pulumi config` that it does not carry out; empty where it does."""
    file = ["--config-file", str(stack_state.config_file)] if stack_state.embedded else []
    run = subprocess.run(
        [str(cli), "config", *words, "--stack", stack_state.stack, *file, "--non-interactive"],
        cwd=stack_state.root,
        env=engine.environment(stack_state, os.environ, cli),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return (run.stderr or "refused") if run.returncode else ""
