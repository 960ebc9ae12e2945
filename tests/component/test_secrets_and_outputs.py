"""What must hold for secrets, type tokens and outputs in every scenario."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, Final

import pulumi

import components
from components.config.keys import KEYS
from tests.component.recorder import (
    GENERATED,
    SCENARIOS,
    STACK_TYPE,
    TOKEN,
    Recording,
    Sealed,
    reveal,
    scenario,
    unsealed_text,
)
from tests.component.tokens import COMPONENTS, PASSWORD
from tests.values import OWN_SECRETS

OUTPUT_IS_SECRET: Final = {
    "publicUrl": False,
    "facts": False,
    "settings": False,
    "hostsEntry": False,
    "dnsRecords": False,
    "statisticsConfig": True,
    "videoServiceProperties": True,
    "credentials": True,
    "caCertificate": False,
    "firewallRules": False,
    "containers": False,
    "turn": True,
}
"""Every stack output that there may be."""

ALWAYS_THERE: Final = {
    "publicUrl",
    "facts",
    "settings",
    "statisticsConfig",
    "videoServiceProperties",
    "credentials",
    "containers",
}


# Secrets


def plain_texts(recording: Recording) -> Iterator[tuple[str, str]]:
    """Where and what: all text of a run that is not marked secret."""
    for one in recording.resources:
        for part in (one.urn, one.name, one.id, *one.on_error):
            yield one.urn, part
        for text in unsealed_text(one.inputs):
            yield one.urn, text
    for name, value in recording.outputs.items():
        for text in unsealed_text(value):
            yield f"output {name}", text
    for line in recording.log:
        yield "log", line


def test_no_secret_is_anywhere_in_plain_text(recording: Recording) -> None:
    secrets = {*OWN_SECRETS.values(), GENERATED, TOKEN}
    for where, text in plain_texts(recording):
        if where.startswith("urn:"):
            assert not any(secret in text for secret in secrets), f"a secret shows in {where}"
        else:
            assert not any(secret in text for secret in secrets), f"a secret shows in {where}: {text[:20]}…"


def test_every_own_secret_is_used_and_so_looked_for() -> None:
    """Without this, the test above would pass for a secret that no scenario hands over."""
    recording = scenario("own secrets")
    everything = json.dumps([reveal(dict(one.inputs)) for one in recording.resources])
    missing = {name for name, secret in OWN_SECRETS.items() if json.dumps(secret)[1:-1] not in everything}
    assert not missing


def test_of_each_environment_exactly_the_secret_items_are_sealed(recording: Recording) -> None:
    settings = recording.outputs["settings"]
    for role, container in recording.containers.items():
        envs = container.inputs["envs"]
        assert isinstance(envs, list), f"{role}: the whole list is sealed"
        sealed = {item.value.partition("=")[0] for item in envs if isinstance(item, Sealed)}
        assert sealed == {name for name, value in settings[role].items() if value == "[secret]"}, role


def test_environments_are_sorted_and_name_each_variable_once(recording: Recording) -> None:
    for role, container in recording.containers.items():
        names = [item.partition("=")[0] for item in reveal(container.inputs["envs"])]
        assert names == sorted(set(names)), role


def test_the_settings_output_shows_the_environment_that_the_container_gets(recording: Recording) -> None:
    for role, container in recording.containers.items():
        shown = recording.outputs["settings"][role]
        plain = dict(item.split("=", 1) for item in container.inputs["envs"] if isinstance(item, str))
        assert {name: value for name, value in shown.items() if value != "[secret]"} == plain, role


def test_no_resource_shows_its_secret_as_id(recording: Recording) -> None:
    """RandomString, RandomId and the like keep the value as resource id, which is never secret."""
    kinds = {one.type for one in recording.resources if one.type.startswith("random:")}
    assert kinds <= {PASSWORD}


def test_arguments_of_generated_passwords_never_change(golden: Callable[[str, str], None]) -> None:
    """A change of any of them makes new passwords in every stack."""
    passwords = {one.name: dict(one.inputs) for one in scenario("defaults").of_type(PASSWORD)}
    golden("random_passwords.json", json.dumps(passwords, indent=2, sort_keys=True) + "\n")


def test_an_own_value_generates_no_password() -> None:
    recording = scenario("own secrets")
    assert recording.of_type(PASSWORD) == []


# Type tokens and outputs


def component_classes() -> dict[str, type[pulumi.ComponentResource]]:
    """Every component of the project, found by its base class."""
    for module in pkgutil.walk_packages(components.__path__, "components."):
        importlib.import_module(module.name)

    def below(base: type[Any]) -> Iterator[type[Any]]:
        for one in base.__subclasses__():
            yield one
            yield from below(one)

    found = below(pulumi.ComponentResource)
    return {one.__name__: one for one in found if one.__module__.startswith("components.")}


def test_the_table_of_type_tokens_is_complete() -> None:
    assert set(component_classes()) == set(COMPONENTS)


def test_components_register_with_the_tokens_of_the_table() -> None:
    everywhere = [one for name in SCENARIOS for one in scenario(name).resources]
    own = {one.type for one in everywhere if not one.custom and one.type != STACK_TYPE}
    assert own == set(COMPONENTS.values())


def test_every_output_is_known_and_secret_exactly_where_it_must_be(recording: Recording) -> None:
    assert ALWAYS_THERE <= set(recording.outputs) <= set(OUTPUT_IS_SECRET)
    for name, value in recording.outputs.items():
        if OUTPUT_IS_SECRET[name]:
            assert isinstance(value, Sealed), f"{name} must be marked secret as a whole"
        else:
            assert value == reveal(value), f"{name} must be readable in a preview"


def test_a_local_name_gets_a_line_for_the_hosts_file() -> None:
    assert scenario("defaults").outputs["hostsEntry"] == "127.0.0.1 onlineberatung.local"
    assert scenario("remote host").outputs["hostsEntry"] == "192.0.2.7 onlineberatung.local"
    assert "hostsEntry" not in scenario("domain").outputs


def test_the_container_names_are_those_on_the_host(recording: Recording) -> None:
    names = {role: container.inputs["name"] for role, container in recording.containers.items()}
    assert recording.outputs["containers"] == names


def test_the_credentials_output_holds_every_secret_the_stack_makes() -> None:
    made = scenario("defaults").outputs["credentials"].value
    own = scenario("own secrets").outputs["credentials"].value
    generated = {key.name for key in KEYS.values() if key.secret and "rabbit" not in key.name}
    assert len(made) >= 7
    assert {value for value in made.values() if value.startswith(GENERATED)} == set(made.values())
    assert set(own.values()) <= {OWN_SECRETS[name] for name in generated}
