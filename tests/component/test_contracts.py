"""What must hold for every resource of every scenario, but for its secrets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pytest

from tests.component.recorder import (
    PROJECT,
    STACK_TYPE,
    Recording,
    Registered,
    reveal,
    scenario,
)
from tests.component.tokens import COMPONENTS, CONTAINER, IMAGE, NETWORK, VOLUME


@pytest.fixture
def backend(recording: Recording) -> Registered:
    (component,) = recording.of_type(COMPONENTS["VideoBackend"])
    return component


def children(recording: Recording) -> list[Registered]:
    """All resources but the stack, the component itself and providers."""
    apart = (STACK_TYPE, COMPONENTS["VideoBackend"])
    return [one for one in recording.resources if one.type not in apart and "pulumi:providers:" not in one.type]


def labels(resource: Registered) -> dict[str, str]:
    return {item["label"]: item["value"] for item in resource.inputs["labels"]}


def test_every_urn_is_unique(recording: Recording) -> None:
    urns = [one.urn for one in recording.resources]
    assert len(set(urns)) == len(urns)


def test_every_parent_chain_ends_at_the_video_backend(recording: Recording, backend: Registered) -> None:
    for child in children(recording):
        seen = [child]
        while seen[-1].urn != backend.urn:
            assert seen[-1].parent, f"{child.urn} hangs outside the component"
            seen.append(recording.by_urn(seen[-1].parent))
            assert len(seen) < 10, f"{child.urn} goes round in a circle"


def test_every_name_starts_with_the_components(recording: Recording, backend: Registered) -> None:
    for child in children(recording):
        assert child.name.startswith(f"{backend.name}-"), child.urn
        assert re.fullmatch(r"[a-z0-9-]+", child.name), f"{child.urn}: names are of these characters alone"


def test_physical_names_carry_component_and_stack(recording: Recording) -> None:
    named = [one for one in children(recording) if one.type.startswith("docker:") and one.type != IMAGE]
    assert named
    for resource in named:
        assert resource.inputs["name"].startswith(f"{PROJECT}-dev-"), resource.urn


@pytest.mark.parametrize("name", ["defaults", "embedded broker"])
def test_two_stacks_on_one_host_share_no_physical_name(name: str) -> None:
    def physical(stack: str) -> set[str]:
        resources = scenario(name, stack).resources
        return {one.inputs["name"] for one in resources if one.type.startswith("docker:") and one.type != IMAGE}

    assert physical("dev")
    assert not physical("dev") & physical("prod")


def test_every_container_says_which_stack_and_role_it_is(recording: Recording) -> None:
    for role, container in recording.containers.items():
        found = labels(container)
        assert found["videobackend.stack"] == "dev", role
        assert found["videobackend.role"] == role


def test_another_fingerprint_of_what_it_sees_replaces_a_container(recording: Recording) -> None:
    for role, container in recording.containers.items():
        assert len(container.replacement_trigger) == 16, role


def test_fingerprints_differ_between_services(recording: Recording) -> None:
    hashes = [container.replacement_trigger for container in recording.containers.values()]
    assert len(set(hashes)) == len(hashes)


def test_networks_and_volumes_say_which_stack_they_belong_to(recording: Recording) -> None:
    found = recording.of_type(NETWORK, VOLUME)
    assert len(found) >= 3
    for resource in found:
        assert labels(resource)["videobackend.stack"] == "dev", resource.urn


CAPABILITIES: Final = {"coturn": ["CAP_NET_BIND_SERVICE"]}
"""What is not taken from a container."""

CONTAINER_RULES: Final[dict[str, Callable[[Registered], object]]] = {
    "has a health check that is not empty": lambda one: one.inputs["healthcheck"]["tests"][0] in ("CMD", "CMD-SHELL"),
    "is asked for its health every two seconds": lambda one: one.inputs["healthcheck"]["interval"] == "2s",
    "is stopped gracefully": lambda one: one.inputs["destroyGraceSeconds"] >= 10,
    "is deleted before its replacement takes name and ports": lambda one: one.delete_before_replace,
    "is made anew after a failed first start": lambda one: one.replace_on_changes == ("#initerror",),
    "starts again after a crash or reboot": lambda one: one.inputs["restart"] == "unless-stopped",
    "rotates its log": lambda one: (
        one.inputs["logDriver"] == "json-file" and one.inputs["logOpts"] == {"max-size": "10m", "max-file": "3"}
    ),
    "explains itself when it fails": lambda one: one.on_error == (f"{one.name}-diagnosis",),
    "runs a pinned image": lambda one: (
        ":" in one.inputs["image"].rpartition("/")[2] and not one.inputs["image"].endswith(":latest")
    ),
    "has no files bound from the host": lambda one: (
        not one.inputs.get("mounts") and not any("hostPath" in volume for volume in one.inputs.get("volumes", []))
    ),
    "does not upload into a read-only root": lambda one: not (one.inputs.get("readOnly") and one.inputs.get("uploads")),
    "is not privileged": lambda one: not one.inputs.get("privileged"),
    "has no capabilities but what its role needs": lambda one: (
        one.inputs["capabilities"]["drops"] == ["ALL"]
        and one.inputs["capabilities"].get("adds", []) == CAPABILITIES.get(one.name.rpartition("-")[2], [])
    ),
    "can gain no privileges": lambda one: one.inputs["securityOpts"] == ["no-new-privileges:true"],
    "has a memory limit, and no swap beyond it": lambda one: (
        256 <= one.inputs["memory"] == one.inputs["memorySwap"] <= 4096
    ),
    "has a read-only root where nothing is uploaded": lambda one: (
        bool(one.inputs.get("readOnly")) is not bool(one.inputs.get("uploads"))
    ),
    "may write to /run as its user where it has one": lambda one: (
        "/run" not in one.inputs["tmpfs"] or "mode=0750,uid=1000,gid=1000" in one.inputs["tmpfs"]["/run"]
    ),
}


@pytest.mark.parametrize("rule", CONTAINER_RULES)
def test_every_container(recording: Recording, rule: str) -> None:
    assert recording.containers
    for role, container in recording.containers.items():
        assert CONTAINER_RULES[rule](container), f"{role} must hold: {rule}"


def test_durations_are_spelled_as_docker_reads_them_back(recording: Recording) -> None:
    for container in recording.containers.values():
        for name in ("interval", "timeout", "startPeriod"):
            spelled = container.inputs["healthcheck"][name]
            assert spelled.endswith("s"), spelled
            assert all(int(part) < 60 for part in spelled[:-1].replace("h", "m").split("m")), spelled


OTHER_RULES: Final[dict[str, dict[str, Callable[[Registered], object]]]] = {
    NETWORK: {
        "is deleted before its replacement takes its name": lambda one: one.delete_before_replace,
        "is a bridge": lambda one: one.inputs["driver"] == "bridge",
        "leads outside for calls alone": lambda one: (
            bool(one.inputs.get("internal")) is not one.name.endswith("d-network")
        ),
    },
    VOLUME: {
        "is not named anew with another driver or path": lambda one: set(one.inputs) == {"name", "labels"},
        "is not deleted before anything": lambda one: not one.delete_before_replace,
    },
    IMAGE: {
        "stays for other stacks and the next up": lambda one: one.inputs["keepLocally"] is True,
        "explains itself when it cannot be had": lambda one: one.on_error == (f"{one.name}-diagnosis",),
    },
}


@pytest.mark.parametrize(("kind", "rule"), [(kind, rule) for kind, rules in OTHER_RULES.items() for rule in rules])
def test_every_network_volume_and_image(recording: Recording, kind: str, rule: str) -> None:
    found = recording.of_type(kind)
    assert found
    for resource in found:
        assert OTHER_RULES[kind][rule](resource), f"{resource.urn} must hold: {rule}"


def test_the_rules_are_for_every_kind_of_docker_resource(recording: Recording) -> None:
    kinds = {one.type for one in recording.resources if one.type.startswith("docker:")}
    assert kinds == {CONTAINER, *OTHER_RULES}


def test_every_container_waits_for_its_image(recording: Recording) -> None:
    images = recording.of_type(IMAGE)
    for container in recording.containers.values():
        (own,) = [one for one in images if one.inputs["name"] == container.inputs["image"]]
        assert own.urn in container.depends_on


WAIT: Final = 90
"""Seconds, some more than Docker takes to call a container unhealthy."""
WAIT_FOR_CERTIFICATE: Final = 180
"""Of web, which may wait for an authority."""


def test_up_waits_for_the_health_of_all_but_prosody(recording: Recording) -> None:
    """jicofo's own check asks prosody too, and so does not become healthy without it."""
    waited = {role: (one.inputs["wait"], one.inputs.get("waitTimeout")) for role, one in recording.containers.items()}
    assert waited.pop("prosody") == (False, None)
    by_acme = "ENABLE_LETSENCRYPT=1" in reveal(recording.containers["web"].inputs["envs"])
    assert waited.pop("web") == (True, WAIT_FOR_CERTIFICATE if by_acme else WAIT)
    assert waited == dict.fromkeys(waited, (True, WAIT))
    assert "http://xmpp.meet.jitsi:5280/http-bind" in recording.containers["jicofo"].inputs["healthcheck"]["tests"]


STARTS_AFTER: Final = {
    "web": set(),
    "prosody": set(),
    "jvb": {"prosody"},
    "jicofo": {"prosody"},
    "rabbitmq": set(),
    "coturn": {"web"},
}
"""jvb and jicofo try again until prosody lets them in; coturn may need web's certificate."""


def test_containers_start_after_those_that_they_cannot_do_without(recording: Recording) -> None:
    urns = {container.urn: role for role, container in recording.containers.items()}
    for role, container in recording.containers.items():
        before = {urns[urn] for urn in container.depends_on if urn in urns}
        assert before <= STARTS_AFTER[role], role
        if role != "coturn":
            assert before == STARTS_AFTER[role], role


def test_whoever_has_a_session_with_prosody_carries_its_id(recording: Recording) -> None:
    containers = recording.containers
    for role in ("jvb", "jicofo"):
        assert labels(containers[role])["videobackend.session"] == containers["prosody"].id, role
    for role in ("web", "prosody"):
        assert "videobackend.session" not in labels(containers[role]), role


def test_aliases_on_the_network_do_not_carry_the_stack(recording: Recording) -> None:
    aliases = {
        role: set(container.inputs["networksAdvanced"][0]["aliases"])
        for role, container in recording.containers.items()
        if "networkMode" not in container.inputs
    }
    assert set(aliases) >= {"web", "prosody", "jicofo", "jvb"}
    assert {"prosody", "xmpp.meet.jitsi"} <= aliases["prosody"]
    assert {"web", "meet.jitsi"} <= aliases["web"]
    assert "jvb" in aliases["jvb"]
    assert "jicofo" in aliases["jicofo"]


def test_data_that_must_last_lies_in_named_volumes(recording: Recording) -> None:
    paths = {
        role: {volume["containerPath"] for volume in container.inputs.get("volumes", [])}
        for role, container in recording.containers.items()
    }
    assert "/var/lib/prosody" in paths["prosody"]
    assert "/storage" in paths["web"]


def test_every_docker_resource_uses_the_programs_own_provider(recording: Recording) -> None:
    (provider,) = recording.of_type("pulumi:providers:docker")
    used = [one for one in recording.resources if one.type.startswith("docker:")]
    assert used
    for resource in used:
        assert resource.provider == f"{provider.urn}::{provider.id}", resource.urn
