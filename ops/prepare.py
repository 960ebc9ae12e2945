"""What must hold before Pulumi is called, and what the call has to be told: the order of the checks.

Owns that order, the local copy of the stack file that the engine gets, and what a first use finds out about this
machine. What each check looks for is `preflight`'s and `running`'s business. Makes and changes nothing outside
`.local/`, but for what an interrupted run left half made.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from components.config.problems import SettingsError
from components.config.settings import DEFAULT_DOCKER_URL, Settings
from components.resources.docker_cli import DockerCli
from ops import preflight, running
from ops.errors import OpsError
from ops.project import checkpoint, engine, fixes, local_copy, stackfile
from ops.project.checkpoint import Deployment
from ops.project.fixes import make
from ops.project.state import DIRECTORY, StackState
from ops.running import Repairs

ADDRESS: Final = "dockerHostAddress"


@dataclass(frozen=True)
class Prepared:
    """What was found out before Pulumi is called.

    Args:
        settings: the stack's; None where they are only the engine's to see.
        docker: the way to the Docker host, unusable where it cannot be asked from here.
        warnings: what was warned of, without what the program itself says.
    """

    settings: Settings | None
    docker: DockerCli
    warnings: Sequence[str] = ()


def prepare_up(stack_state: StackState, command: str) -> Prepared:
    """Everything that must hold before `up`, `preview` or `refresh`; with embedded defaults the copy is written.

    Raises OpsError or SettingsError.
    """
    tracked = stackfile.read(stack_state.tracked)
    stackfile.check(stack_state.tracked, tracked, stackfile.read_project(stack_state.root)["name"])
    content, dropped = local_copy.next_copy(stack_state) if stack_state.embedded else (tracked, [])
    if content.get("environment"):
        reason = f"{stack_state.tracked.name} has an environment, whose values only the engine sees"
        return Prepared(None, DockerCli((), reason))
    here = [one for one in (local_copy.detected_values(stack_state).get(ADDRESS), preflight.lan_address()) if one]
    # Three times, as each finding needs sound settings and changes them: whether a Docker host is given comes before the
    # look for one, and whether that host is this machine before the look for its address. What was found is judged last.
    settings = preflight.check_all(stack_state, tracked, content, own=command == "up", found=here)
    if stack_state.embedded:
        content = _with_docker_host(stack_state, content)
        settings = preflight.check_all(stack_state, tracked, content, own=False)
        content = _with_address(stack_state, content, settings)
        settings = preflight.check_all(stack_state, tracked, content, own=False)
        write_copy(stack_state, content, dropped)
    warnings = [*preflight.address_warnings(settings)]
    for warning in warnings:
        print(f"warning: {warning}", flush=True)
    docker = DockerCli.of(settings)
    if not preflight.check_docker(settings):
        unusable = docker if docker.unusable else DockerCli((), "the docker command is not installed")
        return Prepared(settings, unusable, warnings)
    if command == "up":
        fix = functools.partial(fixes.config_words, stack_state)
        preflight.check_ports(settings, stack_state.stack, fix)
        preflight.check_images(settings, fix)
    return Prepared(settings, docker, warnings)


def prepare_destroy(stack_state: StackState) -> None:
    """What `destroy` needs: Docker, and the settings only where they are sound."""
    try:
        content = stackfile.read(stack_state.config_file)
        settings = preflight.check_settings(stack_state.stack, content, stack_state.root)
    except SettingsError:
        return
    preflight.check_docker(settings)


def find_repairs(stack_state: StackState, prepared: Prepared, deployment: Deployment) -> Repairs:
    """What an `up` has to put right beside its own business.

    Raises:
        OpsError: where the Docker host has the stack, and not by this state.
    """
    if prepared.docker.unusable:
        return Repairs()
    inventory = running.read_inventory(prepared.docker, stack_state.stack)
    others = running.unexpected_containers(inventory, deployment)
    if others or (not deployment.resources and not inventory.nothing):
        raise OpsError(
            f"the Docker host has a stack {stack_state.stack!r} that is not this directory's (another checkout's, or the "
            f"state is lost): use that checkout, or give this stack another name. To remove it with its volumes: "
            f"{running.removal(prepared.docker, inventory)}"
        )
    return running.plan_repairs(inventory, deployment)


def deployment_of(stack_state: StackState, cli: Path) -> Deployment:
    """What the engine has recorded of the stack; nothing where it does not know the stack."""
    if stack_state.embedded:
        return checkpoint.recorded(stack_state)
    run = subprocess.run(
        [str(cli), "stack", "export", "--stack", stack_state.stack, "--non-interactive"],
        cwd=stack_state.root,
        env=engine.environment(stack_state, os.environ, cli),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        return Deployment()  # what is wrong, the CLI says when it is called for good
    return Deployment.of(json.loads(run.stdout).get("deployment") or {})


def _with_docker_host(stack_state: StackState, content: Mapping[str, Any]) -> dict[str, Any]:
    """The copy's content with the Docker host that `docker` talks to, on a first use where that is not the default."""
    config = dict(content["config"])
    if checkpoint.is_empty(stack_state) and not {"docker:host", "docker:context"} & set(config):
        host = preflight.current_docker_host()
        if host != DEFAULT_DOCKER_URL:
            config["docker:host"] = host
            print(f"docker:host is {host}, where docker commands go now ({_kept(stack_state, 'docker:host')})")
    return {**content, "config": config}


def _with_address(stack_state: StackState, content: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The copy's content with this machine's address, for a local name on a local Docker host.

    One that is set stays. One that was found here earlier is found again: a laptop changes its network.
    """
    config = dict(content["config"])
    key = f"{stackfile.read_project(stack_state.root)['name']}:{ADDRESS}"
    found, now = local_copy.detected_values(stack_state).get(ADDRESS), config.get(key)
    if now is not None and now != found:
        return {**content, "config": config}  # it is set
    if not settings.public_url.is_local_name or not preflight.is_local(settings):
        return {**content, "config": config}
    address = preflight.lan_address()
    if address is None:
        stays = f"stays {now}" if now else "stays unset"
        print(f"warning: no network: {ADDRESS} {stays}, so calls work on this machine only")
    elif address != now:
        config[key] = address
        local_copy.keep_detected(stack_state, {ADDRESS: address})
        before = f", and was {now}" if now else ""
        print(f"{ADDRESS} is {address}, this machine in its network{before} ({_kept(stack_state, ADDRESS)})")
    return {**content, "config": config}


def _kept(stack_state: StackState, key: str) -> str:
    change = make(stack_state.stack, "config", f"ARGS='set {key} VALUE'")
    return f"kept in {DIRECTORY}/{stack_state.config_file.name}; to change it: {change}"


def write_copy(stack_state: StackState, content: Mapping[str, Any], dropped: Sequence[str]) -> None:
    """Writes the local copy of the stack file, and says which local values gave way."""
    local_copy.write_copy(stack_state, content)
    for key in dropped:
        print(
            f"{key} comes from {stack_state.tracked.name} again, which changed; what was set on this machine is dropped"
        )
