"""What Docker itself says: containers as it runs them, and the events of their lives."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import dataclass
from typing import Any, Final

from tests.engine.toolbox import DOCKER

LABEL: Final = "videobackend.stack"


def docker(*arguments: str, check: bool = True) -> str:
    """Output of a docker command."""
    run = subprocess.run([*DOCKER, *arguments], capture_output=True, text=True, check=False)
    if check and run.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {run.stderr.strip()}")
    return run.stdout


def containers(stack: str) -> dict[str, dict[str, Any]]:
    """The stack's containers as `docker inspect` shows them, by role."""
    ids = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={stack}").split()
    found = json.loads(docker("inspect", *ids)) if ids else []
    return {one["Config"]["Labels"]["videobackend.role"]: one for one in found}


def identities(stack: str) -> dict[str, str]:
    """Container ids by role: a new id is a replaced container."""
    return {role: one["Id"] for role, one in containers(stack).items()}


def environment(container: dict[str, Any]) -> dict[str, str]:
    """A container's variables."""
    pairs = (item.partition("=") for item in container["Config"]["Env"])
    return {name: value for name, _, value in pairs}


def leftovers(stack: str) -> list[str]:
    """Containers, networks and volumes that carry the stack's label or name."""
    found = []
    for kind in ("container", "network", "volume"):
        everything = ("--all",) if kind == "container" else ()
        name = "{{.Names}}" if kind == "container" else "{{.Name}}"
        for chosen in (f"label={LABEL}={stack}", f"name=-{stack}-"):
            found += docker(kind, "ls", *everything, "--filter", chosen, "--format", f"{kind} {name}").splitlines()
    return sorted(set(found))


def remove_everything(stack: str) -> None:
    """For when destroy itself has failed: takes the stack's things away by their label."""
    for kind, options in (("container", ("--force", "--volumes")), ("network", ()), ("volume", ("--force",))):
        for line in leftovers(stack):
            if line.startswith(f"{kind} "):
                docker(kind, "rm", *options, line.split()[1], check=False)


def mounted_volumes(stack: str) -> set[str]:
    """Names of all volumes that the stack's containers use, anonymous ones among them."""
    mounts = (mount for one in containers(stack).values() for mount in one["Mounts"])
    return {mount["Name"] for mount in mounts if mount["Type"] == "volume"}


@dataclass(frozen=True)
class Event:
    """Something that happened to a container; `nanoseconds` since 1970."""

    role: str
    action: str
    nanoseconds: int
    attributes: dict[str, str]
    container: str


class Events:
    """A record of container events of one stack, taken while they happen (the daemon forgets them soon)."""

    def __init__(self, stack: str) -> None:
        chosen = [f"label={LABEL}={stack}", "type=container"]
        chosen += [f"event={one}" for one in ("start", "die", "kill", "destroy", "health_status")]
        command = [*DOCKER, "events", "--format", "{{json .}}"]
        self._process = subprocess.Popen(
            [*command, *(argument for one in chosen for argument in ("--filter", one))],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._seen: list[Event] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            event = json.loads(line)
            attributes = event["Actor"]["Attributes"]
            role = attributes.get("videobackend.role", "")
            self._seen.append(Event(role, event["Action"], event["timeNano"], attributes, event["Actor"]["ID"]))

    def mark(self) -> int:
        """A point in the record; `since` takes it."""
        return len(self._seen)

    def since(self, mark: int) -> list[Event]:
        """What has happened since then."""
        return self._seen[mark:]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.join()
