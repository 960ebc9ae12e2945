"""What Docker has of a stack against what the engine has recorded of it: the engine itself looks at what it changes only.

Owns finding what is missing, stopped, cut off from its network or half made, what the next `up` has to be told so that
it puts that right in the same run, and whether afterwards everything runs. Judges by ids, so that another checkout's
container of the same name does not count. Changes nothing but what was left half made.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from components.resources.docker_cli import DockerCli
from components.stack.topology import LABEL_ROLE, LABEL_STACK
from ops.errors import OpsError
from ops.project.checkpoint import CONTAINER, NETWORK, VOLUME, Deployment, Recorded
from ops.project.fixes import make

_HEALTH_SECONDS: Final = 120.0
"""How long a container that was just started may take to become healthy."""
_PAUSE: Final = 1.0


@dataclass(frozen=True)
class Container:
    """A container of the stack as Docker has it."""

    id: str
    name: str
    role: str
    status: str
    """created, running, paused, restarting, exited or dead."""
    health: str
    """starting, healthy or unhealthy; empty without a health check."""
    networks: Mapping[str, str]
    """Id of each network that it is in, by name."""
    exit_code: int

    @classmethod
    def read(cls, inspected: Mapping[str, Any]) -> Container:
        """From one entry of `docker container inspect`."""
        state = inspected["State"]
        networks = inspected["NetworkSettings"]["Networks"] or {}
        return cls(
            id=inspected["Id"],
            name=inspected["Name"].removeprefix("/"),
            role=inspected["Config"]["Labels"].get(LABEL_ROLE, ""),
            status=state["Status"],
            health=(state.get("Health") or {}).get("Status", ""),
            networks={name: (about or {}).get("NetworkID", "") for name, about in networks.items()},
            exit_code=state["ExitCode"],
        )

    @property
    def fault(self) -> str:
        """What is wrong with it, in a few words; empty where it runs as it should, or is about to."""
        if self.status == "running":
            return "unhealthy" if self.health == "unhealthy" else ""
        return f"exited with {self.exit_code}" if self.status == "exited" else self.status


@dataclass(frozen=True)
class Repairs:
    """What an `up` has to be told beside its own business.

    Args:
        refresh: URNs whose record is out of date: the engine makes them anew once it has looked.
        replace: URNs of containers that run and have lost their network.
        half_made: containers and networks that an interrupted run left, which stand in the way.
        paused: names of containers to be resumed.
        messages: a line each for the operator.
    """

    refresh: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    half_made: tuple[Container, ...] = ()
    half_made_networks: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    messages: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Inventory:
    """What Docker has of a stack.

    Args:
        containers: all with the stack's label.
        networks: id by name, with the stack's label.
        volumes: names, with the stack's label.
    """

    containers: tuple[Container, ...]
    networks: Mapping[str, str]
    volumes: frozenset[str]

    @property
    def nothing(self) -> bool:
        return not (self.containers or self.networks or self.volumes)


def read_inventory(docker: DockerCli, stack: str) -> Inventory:
    """What the Docker host has of the stack. Raises OpsError where it does not answer."""
    label = ("--filter", f"label={LABEL_STACK}={stack}")
    ids = _ask(docker, "ps", "--all", "--no-trunc", "--quiet", *label).split()
    inspected = json.loads(_ask(docker, "container", "inspect", *ids)) if ids else []
    networks = _ask(docker, "network", "ls", "--no-trunc", *label, "--format", "{{.Name}}\t{{.ID}}")
    volumes = _ask(docker, "volume", "ls", *label, "--format", "{{.Name}}")
    return Inventory(
        containers=tuple(Container.read(one) for one in inspected),
        networks=dict(line.split("\t") for line in networks.splitlines()),
        volumes=frozenset(volumes.split()),
    )


def _ask(docker: DockerCli, *words: str) -> str:
    run = docker.run(*words)
    if run.returncode:
        errors = run.stderr.strip().splitlines() or ["docker said nothing"]
        raise OpsError(f"the Docker host cannot be asked for the stack's containers: {errors[-1]}")
    return run.stdout


def plan_repairs(inventory: Inventory, deployment: Deployment) -> Repairs:
    """What has to be put right, for a stack that the engine has recorded."""
    by_id = {one.id: one for one in inventory.containers}
    networks = {one.name: one.id for one in deployment.of_type(NETWORK)}
    refresh, replace, messages = [], [], []
    for kind, present in ((NETWORK, set(inventory.networks.values())), (VOLUME, inventory.volumes)):
        for one in deployment.of_type(kind):
            if (one.id if kind == NETWORK else one.name) not in present:
                refresh.append(one.urn)
                messages.append(f"{one.name} is missing: it is made anew")
    paused = []
    for one in deployment.of_type(CONTAINER):
        container = by_id.get(one.id)
        if container is None:
            refresh.append(one.urn)
            messages.append(f"{one.name} is missing: it is made anew")
        elif container.status in ("exited", "created", "dead"):
            refresh.append(one.urn)
            messages.append(f"{one.name} does not run ({container.fault}): it is made anew")
        elif _cut_off(one, container, networks, inventory):
            replace.append(one.urn)
            messages.append(f"{one.name} has lost its network: it is made anew")
        elif container.status == "paused":
            paused.append(one.name)
            messages.append(f"{one.name} was paused: it goes on")
    half_made = tuple(_half_made(inventory, deployment, set(networks.values())))
    messages += [f"{one.name} was left half made by a run that was ended: it is removed" for one in half_made]
    names = tuple(_half_made_networks(inventory, deployment, set(networks.values())))
    messages += [f"{name} was left half made by a run that was ended: it is removed" for name in names]
    return Repairs(tuple(refresh), tuple(replace), half_made, names, tuple(paused), tuple(messages))


def _cut_off(recorded: Recorded, container: Container, networks: Mapping[str, str], inventory: Inventory) -> bool:
    """Whether a container is not, or will not stay, in a network that it was made in."""
    wanted = [str(one.get("name")) for one in recorded.inputs.get("networksAdvanced") or () if isinstance(one, Mapping)]
    present = set(inventory.networks.values())
    return any(
        networks.get(name) not in present or container.networks.get(name) != networks.get(name) for name in wanted
    )


def _half_made(inventory: Inventory, deployment: Deployment, networks: set[str]) -> Iterator[Container]:
    """Containers that nobody has recorded and that are this stack's.

    They were about to be made when the run ended, or are in the stack's network alone. (One that was never started has a
    network without an id, and only this stack's has that name.)
    """
    known = {one.id for one in deployment.of_type(CONTAINER)}
    has_networks = bool(networks & set(inventory.networks.values()))
    for one in inventory.containers:
        if one.id not in known:
            within = {number for name, number in one.networks.items() if name != "host"}
            if _pending(deployment, f"-{one.role}") or (has_networks and within <= {*networks, ""}):
                yield one


def _half_made_networks(inventory: Inventory, deployment: Deployment, networks: set[str]) -> Iterator[str]:
    if _pending(deployment, "-network"):
        yield from (name for name, number in inventory.networks.items() if number not in networks)


def _pending(deployment: Deployment, ending: str) -> bool:
    return any(urn.endswith(ending) for urn in deployment.pending)


def unexpected_containers(inventory: Inventory, deployment: Deployment) -> list[Container]:
    """Containers with the stack's label that are not this state's, and not half made by it either."""
    known = {one.id for one in deployment.of_type(CONTAINER)}
    half_made = plan_repairs(inventory, deployment).half_made
    return [one for one in inventory.containers if one.id not in known and one not in half_made]


def remove_half_made(docker: DockerCli, repairs: Repairs) -> None:
    """Removes what was left half made, and lets paused containers go on. Raises OpsError where Docker refuses."""
    if repairs.half_made:
        _ask(docker, "rm", "--force", "--volumes", *(one.id for one in repairs.half_made))
    if repairs.half_made_networks:
        _ask(docker, "network", "rm", *repairs.half_made_networks)
    if repairs.paused:
        _ask(docker, "unpause", *repairs.paused)


def removal(docker: DockerCli, inventory: Inventory) -> str:
    """The commands that remove all of it, as an operator types them."""
    commands = []
    if inventory.containers:
        commands.append(docker.typed("rm", "--force", "--volumes", *(one.name for one in inventory.containers)))
    if inventory.networks:
        commands.append(docker.typed("network", "rm", *inventory.networks))
    if inventory.volumes:
        commands.append(docker.typed("volume", "rm", *sorted(inventory.volumes)))
    return "; ".join(commands)


def check_all_run(docker: DockerCli, stack: str, deployment: Deployment, roles: Sequence[str]) -> None:
    """That every container runs, is healthy, is the recorded one and is in its networks.

    Waits for those that were just started.

    Args:
        docker: the way to the Docker host.
        stack: the stack.
        deployment: what the engine has recorded after its run.
        roles: the services that the settings ask for.

    Raises:
        OpsError: with what is wrong with each that is not so.
    """
    end = time.monotonic() + _HEALTH_SECONDS
    while True:
        inventory = read_inventory(docker, stack)
        starting = [one for one in inventory.containers if one.status == "running" and one.health == "starting"]
        if not starting or time.monotonic() > end:
            break
        time.sleep(_PAUSE)
    faults = list(_faults(inventory, deployment, roles))
    if faults:
        names = [one.name for one in inventory.containers if one.fault]
        logs = "; ".join(docker.typed("logs", "--tail", "20", name) for name in names)
        again = docker.typed("restart", *names) if names else ""
        fix = f"; why: {logs}; to start them again: {again}" if names else f"; {make(stack, 'up')} makes that good"
        raise OpsError(f"the engine is done, and the stack does not run as it should: {'; '.join(faults)}{fix}")


def _faults(inventory: Inventory, deployment: Deployment, roles: Sequence[str]) -> Iterator[str]:
    by_id = {one.id: one for one in inventory.containers}
    networks = {one.name: one.id for one in deployment.of_type(NETWORK)}
    made = list(deployment.of_type(CONTAINER))
    for role in roles:
        if not any(re.search(rf"::[^:]*-{re.escape(role)}$", one.urn) for one in made):
            yield f"{role} is not recorded"
    for one in made:
        container = by_id.get(one.id)
        if container is None:
            yield f"{one.name} is missing"
        elif container.fault:
            yield f"{one.name} is {container.fault}"
        elif container.health == "starting":
            yield f"{one.name} is not healthy after {_HEALTH_SECONDS:g} seconds"
        elif _cut_off(one, container, networks, inventory):
            yield f"{one.name} is not in its network"
