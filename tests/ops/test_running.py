"""What Docker has of a stack against what the engine has recorded of it: what an `up` is told, removes, and finds wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from ops import running
from ops.project.checkpoint import CONTAINER, NETWORK, VOLUME, Deployment, Recorded
from ops.running import Container, Inventory

NAME: Final = "videobackend-dev-meet.jitsi"
WEB: Final = Container(
    id="id-web",
    name="videobackend-dev-web",
    role="web",
    status="running",
    health="healthy",
    networks={NAME: "own"},
    exit_code=0,
)
UNKNOWN: Final = replace(WEB, id="id-unknown")
"""A container with the labels of the recorded one, which nobody has recorded."""


def recorded(kind: str, urn_name: str, number: str, name: str, *networks: str) -> Recorded:
    inputs = {"name": name, "networksAdvanced": [{"name": one} for one in networks]}
    return Recorded(f"urn:pulumi:dev::videobackend::{kind}::{urn_name}", kind, number, inputs, {})


RECORDED: Final = Deployment(
    (
        recorded(NETWORK, "videobackend-network", "own", NAME),
        recorded(VOLUME, "videobackend-web-storage", "videobackend-dev-web-storage", "videobackend-dev-web-storage"),
        recorded(CONTAINER, "videobackend-web", "id-web", "videobackend-dev-web", NAME),
    )
)


def inventory(*containers: Container, own: str = "own", **networks: str) -> Inventory:
    """What Docker has: these containers, the stack's network by this id, further networks, and the volume."""
    here = {NAME: own} if own else {}
    return Inventory(containers, {**here, **networks}, frozenset({"videobackend-dev-web-storage"}))


def names(urns: tuple[str, ...]) -> list[str]:
    return [one.rpartition("::")[2] for one in urns]


@pytest.mark.parametrize("status", ["exited", "created", "dead"])
def test_a_container_that_does_not_run_is_made_anew(status: str) -> None:
    repairs = running.plan_repairs(inventory(replace(WEB, status=status)), RECORDED)
    assert (names(repairs.refresh), repairs.replace, repairs.paused) == (["videobackend-web"], (), ())


def test_a_container_of_the_same_name_and_another_id_does_not_stand_for_the_recorded_one() -> None:
    assert names(running.plan_repairs(inventory(UNKNOWN), RECORDED).refresh) == ["videobackend-web"]


@pytest.mark.parametrize("status", ["running", "restarting"])
def test_what_runs_or_is_being_started_again_is_left_alone(status: str) -> None:
    assert running.plan_repairs(inventory(replace(WEB, status=status)), RECORDED) == running.Repairs()


def test_a_paused_container_goes_on_and_is_not_made_anew() -> None:
    repairs = running.plan_repairs(inventory(replace(WEB, status="paused")), RECORDED)
    assert (repairs.refresh, repairs.replace, repairs.paused) == ((), (), ("videobackend-dev-web",))


@pytest.mark.parametrize("networks", [{}, {NAME: "another"}, {"bridge": "b"}])
def test_a_container_that_has_lost_its_network_is_replaced(networks: dict[str, str]) -> None:
    repairs = running.plan_repairs(inventory(replace(WEB, networks=networks)), RECORDED)
    assert (repairs.refresh, names(repairs.replace)) == ((), ["videobackend-web"])


@pytest.mark.parametrize("now", ["", "another"])
def test_with_a_network_that_is_gone_or_another_one_its_containers_are_replaced_too(now: str) -> None:
    """They still name the network that they were made in, and do not get into the next one by themselves."""
    repairs = running.plan_repairs(inventory(WEB, own=now), RECORDED)
    assert (names(repairs.refresh), names(repairs.replace)) == (["videobackend-network"], ["videobackend-web"])


def test_a_volume_that_is_gone_is_made_anew() -> None:
    repairs = running.plan_repairs(replace(inventory(WEB), volumes=frozenset()), RECORDED)
    assert names(repairs.refresh) == ["videobackend-web-storage"]


@pytest.mark.parametrize(
    ("networks", "own", "half_made"),
    [
        pytest.param({NAME: "own"}, "own", True, id="in the stack's network alone"),
        pytest.param({NAME: ""}, "own", True, id="never started"),
        pytest.param({"host": "h"}, "own", True, id="in the host's network"),
        pytest.param({NAME: "own", "bridge": "b"}, "own", False, id="in another network too"),
        pytest.param({NAME: "another"}, "own", False, id="in another checkout's network of the same name"),
        pytest.param({NAME: ""}, "another", False, id="never started, and the network is another checkout's"),
        pytest.param({"host": "h"}, "", False, id="in the host's network, and the stack's is gone"),
    ],
)
def test_a_container_that_nobody_has_recorded_is_removed_only_where_it_must_be_this_states(
    networks: dict[str, str], own: str, half_made: bool
) -> None:
    one = replace(UNKNOWN, networks=networks)
    docker_has = inventory(WEB, one, own=own)
    assert (running.plan_repairs(docker_has, RECORDED).half_made == (one,)) is half_made
    assert (running.unexpected_containers(docker_has, RECORDED) == [one]) is not half_made


def test_a_container_that_was_about_to_be_made_is_this_states_wherever_it_is() -> None:
    pending = replace(RECORDED, pending=frozenset({"urn:pulumi:dev::videobackend::x::videobackend-web"}))
    docker_has = inventory(
        replace(UNKNOWN, networks={"bridge": "b"}), replace(UNKNOWN, id="id-jvb", role="jvb", networks={"a": "b"})
    )
    assert [one.id for one in running.plan_repairs(docker_has, pending).half_made] == ["id-unknown"]
    assert [one.id for one in running.unexpected_containers(docker_has, pending)] == ["id-jvb"]


def test_of_the_networks_only_one_that_was_about_to_be_made_and_is_not_recorded_is_removed() -> None:
    docker_has = inventory(WEB, statistics="new")
    assert running.plan_repairs(docker_has, RECORDED).half_made_networks == ()
    pending = frozenset({"urn:pulumi:dev::videobackend::x::videobackend-statistics-network"})
    assert running.plan_repairs(docker_has, replace(RECORDED, pending=pending)).half_made_networks == ("statistics",)


@pytest.mark.parametrize(
    ("docker_has", "roles", "faults"),
    [
        pytest.param(inventory(WEB), ["web"], [], id="all is well"),
        pytest.param(inventory(), ["web"], ["videobackend-dev-web is missing"], id="missing"),
        pytest.param(inventory(UNKNOWN), ["web"], ["videobackend-dev-web is missing"], id="another one"),
        pytest.param(inventory(WEB), ["web", "eb"], ["eb is not recorded"], id="never made"),
        pytest.param(
            inventory(replace(WEB, health="starting")),
            ["web"],
            ["videobackend-dev-web is not healthy after 120 seconds"],
            id="still starting",
        ),
        pytest.param(
            inventory(replace(WEB, networks={})), ["web"], ["videobackend-dev-web is not in its network"], id="cut off"
        ),
        pytest.param(
            inventory(replace(WEB, status="exited", exit_code=3, networks={})),
            ["web"],
            ["videobackend-dev-web is exited with 3"],
            id="exited",
        ),
    ],
)
def test_after_an_up_each_service_must_be_recorded_and_that_very_container_healthy_and_in_its_networks(
    docker_has: Inventory, roles: list[str], faults: list[str]
) -> None:
    assert list(running._faults(docker_has, RECORDED, roles)) == faults
