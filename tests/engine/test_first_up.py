"""From nothing to a running stack: what Docker then runs is what the specs say, and nothing tells a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.stack import services
from components.stack.spec import ContainerSpec, SecretRef
from tests.engine import docker_host
from tests.engine.conftest import JWT_SECRET, TURN_SECRET
from tests.engine.docker_host import Events, docker
from tests.engine.workspace import Workspace

ROLES = ("jicofo", "jvb", "prosody", "web")
SECOND = 1_000_000_000


def spec_of(workspace: Workspace, role: str) -> ContainerSpec:
    """The spec that the program makes of the stack's configuration."""
    settings = workspace.settings()
    return next(spec for spec in services.specs(settings) if spec.role == role)


@pytest.fixture(scope="module")
def containers(running: Workspace) -> dict[str, dict[str, Any]]:
    return docker_host.containers(running.stack)


def test_up_ends_when_all_services_are_healthy(containers: dict[str, dict[str, Any]]) -> None:
    assert {role: one["State"]["Health"]["Status"] for role, one in containers.items()} == dict.fromkeys(
        ROLES, "healthy"
    )


def test_jvb_and_jicofo_start_once_prosody_runs(running: Workspace, events: Events) -> None:
    first: dict[tuple[str, str], int] = {}
    for event in events.since(0):
        first.setdefault((event.role, event.action), event.nanoseconds)
    for role in ("jvb", "jicofo"):
        assert first["prosody", "start"] <= first[role, "start"], role


def test_a_second_up_changes_nothing(running: Workspace) -> None:
    before = docker_host.identities(running.stack)
    run = running.up()
    assert docker_host.identities(running.stack) == before
    assert "unchanged" in run.out
    for change in (" created", " updated", " replaced", " deleted"):
        assert change not in run.out


def test_variables_that_lead_docker_elsewhere_move_nothing(running: Workspace) -> None:
    before = docker_host.identities(running.stack)
    for elsewhere in ({"DOCKER_CONTEXT": "elsewhere"}, {"DOCKER_HOST": "tcp://127.0.0.1:1"}):
        running.up("--expect-no-changes", environment=elsewhere)
        run = running.preview("--refresh", "--expect-no-changes", environment=elsewhere)
        assert run.code == 0, f"{elsewhere}: {run.text}"
    # This one the provider reads whatever it is told; make takes it away.
    run = running.pulumi("up", "--yes", "--stack", running.stack, environment={"DOCKER_CERT_PATH": "/nowhere"})
    assert run.code != 0
    assert docker_host.identities(running.stack) == before


def test_a_preview_after_a_refresh_shows_no_change(running: Workspace) -> None:
    running.refresh()
    run = running.preview("--expect-no-changes")
    assert run.code == 0, run.text


@pytest.mark.parametrize("role", ROLES)
def test_a_container_has_its_image_name_restart_policy_and_log_rotation(
    running: Workspace, containers: dict[str, dict[str, Any]], role: str
) -> None:
    container, spec = containers[role], spec_of(running, role)
    assert container["Name"] == f"/videobackend-{running.stack}-{role}"
    assert docker("image", "inspect", "--format", "{{.Id}}", spec.image).strip() == container["Image"]
    assert container["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert container["HostConfig"]["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-file": "3", "max-size": "10m"},
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_container_has_the_health_check_of_its_spec(
    running: Workspace, containers: dict[str, dict[str, Any]], role: str
) -> None:
    health, found = spec_of(running, role).health, containers[role]["Config"]["Healthcheck"]
    assert found["Test"] == list(health.command)
    assert found["Interval"] == health.interval * SECOND
    assert found["Timeout"] == health.timeout * SECOND
    assert found["StartPeriod"] == health.start_period * SECOND
    assert found["Retries"] == health.retries


@pytest.mark.parametrize("role", ROLES)
def test_a_container_has_exactly_the_environment_of_its_spec(
    running: Workspace, containers: dict[str, dict[str, Any]], role: str
) -> None:
    spec = spec_of(running, role)
    secret_values = {**running.outputs()["credentials"], "turn_secret": TURN_SECRET}
    expected = {
        name: secret_values[value.name] if isinstance(value, SecretRef) else value
        for name, value in spec.environment.items()
    }
    of_the_image = {"PATH", "ROLE", "PORT", "DELAY", "BROKEN"}
    found = docker_host.environment(containers[role])
    assert {name: value for name, value in found.items() if name not in of_the_image} == expected


@pytest.mark.parametrize("role", ROLES)
def test_ports_are_published_at_the_configured_address_and_no_others(
    running: Workspace, containers: dict[str, dict[str, Any]], role: str
) -> None:
    config = running.config
    published = {
        "web": {
            "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(config["httpPort"])}],
            "8443/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(config["httpsPort"])}],
        },
        "jvb": {f"{config['jvbPort']}/udp": [{"HostIp": "127.0.0.1", "HostPort": str(config["jvbPort"])}]},
    }
    found = containers[role]["NetworkSettings"]["Ports"] or {}
    assert {port: binding for port, binding in found.items() if binding} == published.get(role, {})


@pytest.mark.parametrize("role", ROLES)
def test_a_container_is_on_the_stack_network_alone_with_its_aliases(
    running: Workspace, containers: dict[str, dict[str, Any]], role: str
) -> None:
    networks = containers[role]["NetworkSettings"]["Networks"]
    assert list(networks) == [f"videobackend-{running.stack}-meet.jitsi"]
    aliases = {"web": "meet.jitsi", "prosody": "xmpp.meet.jitsi", "jicofo": "jicofo", "jvb": "jvb"}
    (network,) = networks.values()
    assert {role, aliases[role]} <= set(network["Aliases"])


def test_services_find_prosody_by_its_alias(running: Workspace) -> None:
    url = "http://xmpp.meet.jitsi:5280/health"
    assert docker("exec", f"videobackend-{running.stack}-jvb", "wget", "-q", "-O", "-", url) == "ok\n"


@pytest.mark.parametrize("role", ROLES)
def test_what_lasts_lies_in_named_volumes(running: Workspace, containers: dict[str, dict[str, Any]], role: str) -> None:
    expected = {
        "web": {"/storage": f"videobackend-{running.stack}-web-storage"},
        "prosody": {"/var/lib/prosody": f"videobackend-{running.stack}-prosody-data"},
    }
    found = {one["Destination"]: one["Name"] for one in containers[role]["Mounts"] if one["Type"] == "volume"}
    named = {path: name for path, name in found.items() if name.startswith("videobackend-")}
    assert named == expected.get(role, {})


@pytest.mark.parametrize("role", ROLES)
def test_labels_name_stack_and_role(running: Workspace, containers: dict[str, dict[str, Any]], role: str) -> None:
    labels = containers[role]["Config"]["Labels"]
    assert (labels["videobackend.stack"], labels["videobackend.role"]) == (running.stack, role)


def test_network_and_volumes_carry_the_stack_label(running: Workspace) -> None:
    chosen = ("--filter", f"label=videobackend.stack={running.stack}", "--format", "{{.Name}}")
    assert docker("network", "ls", *chosen).split() == [f"videobackend-{running.stack}-meet.jitsi"]
    names = {f"videobackend-{running.stack}-{name}" for name in ("prosody-data", "web-storage")}
    assert set(docker("volume", "ls", *chosen).split()) == names


@pytest.mark.parametrize("role", ["jvb", "jicofo"])
def test_jvb_and_jicofo_can_write_to_tmp_and_run_only(running: Workspace, role: str) -> None:
    name = f"videobackend-{running.stack}-{role}"
    docker("exec", "--user", "1000:1000", name, "touch", "/tmp/probe", "/run/probe")
    with pytest.raises(AssertionError, match="Read-only file system"):
        docker("exec", name, "touch", "/bin/probe")


@pytest.mark.parametrize("role", ROLES)
def test_a_container_has_no_capability_and_can_gain_none_and_has_its_memory_and_no_swap(
    running: Workspace, containers: dict[str, dict[str, Any]], role: str
) -> None:
    status = docker("exec", f"videobackend-{running.stack}-{role}", "cat", "/proc/1/status")
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {int(found[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
    assert found["NoNewPrivs"] == "1"
    host, limit = containers[role]["HostConfig"], spec_of(running, role).memory * 1024 * 1024
    assert (host["Memory"], host["MemorySwap"]) == (limit, limit)


@pytest.mark.parametrize("role", ROLES)
def test_a_container_has_the_tmpfs_of_its_spec(
    running: Workspace, containers: dict[str, dict[str, Any]], role: str
) -> None:
    assert containers[role]["HostConfig"]["Tmpfs"] == dict(spec_of(running, role).tmpfs)


def test_prosody_has_the_statistics_file_of_the_output_readable_for_its_user(running: Workspace) -> None:
    name, path = f"videobackend-{running.stack}-prosody", "/config/conf.d/statistics.cfg.lua"
    assert docker("exec", name, "cat", path) == running.outputs()["statisticsConfig"]
    assert docker("exec", name, "stat", "-c", "%u:%g %a", path).strip() == "0:0 644"


def test_a_secret_of_the_operators_own_is_used_and_the_others_are_generated(running: Workspace) -> None:
    credentials = running.outputs()["credentials"]
    assert credentials.pop("jwt_app_secret") == JWT_SECRET
    credentials.pop("turn_secret", None)
    assert len(set(credentials.values())) == len(credentials) == 6
    assert all(len(value) == 32 and set(value) <= set("0123456789abcdef") for value in credentials.values())


def test_verify_reads_the_running_stack_and_names_what_the_stand_ins_cannot_do(running: Workspace) -> None:
    run = running.ops("verify", "--json", "--address", "127.0.0.1")
    assert run.code == 1, run.text
    checks = {one["name"]: (one["status"], one["detail"]) for one in json.loads(run.out)["checks"]}
    status, seen = checks["certificate"]
    assert status == "failed"
    assert f"127.0.0.1:{running.config['httpsPort']}" in seen, "it goes to publicUrl"
    assert f"port {running.config['httpPort']} answers" in checks["http"][1], "it knows the configuration"
    assert "server returned error" in checks["bridge"][1], "it was in jicofo's container"
    assert "turn.beratung.zz does not resolve" in checks["turn"][1], "it was given the secret output"


def test_no_secret_stands_in_plain_text_anywhere(running: Workspace, containers: dict[str, dict[str, Any]]) -> None:
    """State files, exported state, console output of up, preview and refresh, labels; generated ones and own ones."""
    broker = "own-2f9c1b7d40e5"
    secret_values = {*running.outputs()["credentials"].values(), TURN_SECRET, broker, "PRIVATE KEY"}
    running.refresh()
    running.preview("--diff")
    running.preview("--json")
    stored = [file.read_text(encoding="utf-8") for file in running.state.rglob("*") if file.is_file()]
    assert any(running.stack in text for text in stored)
    labels = json.dumps([one["Config"]["Labels"] for one in containers.values()])
    network_and_volumes = docker("network", "inspect", f"videobackend-{running.stack}-meet.jitsi")
    places = [*stored, json.dumps(running.export()), *running.transcript, labels, network_and_volumes]
    assert len(secret_values) == 10
    for value in secret_values:
        assert not any(value in text for text in places)


def test_the_settings_output_shows_each_plain_value_and_hides_each_secret(running: Workspace) -> None:
    run = running.pulumi("stack", "output", "--json", "--stack", running.stack)
    outputs = json.loads(run.out)
    expected = {role: spec_of(running, role).plain_environment for role in ROLES}
    assert outputs["settings"] == expected
    assert {outputs[name] for name in ("credentials", "statisticsConfig", "videoServiceProperties")} == {"[secret]"}
