"""Stacks side by side on one host, and what is left when they are destroyed: nothing."""

from __future__ import annotations

import ipaddress
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine import docker_host
from tests.engine.conftest import WorkspaceMaker
from tests.engine.docker_host import docker
from tests.engine.test_changes import documented
from tests.engine.workspace import Workspace, free_ports, free_range, replaced
from tests.pem import certificate

JITSI = {"web", "prosody", "jvb", "jicofo"}


@pytest.fixture(scope="module")
def two(make_workspace: WorkspaceMaker) -> tuple[Workspace, Workspace]:
    """Two stacks, brought up at the same time: a plain one, and one with all that is optional and the Docker host given."""
    first = make_workspace()
    turn, turns, _ = free_ports()
    second = make_workspace(
        **{"docker:host": "unix:///var/run/docker.sock"},
        enableStatistics=True,
        rabbitMq="embedded",
        tls="own",
        turn="embedded",
        turnPort=turn,
        turnsPort=turns,
        turnRelayPorts=free_range(2),
        dockerHostAddress="10.99.0.10",
    )
    second.keep_secret(own_certificate())
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first.up), pool.submit(second.up)]:
            done.result()
    return first, second


def own_certificate() -> dict[str, str]:
    return dict(zip(("tlsCertificate", "tlsPrivateKey"), certificate("onlineberatung.local"), strict=True))


def health(stack: Workspace) -> dict[str, str]:
    return {role: one["State"]["Health"]["Status"] for role, one in docker_host.containers(stack.stack).items()}


def test_two_stacks_run_side_by_side_on_one_host(two: tuple[Workspace, Workspace]) -> None:
    first, second = two
    assert health(first) == dict.fromkeys(JITSI, "healthy")
    assert health(second) == dict.fromkeys(JITSI | {"rabbitmq", "coturn"}, "healthy")


def test_each_stack_has_passwords_of_its_own(two: tuple[Workspace, Workspace]) -> None:
    first, second = (set(stack.outputs()["credentials"].values()) for stack in two)
    assert not first & second


def test_the_services_of_one_stack_do_not_reach_those_of_the_other(two: tuple[Workspace, Workspace]) -> None:
    first, second = two
    there = docker_host.containers(second.stack)["web"]["NetworkSettings"]["Networks"]
    address = there[f"videobackend-{second.stack}-meet.jitsi"]["IPAddress"]
    probe = ("timeout", "3", "wget", "-q", "-O", "-", f"http://{address}:8000/_health")
    assert docker("exec", f"videobackend-{second.stack}-prosody", *probe) == "ok\n"
    assert docker("exec", f"videobackend-{first.stack}-prosody", *probe, check=False) == ""


def test_prosody_alone_shares_a_network_with_the_embedded_broker(two: tuple[Workspace, Workspace]) -> None:
    _, second = two
    containers = docker_host.containers(second.stack)
    networks = {role: set(one["NetworkSettings"]["Networks"]) for role, one in containers.items()}
    statistics, calls = (f"videobackend-{second.stack}-{name}" for name in ("statistics", "meet.jitsi"))
    assert networks.pop("rabbitmq") == {statistics}
    assert networks.pop("prosody") == {statistics, calls}
    assert networks.pop("coturn") == {"host"}
    assert all(one == {calls} for one in networks.values())
    assert not any((containers["rabbitmq"]["NetworkSettings"]["Ports"] or {}).values())


def test_a_certificate_of_ones_own_is_in_web_and_coturn_and_its_key_is_readable_there(
    two: tuple[Workspace, Workspace],
) -> None:
    second = two[1]
    for role, folder, name in (("web", "/config/keys", "cert"), ("coturn", "/etc/coturn", "videobackend")):
        container = f"videobackend-{second.stack}-{role}"
        assert docker("exec", container, "cat", f"{folder}/{name}.crt") == second.secrets["tlsCertificate"]
        assert docker("exec", container, "cat", f"{folder}/{name}.key") == second.secrets["tlsPrivateKey"]


def test_with_letsencrypt_coturn_starts_after_web_and_reads_the_certificates_on_its_volume(
    make_workspace: WorkspaceMaker,
) -> None:
    turn, turns, _ = free_ports()
    subnet = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", "bridge").strip()
    here = str(ipaddress.ip_network(subnet)[1])
    stack = make_workspace(
        publicUrl="https://video.beratung.zz",
        letsencryptEmail="admin@beratung.zz",
        httpPort=80,
        bindAddress=here,
        turn="embedded",
        turnPort=turn,
        turnsPort=turns,
        turnRelayPorts=free_range(2),
        dockerHostAddress=here,
    )
    record = docker_host.Events(stack.stack)
    try:
        stack.up()
    finally:
        record.close()
    lives = [(one.role, one.action) for one in record.since(0)]
    assert lives.index(("web", "health_status: healthy")) < lives.index(("coturn", "start"))
    containers = docker_host.containers(stack.stack)
    web, coturn = containers["web"], containers["coturn"]
    webs, ours = (
        next(one for one in container["Mounts"] if one["Destination"] == "/storage") for container in (web, coturn)
    )
    assert (ours["Name"], webs["RW"], ours["RW"]) == (webs["Name"], True, False)
    kept = "umask 077; echo key > /storage/key; chown 1000:1000 /storage/key"
    # A container of its own: web has not the capability any more.
    beside = ("--rm", "--volumes-from", f"videobackend-{stack.stack}-web", "--entrypoint", "/bin/sh")
    docker("run", *beside, web["Config"]["Image"], "-c", kept)
    assert docker("exec", f"videobackend-{stack.stack}-coturn", "cat", "/storage/key") == "key\n"
    run = stack.preview("--refresh", "--expect-no-changes")
    assert run.code == 0, run.text


def test_another_certificate_replaces_web_and_coturn(two: tuple[Workspace, Workspace]) -> None:
    second, other = two[1], two[1].project / "other.yaml"
    encrypted = second.encrypt(own_certificate())
    second.write(other, **{key: {"secure": text} for key, text in encrypted.items()})
    assert replaced(second.steps("--config-file", str(other))) == {"web", "coturn"}
    table = documented()
    assert table["tlsCertificate"] == table["tlsPrivateKey"] == {"web"}


def test_other_relay_ports_replace_coturn_alone(two: tuple[Workspace, Workspace]) -> None:
    second, other = two[1], two[1].project / "other.yaml"
    second.write(other, turnRelayPorts="50000-50001")
    assert replaced(second.steps("--config-file", str(other))) == {"coturn"}
    assert documented()["turnRelayPorts"] == set()


def test_other_log_limits_replace_the_optional_containers_too(two: tuple[Workspace, Workspace]) -> None:
    second, other = two[1], two[1].project / "other.yaml"
    second.write(other, logMaxFiles=4)
    assert replaced(second.steps("--config-file", str(other))) == JITSI | {"rabbitmq", "coturn"}


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
    assert len([name for name in ours if not name.startswith("videobackend-")]) == 7, "stand-ins declare volumes"
    kept = docker_host.identities(first.stack)
    second.destroy()
    assert docker_host.leftovers(second.stack) == []
    assert not ours & set(docker("volume", "ls", "--quiet").split())
    assert docker_host.identities(first.stack) == kept
    assert health(first) == dict.fromkeys(JITSI, "healthy")
