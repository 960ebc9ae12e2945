"""TURN as the engine is asked for it: the container's network, its secret and the stack's output."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from tests.component.recorder import GENERATED, Recording, Sealed, reveal, scenario
from tests.values import OWN_SECRETS

EMBEDDED: Final = ("embedded TURN", "embedded TURN with TLS")


def output(recording: Recording) -> dict[str, Any]:
    found = recording.outputs["turn"]
    assert isinstance(found, Sealed), "the whole output is secret"
    value = reveal(found)
    assert set(value) == {"urls", "secret"}
    return dict(value)


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_container_shares_the_hosts_network_and_publishes_nothing(name: str) -> None:
    inputs = scenario(name).containers["coturn"].inputs
    assert inputs["networkMode"] == "host"
    assert not inputs.get("networksAdvanced")
    assert not inputs.get("ports")
    assert "hostname" not in inputs, "Docker gives it the host's"
    others = [one for role, one in scenario(name).containers.items() if role != "coturn"]
    assert not [one.name for one in others if "networkMode" in one.inputs]


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_containers_command_is_ours(name: str) -> None:
    containers = scenario(name).containers
    uploaded = {one["file"] for one in containers["coturn"].inputs["uploads"]}
    assert containers["coturn"].inputs["command"][-1] in uploaded, "the image's own asks third parties"
    assert not [one for role, one in containers.items() if role != "coturn" and "command" in one.inputs]


@pytest.mark.parametrize("name", EMBEDDED)
def test_prosody_coturn_and_the_output_share_one_generated_secret(name: str) -> None:
    recording = scenario(name)
    secret = output(recording)["secret"]
    assert secret.startswith(GENERATED)
    (config,) = [
        one for one in recording.containers["coturn"].inputs["uploads"] if one["file"].endswith("videobackend.conf")
    ]
    assert isinstance(config["content"], Sealed)
    assert f"static-auth-secret={secret}\n" in reveal(config)["content"]
    assert Sealed(f"TURN_CREDENTIALS={secret}") in recording.containers["prosody"].inputs["envs"]


def test_with_letsencrypt_coturn_and_web_share_one_volume_which_coturn_only_reads() -> None:
    recording = scenario("embedded TURN")
    (ours,), (webs,) = (recording.containers[role].inputs["volumes"] for role in ("coturn", "web"))
    assert ours == {**webs, "readOnly": True}
    assert "readOnly" not in webs
    assert recording.containers["coturn"].inputs["user"] == "1000:1000"


def test_with_tls_coturn_has_the_certificate_of_web() -> None:
    def contents(role: str) -> dict[str, Any]:
        uploads = scenario("embedded TURN with TLS").containers[role].inputs["uploads"]
        return {one["file"].rpartition(".")[2]: one["content"] for one in uploads}

    assert contents("coturn")["crt"] == contents("web")["crt"]
    assert contents("coturn")["key"] == contents("web")["key"]
    assert isinstance(contents("coturn")["key"], Sealed)


def test_an_external_servers_output_is_what_the_operator_set() -> None:
    recording = scenario("own secrets")
    assert output(recording)["secret"] == OWN_SECRETS["turnSecret"]
    assert all("turn.example.org" in url for url in output(recording)["urls"])
    assert "coturn" not in recording.containers


def test_without_turn_there_is_no_output_and_no_secret() -> None:
    recording = scenario("defaults")
    assert "turn" not in recording.outputs
    assert "turn" not in json.dumps(sorted(reveal(recording.outputs["credentials"])))
