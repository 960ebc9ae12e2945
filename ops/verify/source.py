"""Where a stack's outputs come from: the engine, or a file for trying without one.

Owns the call of `pulumi stack output` for verify and token, and finding the Docker host. Where state and passphrase
are is `local`'s business.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.config import providers
from components.resources.docker_cli import DockerCli
from ops.errors import OpsError
from ops.verify.stack import Stack

if TYPE_CHECKING:
    from ops.project.state import Place


def read(stack: str, file: str | None, seconds: float, docker_host: str | None = None) -> Stack:
    """The stack from its outputs.

    Args:
        stack: its name.
        file: a JSON file as `pulumi stack output --json --show-secrets` writes it, instead of asking the engine.
        seconds: how long the engine may take.
        docker_host: URL of its Docker host, instead of what the stack file says.

    Raises:
        OpsError: where they cannot be read.
    """
    found = _from_file(Path(file)) if file else _from_engine(stack, seconds)
    return dataclasses.replace(found, docker=DockerCli(("--host", docker_host))) if docker_host else found


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
    from ops.project import state  # not needed for a file

    place = state.place_of(stack, os.environ)
    if place.embedded and place.is_empty:
        raise OpsError(f"stack {stack!r} is not up: make up STACK={stack}")
    cli = state.find_cli(place)
    command = [str(cli), "stack", "output", "--json", "--show-secrets", "--stack", stack, "--non-interactive"]
    child = state.environment(place, os.environ, cli)
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


def _docker(place: Place) -> DockerCli:
    """The way to the stack's Docker host: from the stack file, as no output has it.

    The rest of the file is not judged: what is wrong there has no bearing on what runs.
    """
    from ops.project import stackfile

    try:
        content = stackfile.read(place.config_file)
    except OpsError as error:
        return DockerCli((), str(error))
    config = stackfile.engine_config(content, stackfile.read_project(place.root))
    try:
        options = providers.docker_options(config.values)
    except ValueError:
        return DockerCli((), f"{place.config_file.name} has docker: settings that cannot be read")
    if content.get("environment") and not {"host", "context"} & set(options):
        return DockerCli((), f"{place.tracked.name} has an environment, which may say where it is")
    return DockerCli.with_arguments(options, providers.docker_secrets(config.secret_keys.__contains__))
