"""What an operator reads when an image does not come or a container does not become healthy.

Owns Docker's own error, or the last log lines, of the failed container and of what it needs, the hint where to look, and that nothing else
clutters them. Runs inside `pulumi up` as an error hook; never retries and never fails itself.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi

from components.resources.docker_cli import DockerCli
from components.resources.secret_values import Secrets
from components.stack.spec import HIDDEN, ContainerSpec

_LINES: Final = 20
_SECONDS: Final = 15
_SHORTEST_SECRET: Final = 6
_HEALTHY: Final = "healthy"
_ALREADY_EXPLAINED: Final = 32
"""Exit code that tells Pulumi's Python host that the user has been told what went wrong."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A container that may be the cause of a failure.

    Args:
        role: what it is in the stack.
        container: its name on the Docker host.
        secrets: what it was given and its log must not show.
    """

    role: str
    container: str
    secrets: Sequence[pulumi.Output[str]]


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What runs when the image of a service, or its container, fails."""

    image: pulumi.ErrorHook
    container: pulumi.ErrorHook


def hooks(
    name: str, specs: Iterable[ContainerSpec], containers: Mapping[str, str], secrets: Secrets, docker: DockerCli
) -> dict[str, Hooks]:
    """The hooks of each service, by its role.

    Args:
        name: prefix of the hooks' names.
        specs: the services.
        containers: their containers' names on the Docker host, by role.
        secrets: the values of those that the specs name.
        docker: the way to the Docker host.
    """
    by_role = {spec.role: spec for spec in specs}
    with_needs = {role: _with_needs(role, by_role) for role in by_role}
    suspects = {
        role: Suspect(
            role=role, container=containers[role], secrets=[secrets[one] for one in sorted(spec.secret_names)]
        )
        for role, spec in by_role.items()
    }
    return {
        role: Hooks(
            image=image_hook(f"{name}-{role}-image-diagnosis", spec.image, docker),
            container=container_hook(f"{name}-{role}-diagnosis", [suspects[one] for one in with_needs[role]], docker),
        )
        for role, spec in by_role.items()
    }


def _with_needs(role: str, specs: Mapping[str, ContainerSpec]) -> list[str]:
    """The role, and all that it needs to become healthy, nearest first."""
    roles = [role]
    for one in roles:  # grows as it goes
        roles += [other for other in (*specs[one].needs, *specs[one].starts_after) if other not in roles]
    return roles


def container_hook(name: str, suspects: Sequence[Suspect], docker: DockerCli) -> pulumi.ErrorHook:
    """A hook that explains why a container failed.

    Args:
        name: the hook's name, unique in the program.
        suspects: the container, and then those that it needs to become healthy.
        docker: the way to the Docker host.
    """

    async def explain(args: pulumi.ErrorHookArgs) -> bool:
        if args.failed_operation != "delete":
            secrets = await pulumi.Output.all(*(one for suspect in suspects for one in suspect.secrets)).future()
            long_enough = [one for one in secrets or [] if len(one) >= _SHORTEST_SECRET]
            failed, *beneath = suspects
            # What is down drags along those above it, so the deepest one that is not well is the cause.
            causes = [one for one in beneath if _health(one.container, docker) not in (_HEALTHY, None)]
            for one in reversed(causes):
                pulumi.log.error(f"{failed.role} needs {one.role}: " + explanation(one, docker, long_enough))
            pulumi.log.error(explanation(failed, docker, long_enough))
        exit_without_traceback()
        return False

    return pulumi.ErrorHook(name, explain)


def image_hook(name: str, image: str, docker: DockerCli) -> pulumi.ErrorHook:
    """A hook that says what to look at when `image` cannot be fetched."""

    def explain(args: pulumi.ErrorHookArgs) -> bool:
        if args.failed_operation != "delete":
            pulumi.log.error(
                f"cannot get the image {image}: can the Docker host reach its registry, and is there such a release? "
                f"`{docker.typed('pull', image)}` shows it; imageRegistry and jitsiRelease say where it comes from"
            )
        exit_without_traceback()
        return False

    return pulumi.ErrorHook(name, explain)


def explanation(suspect: Suspect, docker: DockerCli, secrets: Iterable[str]) -> str:
    """Why Docker could not start a container, or else its last log lines; secrets masked, and where to look next."""
    logs = ("logs", "--tail", str(_LINES), suspect.container)
    failure = f"{suspect.role} did not start or did not become healthy"
    hint = f"look at: {docker.typed(*logs)}"
    if docker.unusable:
        return f"{failure}; {hint} ({docker.unusable})"
    if error := _start_error(suspect.container, docker):
        return f"Docker could not start {suspect.role}: {_masked(error, secrets)}"
    run = docker.run(*logs, seconds=_SECONDS, joined=True)
    if run.returncode:
        return f"{failure}; {hint}"
    text = _masked(run.stdout, secrets)
    lines = [f"    {line}" for line in text.splitlines()] or ["    (it has logged nothing)"]
    return "\n".join([f"{failure}. The last lines of its log:", *lines, hint])


def _masked(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _start_error(container: str, docker: DockerCli) -> str:
    """Docker's own words where the last start of a container failed, and so its log says nothing; else empty."""
    run = docker.run("inspect", "--format", "{{json .State.Error}}", container, seconds=_SECONDS)
    try:
        error = json.loads(run.stdout)
    except ValueError:
        return ""
    return " ".join(error.split()) if isinstance(error, str) else ""


def _health(container: str, docker: DockerCli) -> str | None:
    """Docker's word for it, such as `healthy`; `missing` where there is no such container, None where nobody can say."""
    if docker.unusable:
        return None
    run = docker.run("inspect", "--format", "{{.State.Health.Status}}", container, seconds=_SECONDS)
    if run.returncode:
        return "missing" if "no such object" in run.stderr.lower() else None
    return run.stdout.strip()


def exit_without_traceback() -> None:
    """Ends the program without a traceback when it is interrupted: by Ctrl-C, or by the engine after any failure."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, lambda *_: os._exit(_ALREADY_EXPLAINED))
