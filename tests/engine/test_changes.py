"""A change touches only what it must, and all that it must: seen in previews for each setting, on real Docker for some."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.config.keys import KEYS
from tests.engine import docker_host, workspace
from tests.engine.docker_host import Events, docker
from tests.engine.toolbox import ROOT
from tests.engine.workspace import Workspace

ELSEWHERE = {
    "dnsZone": "test_dns: the Cloudflare package",
    "dnsZoneId": "test_dns: the Cloudflare package",
    "turnRelayPorts": "test_stacks: an embedded TURN server",
    "tlsCertificate": "test_stacks: a certificate of one's own",
    "tlsPrivateKey": "test_stacks: a certificate of one's own",
}
"""Keys that want another stack than this one, and which test sees to them."""

NO_BROKER: Mapping[str, Any] = {"rabbitUrl": None, "rabbitUsername": None, "rabbitPassword": None}
LETSENCRYPT: Mapping[str, Any] = {
    "tls": "letsencrypt",
    "letsencryptEmail": "admin@beratung.zz",
    "publicUrl": "https://video.beratung.zz",
    "httpPort": 80,
    "bindAddress": "10.99.0.10",
}

CHANGES: Mapping[str, Mapping[str, Any]] = {
    "publicUrl": {"publicUrl": "https://another.local:8443"},
    "httpPort": {"httpPort": 18000},
    "httpsPort": {"httpsPort": 18443},
    "bindAddress": {"bindAddress": "127.0.0.2"},
    "dockerHostAddress": {"dockerHostAddress": "10.99.0.11"},
    "jvbPort": {"jvbPort": 20000},
    "jvbBindAddress": {"jvbBindAddress": "127.0.0.2"},
    "stunServers": {"stunServers": None},
    "tls": {"tls": "self-signed"},
    "turn": {"turn": None, "turnHost": None, "turnSecret": None},
    "turnHost": {"turnHost": "another.beratung.zz"},
    "turnPort": {"turnPort": 13478},
    "turnsPort": {"turnsPort": 15349},
    "enableAuth": {"enableAuth": False},
    "enableGuests": {"enableGuests": True},
    "authType": {"authType": "internal"},
    "jwtAppId": {"jwtAppId": "another"},
    "jwtAcceptedIssuers": {"jwtAcceptedIssuers": "another"},
    "jwtAcceptedAudiences": {"jwtAcceptedAudiences": "another"},
    "xmppMucModules": {"xmppMucModules": "token_moderation,close_room"},
    "conferenceTimeout": {"conferenceTimeout": 21},
    "enableLobby": {"enableLobby": False},
    "enableBreakoutRooms": {"enableBreakoutRooms": True},
    "enablePrejoinPage": {"enablePrejoinPage": False},
    "enableClosePage": {"enableClosePage": False},
    "embeddedBy": {"embeddedBy": "self"},
    "enableStatistics": {"enableStatistics": False},
    "rabbitMq": {"rabbitMq": "embedded", **NO_BROKER},
    "rabbitUrl": {"rabbitUrl": "https://mq.beratung.zz:15671/api/exchanges/%2F/another/publish"},
    "rabbitUsername": {"rabbitUsername": "another"},
    "videoServiceUrl": {"videoServiceUrl": "https://another.example.org/service"},
    "keycloakUrl": {"keycloakUrl": "https://another.example.org/auth"},
    "keycloakRealm": {"keycloakRealm": "another"},
    "keycloakClientId": {"keycloakClientId": "another"},
    "videoServiceUsername": {"videoServiceUsername": "another"},
    "dnsTtl": {"dnsTtl": 600},
    "imageRegistry": {"imageRegistry": "another.beratung.zz/jitsi"},
    "jitsiRelease": {"jitsiRelease": "stable-11147"},
    "timeZone": {"timeZone": "UTC"},
    "restartPolicy": {"restartPolicy": "always"},
    "logMaxSize": {"logMaxSize": "11m"},
    "logMaxFiles": {"logMaxFiles": 4},
    "brandingDir": {"brandingDir": "look"},
    "policyExceptions": {"policyExceptions": "image-digest until 2030-01-01 because no registry here has one"},
    "enableEndConference": {"enableEndConference": False},
    "maxParticipants": {"maxParticipants": 10},
    "language": {"language": "de"},
    "logLevel": {"logLevel": "warn"},
    "webMemory": {"webMemory": "600m"},
    "prosodyMemory": {"prosodyMemory": "1200m"},
    "jicofoMemory": {"jicofoMemory": "1600m"},
    "jvbMemory": {"jvbMemory": "4200m"},
    "environment": {"environment": {one: {"ENABLE_RECORDING": False} for one in ("web", "prosody", "jicofo")}},
}
"""For each key that is no secret another value than the stack has; None takes the key away."""
OF_LETSENCRYPT: Mapping[str, Any] = {
    "letsencryptEmail": "another@beratung.zz",
    "letsencryptUseStaging": True,
    "letsencryptAcmeServer": "https://another.beratung.zz/directory",
}
"""Keys that count with tls letsencrypt only, which needs port 80: compared between two previews, without an `up`."""
SECRETS = {
    name: f"another-{name}-0123456789abcdef0123456789abcdef"
    for name, key in KEYS.items()
    if key.secret and name not in ELSEWHERE
}

NONE = "\N{EN DASH}"
ROLES = {"web", "prosody", "jvb", "jicofo"}


def documented() -> dict[str, set[str]]:
    """The column "Replaces" of docs/settings.md; optional containers are not in this stack."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        key = re.fullmatch(r"`(\w+)`", cells[0]) if len(cells) == 5 else None
        if key and key[1] in KEYS:
            roles = set(cells[4].split(", ")) - {NONE, "rabbitmq", "coturn"}
            assert roles <= ROLES, f"{key[1]}: {cells[4]}"
            found[key[1]] = roles
    return found


def test_the_documented_table_and_these_tests_have_every_key() -> None:
    assert set(documented()) == set(KEYS)
    assert {*CHANGES, *SECRETS, *OF_LETSENCRYPT, *ELSEWHERE} == set(KEYS)


@pytest.fixture(scope="module")
def foreseen(running: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[set[str]]]]:
    """What the engine would replace for a change of one key, for each key; nothing is changed."""
    look = running.project / "look" / "images"
    look.mkdir(parents=True)
    (look / "watermark.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>\n", encoding="utf-8")
    encrypted = running.encrypt(SECRETS)
    changes = {**CHANGES, **{key: {key: {"secure": text}} for key, text in encrypted.items()}}
    folder = tmp_path_factory.mktemp("changes")

    def preview(key: str, change: Mapping[str, Any]) -> set[str]:
        file: Path = folder / f"{key}.yaml"
        running.write(file, **change)
        return workspace.replaced(running.steps("--config-file", str(file)))

    with ThreadPoolExecutor(2) as pool:
        yield {key: pool.submit(preview, key, change) for key, change in changes.items()}


@pytest.mark.parametrize("key", [*CHANGES, *SECRETS])
def test_a_change_of_one_setting_replaces_exactly_the_documented_containers(
    foreseen: dict[str, Future[set[str]]], key: str
) -> None:
    assert foreseen[key].result() == documented()[key]


@pytest.mark.parametrize("key", OF_LETSENCRYPT)
def test_a_change_of_a_letsencrypt_setting_makes_other_specs_of_exactly_the_documented_containers(
    running: Workspace, tmp_path: Path, key: str
) -> None:
    running.write(tmp_path / "before.yaml", **LETSENCRYPT)
    running.write(tmp_path / "after.yaml", **{**LETSENCRYPT, key: OF_LETSENCRYPT[key]})
    before, after = (
        specs(running.steps("--config-file", str(tmp_path / name))) for name in ("before.yaml", "after.yaml")
    )
    assert {role for role in ROLES if before.get(role) != after.get(role)} == documented()[key]


def specs(steps: list[dict[str, Any]]) -> dict[str, str]:
    """The fingerprint of each container, by role; those that stay the same are no steps."""
    found = {}
    for step in steps:
        if step["op"] != "delete-replaced" and step["urn"].split("::")[2].endswith("container:Container"):
            labels = {one["label"]: one["value"] for one in step["newState"]["inputs"]["labels"]}
            found[labels["videobackend.role"]] = step["newState"]["replacementTrigger"]
    return found


def up_replaces(stack: Workspace, *arguments: str) -> set[str]:
    """Roles whose container is another one after an `up`; all must be healthy then."""
    stack.write()
    before = docker_host.identities(stack.stack)
    stack.up(*arguments)
    after = docker_host.containers(stack.stack)
    assert {role: one["State"]["Health"]["Status"] for role, one in after.items()} == dict.fromkeys(ROLES, "healthy")
    return {role for role, one in after.items() if before.get(role) != one["Id"]}


def nothing_is_left_to_do(stack: Workspace) -> bool:
    return stack.preview("--refresh", "--expect-no-changes").code == 0


def test_a_setting_that_is_removed_is_gone_from_the_containers(running: Workspace) -> None:
    before = docker_host.containers(running.stack)
    assert "JVB_STUN_SERVERS" in docker_host.environment(before["jvb"])
    running.config.pop("stunServers")
    assert up_replaces(running) == {"web", "jvb"}
    after = docker_host.containers(running.stack)
    assert "JVB_STUN_SERVERS" not in docker_host.environment(after["jvb"])
    assert "P2P_STUN_SERVERS" not in docker_host.environment(after["web"])


def test_another_https_port_replaces_web_alone_and_is_published(running: Workspace) -> None:
    port = workspace.free_ports()[1]
    running.config["httpsPort"] = port
    assert up_replaces(running) == {"web"}
    published = docker("port", f"videobackend-{running.stack}-web", "8443/tcp").strip()
    assert published == f"127.0.0.1:{port}"


def test_another_restart_policy_reaches_the_running_containers(running: Workspace) -> None:
    running.config["restartPolicy"] = "on-failure"
    assert up_replaces(running) == set()
    policies = {
        role: one["HostConfig"]["RestartPolicy"]["Name"] for role, one in docker_host.containers(running.stack).items()
    }
    assert policies == dict.fromkeys(ROLES, "on-failure")


def test_what_the_provider_only_pretends_to_change_in_place_is_really_applied(running: Workspace) -> None:
    """Health check and tmpfs: the provider says "updated" and leaves the container as it was."""
    running.patch("components/stack/spec.py", "retries: int = 5", "retries: int = 4")
    running.patch("components/stack/topology.py", '"/tmp": "size=16M', '"/tmp": "size=17M')
    assert up_replaces(running) == ROLES
    for one in docker_host.containers(running.stack).values():
        assert one["Config"]["Healthcheck"]["Retries"] == 4
        assert one["HostConfig"]["Tmpfs"]["/tmp"].startswith("size=17M")


def test_another_statistics_file_gives_prosody_and_the_sessions_on_it_anew_and_each_stops_gracefully(
    running: Workspace, events: Events
) -> None:
    """Each replaced container gets SIGTERM, ends by itself within its grace, and is never killed."""
    running.config["conferenceTimeout"] = 33
    mark = events.mark()
    assert up_replaces(running) == {"prosody", "jvb", "jicofo"}
    name = f"videobackend-{running.stack}-prosody"
    assert "conference_timeout = 33\n" in docker("exec", name, "cat", "/config/conf.d/statistics.cfg.lua")
    seen = events.since(mark)
    signals = {(one.role, one.attributes["signal"]) for one in seen if one.action == "kill"}
    assert signals == {("prosody", "15"), ("jvb", "15"), ("jicofo", "15")}
    codes = {one.role: one.attributes["exitCode"] for one in seen if one.action == "die"}
    assert codes == {"prosody": "0", "jvb": "0", "jicofo": "0"}
    took = {
        role: next(one.nanoseconds for one in seen if (one.role, one.action) == (role, "die"))
        - next(one.nanoseconds for one in seen if (one.role, one.action) == (role, "kill"))
        for role in codes
    }
    assert all(nanoseconds < 10_000_000_000 for nanoseconds in took.values())


def test_a_prosody_removed_behind_the_engines_back_comes_back_with_new_sessions(running: Workspace) -> None:
    docker("rm", "--force", "--volumes", f"videobackend-{running.stack}-prosody")
    assert up_replaces(running, "--refresh") == {"prosody", "jvb", "jicofo"}
    assert nothing_is_left_to_do(running)


def test_a_stopped_container_runs_again_after_an_up_with_refresh(running: Workspace) -> None:
    docker("stop", f"videobackend-{running.stack}-jvb")
    assert up_replaces(running, "--refresh") <= {"jvb"}
    assert nothing_is_left_to_do(running)
