"""Stacks side by side on one host, and what is left when they are destroyed: nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine import docker_host
from tests.engine.conftest import WorkspaceMaker
from tests.engine.docker_host import docker
from tests.engine.workspace import Workspace

JITSI = {"web", "prosody", "jvb", "jicofo"}


@pytest.fixture(scope="module")
def two(make_workspace: WorkspaceMaker) -> tuple[Workspace, Workspace]:
    """Two stacks, brought up at the same time: the second with the Docker host given and a broker of its own."""
    first = make_workspace()
    second = make_workspace(
        **{"docker:host": "unix:///var/run/docker.sock"}, enableStatistics=True, rabbitMq="embedded"
    )
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first.up), pool.submit(second.up)]:
            done.result()
    return first, second


def health(stack: Workspace) -> dict[str, str]:
    return {role: one["State"]["Health"]["Status"] for role, one in docker_host.containers(stack.stack).items()}


def test_two_stacks_run_side_by_side_on_one_host(two: tuple[Workspace, Workspace]) -> None:
    first, second = two
    assert health(first) == dict.fromkeys(JITSI, "healthy")
    assert health(second) == dict.fromkeys(JITSI | {"rabbitmq"}, "healthy")


def test_each_stack_has_passwords_of_its_own(two: tuple[Workspace, Workspace]) -> None:
    first, second = (set(stack.outputs()["credentials"].values()) for stack in two)
    assert not first & second


def test_the_services_of_one_stack_do_not_reach_those_of_the_other(two: tuple[Workspace, Workspace]) -> None:
    first, second = two
    there = docker_host.containers(second.stack)["web"]["NetworkSettings"]["Networks"]
    address = there[f"videobackend-{second.stack}-meet.jitsi"]["IPAddress"]
    probe = ("timeout", "3", "wget", "-q", "-O", "-", f"http://{address}:8000/")
    assert docker("exec", f"videobackend-{second.stack}-prosody", *probe) == "ok\n"
    assert docker("exec", f"videobackend-{first.stack}-prosody", *probe, check=False) == ""


def test_prosody_alone_shares_a_network_with_the_embedded_broker(two: tuple[Workspace, Workspace]) -> None:
    _, second = two
    containers = docker_host.containers(second.stack)
    networks = {role: set(one["NetworkSettings"]["Networks"]) for role, one in containers.items()}
    statistics, calls = (f"videobackend-{second.stack}-{name}" for name in ("statistics", "meet.jitsi"))
    assert networks.pop("rabbitmq") == {statistics}
    assert networks.pop("prosody") == {statistics, calls}
    assert all(one == {calls} for one in networks.values())
    assert not any((containers["rabbitmq"]["NetworkSettings"]["Ports"] or {}).values())


def test_a_stack_with_a_given_docker_host_and_a_broker_has_nothing_left_to_do(
    two: tuple[Workspace, Workspace],
) -> None:
    run = two[1].preview("--refresh", "--expect-no-changes")
    assert run.code == 0, run.text


def test_destroy_leaves_no_container_network_or_volume_and_the_other_stack_in_peace(
    two: tuple[Workspace, Workspace],
) -> None:
    """Nor an anonymous volume of those that the images declare."""
    first, second = two
    ours = docker_host.mounted_volumes(second.stack)
    assert len([name for name in ours if not name.startswith("videobackend-")]) == 6, "stand-ins declare volumes"
    kept = docker_host.identities(first.stack)
    second.destroy()
    assert docker_host.leftovers(second.stack) == []
    assert not ours & set(docker("volume", "ls", "--quiet").split())
    assert docker_host.identities(first.stack) == kept
    assert health(first) == dict.fromkeys(JITSI, "healthy")
