"""What an operator reads when an image does not come or a container does not become healthy.

Owns the last log lines of the failed container, the hint where to look, and that nothing else clutters them. Runs
inside `pulumi up` as an error hook; never retries and never fails itself.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable
from typing import Final

import pulumi

from components.resources.docker_cli import DockerCli
from components.stack.spec import HIDDEN, ContainerSpec, SecretRef

_LINES: Final = 20
_SECONDS: Final = 15
_SHORTEST_SECRET: Final = 6
_ALREADY_EXPLAINED: Final = 32
"""Exit code that tells Pulumi's Python host that the user has been told what went wrong."""


def container_hook(name: str, spec: ContainerSpec, container: str, docker: DockerCli) -> pulumi.ErrorHook:
    """A hook that explains why `container` failed.

    Args:
        name: the hook's name, unique in the program.
        spec: what runs in the container.
        container: its physical name.
        docker: the way to the Docker host.
    """

    async def explain(args: pulumi.ErrorHookArgs) -> bool:
        if args.failed_operation != "delete":
            # A list with a secret in it arrives as one secret Output.
            envs = await pulumi.Output.from_input((args.new_inputs or {}).get("envs", [])).future()
            pulumi.log.error(explanation(spec.role, container, docker, _secret_values(spec, envs or [])))
        _leave_quietly()
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
        _leave_quietly()
        return False

    return pulumi.ErrorHook(name, explain)


def explanation(role: str, container: str, docker: DockerCli, secrets: Iterable[str]) -> str:
    """The last log lines of `container`, secrets blotted out, and where to look next."""
    logs = ("logs", "--tail", str(_LINES), container)
    hint = f"look at: {docker.typed(*logs)}"
    if docker.unusable:
        return f"{role} did not start or did not become healthy; {hint} ({docker.unusable})"
    run = docker.run(*logs, seconds=_SECONDS, joined=True)
    if run.returncode:
        return f"{role} did not start or did not become healthy; {hint}"
    text = run.stdout
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    lines = [f"    {line}" for line in text.splitlines()] or ["    (it has logged nothing)"]
    return "\n".join([f"{role} did not start or did not become healthy. The last lines of its log:", *lines, hint])


def _leave_quietly() -> None:
    """Ends the program without a traceback when the engine interrupts it, as it does after any failure."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, lambda *_: os._exit(_ALREADY_EXPLAINED))


def _secret_values(spec: ContainerSpec, envs: Iterable[object]) -> list[str]:
    names = {name for name, value in spec.environment.items() if isinstance(value, SecretRef)}
    pairs = (item.partition("=") for item in envs if isinstance(item, str))
    return [value for name, _, value in pairs if name in names and len(value) >= _SHORTEST_SECRET]
