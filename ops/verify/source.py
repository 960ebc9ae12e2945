"""Where a stack's outputs come from: the engine, or a file for trying without one.

Owns the call of `pulumi stack output` for verify and token, and finding the Docker host. Where state and passphrase
are is `local`'s business.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.errors import OpsError
from ops.verify.stack import Stack


def read(stack: str, file: str | None, seconds: float) -> Stack:
    """The stack from its outputs.

    Args:
        stack: its name.
        file: a JSON file as `pulumi stack output --json --show-secrets` writes it, instead of asking the engine.
        seconds: how long the engine may take.

    Raises:
        OpsError: where they cannot be read.
    """
    return _from_file(Path(file)) if file else _from_engine(stack, seconds)


def _from_file(path: Path) -> Stack:
    try:
        outputs = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OpsError(f"--outputs {path} cannot be read: {error.strerror}") from None
    except ValueError:
        outputs = None
    if not isinstance(outputs, dict):
        raise OpsError(
            f"--outputs {path} is no JSON object: write it with pulumi stack output --json --show-secrets > FILE"
        )
    return Stack.read(outputs)


def _from_engine(stack: str, seconds: float) -> Stack:
    from ops import local  # not needed for a file

    place = local.place_of(stack, os.environ)
    if place.embedded and place.is_empty:
        raise OpsError(f"stack {stack!r} is not up: make up STACK={stack}")
    cli = local.find_cli(place)
    command = [str(cli), "stack", "output", "--json", "--show-secrets", "--stack", stack, "--non-interactive"]
    child = local.environment(place, os.environ, cli)
    try:
        run = subprocess.run(
            command, cwd=place.root, env=child, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise OpsError(
            f"pulumi stack output did not answer within {seconds:g} seconds: try again, or --time-limit"
        ) from None
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if line.startswith("error:")] or run.stderr.splitlines()
        said = lines[0].removeprefix("error: ") if lines else "it said nothing"
        raise OpsError(f"pulumi stack output of {stack!r} failed: {said}")
    outputs: dict[str, Any] = json.loads(run.stdout)
    return Stack.read(outputs, _docker(place))


def _docker(place: Any) -> tuple[str, ...]:
    """The docker command for the stack's host: from the configuration, as no output has it."""
    from pulumi import RunError

    from ops import preflight, stackfile

    try:
        content: Mapping[str, Any] = stackfile.read(place.config_file)
        settings = preflight.check_settings(place.stack, content, place.root)
    except (OpsError, RunError):
        return ("docker",)
    context = settings.docker.get("context")
    where = ("--context", str(context)) if context else ("--host", str(settings.docker_host))
    return ("docker", *where)
