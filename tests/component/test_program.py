"""The whole program: the values that single settings bring about, DNS, wrong configurations, providers."""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
from typing import Any, Final

import pulumi
import pulumi_docker as docker
import pytest

from components.config.problems import SettingsError
from components.video_backend import VideoBackend
from tests.component.recorder import (
    ROOT,
    SCENARIOS,
    STACK_TYPE,
    TOKEN,
    ZONE_ID,
    Recording,
    Sealed,
    main_program,
    namespaced,
    record,
    reveal,
    run_main,
    scenario,
)
from tests.values import DNS, DOMAIN, OWN_SECRETS, STATISTICS, VIDEO_SERVICE, load

DNS_RECORD: Final = "cloudflare:index/dnsRecord:DnsRecord"
CLOUDFLARE: Final = {"cloudflare:apiToken": TOKEN}


def environment(recording: Recording, role: str) -> dict[str, str]:
    return dict(item.split("=", 1) for item in reveal(recording.containers[role].inputs["envs"]))


def uploads(recording: Recording, role: str) -> dict[str, object]:
    return {item["file"]: item["content"] for item in recording.containers[role].inputs["uploads"]}


def test_an_up_refuses_the_examples_of_the_documentation_and_a_preview_warns_of_them() -> None:
    given = {"dockerHostAddress": "203.0.113.10,10.1.2.3", "stunServers": "stun.example.org:3478"}
    expected = {"dockerHostAddress": "'203.0.113.10'", "stunServers": "'stun.example.org:3478'"}
    up = run_main(given, examples=False)
    assert isinstance(up.error, SettingsError)
    assert {one.key: one.given for one in up.error.problems} == expected
    assert [one.type for one in up.resources] == [STACK_TYPE]
    preview = run_main(given, examples=False, preview=True)
    assert preview.error is None
    for key, value in expected.items():
        assert f"{key} is {value}, an example of the documentation: up refuses it" in preview.log


def test_an_up_tells_examples_beside_all_else_that_is_wrong() -> None:
    """Once each: what is wrong and an example as well is told by what is wrong with it."""
    given = {"stunServers": "stun.example.org:3478", "enableGuests": "ja", "letsencryptEmail": "-me@example.org"}
    error = run_main(given, examples=False).error
    assert isinstance(error, SettingsError)
    assert sorted(one.key for one in error.problems) == ["enableGuests", "letsencryptEmail", "stunServers"]


def test_web_is_published_at_the_configured_ports_and_address() -> None:
    recording = run_main({"httpPort": "80", "httpsPort": "443", "bindAddress": "192.0.2.5"})
    ports = recording.containers["web"].inputs["ports"]
    published = {(one["internal"], one["external"], one["ip"], one["protocol"]) for one in ports}
    assert published == {(8000, 80, "192.0.2.5", "tcp"), (8443, 443, "192.0.2.5", "tcp")}


def test_media_is_published_over_udp_at_the_same_port_inside_and_outside() -> None:
    recording = run_main({"jvbPort": "10001", "jvbBindAddress": "192.0.2.6"})
    (port,) = recording.containers["jvb"].inputs["ports"]
    assert (port["internal"], port["external"], port["protocol"], port["ip"]) == (10001, 10001, "udp", "192.0.2.6")
    assert environment(recording, "jvb")["JVB_PORT"] == "10001"


def test_prosody_and_jicofo_publish_no_port() -> None:
    for role in ("prosody", "jicofo"):
        assert not scenario("domain").containers[role].inputs.get("ports"), role


def test_both_sides_of_an_account_get_the_same_password() -> None:
    recording = scenario("own secrets")
    prosody = environment(recording, "prosody")
    assert prosody["JICOFO_AUTH_PASSWORD"] == environment(recording, "jicofo")["JICOFO_AUTH_PASSWORD"]
    assert prosody["JVB_AUTH_PASSWORD"] == environment(recording, "jvb")["JVB_AUTH_PASSWORD"]
    assert prosody["JICOFO_AUTH_PASSWORD"] == OWN_SECRETS["jicofoAuthPassword"]
    assert prosody["JVB_AUTH_PASSWORD"] == OWN_SECRETS["jvbAuthPassword"]


def test_the_statistics_file_is_sealed_and_lies_where_prosody_includes_it() -> None:
    content = uploads(scenario("own secrets"), "prosody")["/config/conf.d/statistics.cfg.lua"]
    assert isinstance(content, Sealed)
    assert f'rabbit_password = "{OWN_SECRETS["rabbitPassword"]}"' in content.value
    assert scenario("own secrets").outputs["statisticsConfig"] == content


def test_the_properties_for_the_video_service_are_ready_to_paste() -> None:
    text = scenario("own secrets").outputs["videoServiceProperties"].value
    assert text.splitlines() == [
        "video.call.server.url=https://video.example.org",
        "video.call.security.jwt.audience=videobackend",
        "video.call.security.jwt.issuer=videoservice",
        "video.call.security.jwt.subject=meet.jitsi",
        "video.call.security.jwt.validity.hours=3",
        f"video.call.security.jwt.secret={OWN_SECRETS['jwtAppSecret']}",
    ]


def test_without_tokens_the_properties_name_the_address_only() -> None:
    text = scenario("without tokens").outputs["videoServiceProperties"].value
    assert text == "video.call.server.url=https://onlineberatung.local:8443\n"


def test_warnings_are_shown_and_do_not_stop_the_program() -> None:
    recording = run_main({"publicUrl": "https://video.example.org", "tls": "self-signed"})
    assert recording.error is None
    assert any(line.startswith("publicUrl has port 443") for line in recording.log)
    assert any(line.startswith("dockerHostAddress is not set") for line in recording.log)


def test_a_complete_configuration_warns_of_nothing() -> None:
    assert scenario("domain").log == []


# DNS


def test_records_are_made_for_the_public_addresses_alone() -> None:
    records = scenario("domain").of_type(DNS_RECORD)
    assert {(one.inputs["type"], one.inputs["content"]) for one in records} == {
        ("A", "203.0.113.10"),
        ("AAAA", "2001:db8::a"),
    }


def test_every_record_is_whole_and_never_proxied() -> None:
    for one in scenario("domain").of_type(DNS_RECORD):
        assert one.inputs["name"] == "video.example.org", "Cloudflare keeps the full name"
        assert one.inputs["proxied"] is False, "a proxy passes no UDP"
        assert one.inputs["ttl"] == 300
        assert one.inputs["zoneId"] == ZONE_ID
        assert "stack dev" in one.inputs["comment"]
        assert not {"tags", "settings"} & set(one.inputs), "empty ones differ after each refresh"


def test_an_address_with_and_without_port_gets_one_record() -> None:
    addresses = {"dockerHostAddress": "203.0.113.10,203.0.113.10#10001"}
    recording = run_main({**DOMAIN, **DNS, **CLOUDFLARE, **addresses, "dnsTtl": "60"})
    (one,) = recording.of_type(DNS_RECORD)
    assert one.inputs["ttl"] == 60


def test_the_zone_is_found_by_its_name() -> None:
    ((token, arguments),) = scenario("domain").calls
    assert token == "cloudflare:index/getZone:getZone"
    assert arguments == {"filter": {"match": "all", "name": "example.org"}}


def test_a_zone_given_by_id_is_not_looked_up() -> None:
    zone = "f" * 32
    recording = run_main({**DOMAIN, **DNS, **CLOUDFLARE, "dnsZoneId": zone})
    assert recording.calls == []
    assert {one.inputs["zoneId"] for one in recording.of_type(DNS_RECORD)} == {zone}


def test_the_output_names_the_records() -> None:
    assert scenario("domain").outputs["dnsRecords"] == [
        "video.example.org A 203.0.113.10",
        "video.example.org AAAA 2001:db8::a",
    ]


def test_without_dns_there_is_neither_record_nor_output() -> None:
    recording = scenario("own secrets")
    assert recording.of_type(DNS_RECORD) == []
    assert "dnsRecords" not in recording.outputs


def test_without_dns_cloudflares_package_is_never_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs seconds and the engine would look for its plugin."""
    for name in [one for one in sys.modules if one.partition(".")[0] == "components"]:
        monkeypatch.delitem(sys.modules, name)  # so that the program imports all that it does
    monkeypatch.setitem(sys.modules, "pulumi_cloudflare", None)  # an import raises
    recording = run_main({})
    assert recording.error is None, recording.error
    assert len(recording.containers) >= 4
    with pytest.raises(ImportError):  # what would have happened
        importlib.import_module("components.resources.dns")


# Wrong configurations

WRONG: Final = {
    "a URL without scheme": {"publicUrl": "video.example.org"},
    "an unknown key": {"PUBLIC_URL": "https://video.example.org"},
    "colliding ports": {"httpPort": "8443"},
    "statistics without broker": {"enableStatistics": "true"},
    "a zone without token": {**DOMAIN, **DNS},
    "a Docker host that is none": {"docker:host": "video.example.org"},
    "a misspelt namespace": {"videobackends:httpPort": "80"},
    "a setting and a provider at once": {"httpPort": "0", "docker:host": "video.example.org"},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_registers_nothing(name: str) -> None:
    recording = run_main(WRONG[name])
    assert isinstance(recording.error, SettingsError)
    assert {one.type for one in recording.resources} <= {STACK_TYPE}
    assert recording.outputs == {}


def test_a_stack_whose_file_is_missing_or_names_no_url_registers_nothing() -> None:
    """The engine hands over the defaults alone then, and an `up` would put them on this machine's Docker."""
    recording = run_main({}, stack="prod")
    assert isinstance(recording.error, SettingsError)
    assert "Pulumi.prod.yaml is missing" in str(recording.error)
    assert {one.type for one in recording.resources} <= {STACK_TYPE}
    assert run_main({}, stack="dev").error is None, "the stack for this machine has a default"


def test_a_secret_in_plain_text_registers_nothing_and_is_not_repeated() -> None:
    secret = OWN_SECRETS["jwtAppSecret"]
    recording = record(main_program, config={"videobackend:jwtAppSecret": secret})
    assert isinstance(recording.error, SettingsError)
    assert "plain text" in str(recording.error)
    assert secret not in str(recording.error)
    assert {one.type for one in recording.resources} <= {STACK_TYPE}


def test_a_docker_host_with_credentials_is_not_repeated() -> None:
    error = run_main({"docker:host": "https://deploy:hunter2@video.example.org"}).error
    assert isinstance(error, SettingsError)
    assert "hunter2" not in str(error)


def test_an_encrypted_setting_of_the_docker_provider_reaches_it_as_a_secret() -> None:
    config = {
        "docker:host": "tcp://192.0.2.9:2376",
        "docker:keyMaterial": "a-key",
        "docker:registryAuth": '[{"address": "r.example.org", "password": "hunter2"}]',
    }
    recording = record(main_program, config=config, secret_keys=frozenset(config))
    (provider,) = recording.of_type("pulumi:providers:docker")
    for name in ("host", "keyMaterial", "registryAuth"):
        assert isinstance(provider.inputs[name], Sealed), name


def test_problems_of_settings_and_providers_come_in_one_message() -> None:
    error = run_main(WRONG["a setting and a provider at once"]).error
    assert isinstance(error, SettingsError)
    assert [problem.key for problem in error.problems] == ["httpPort", "docker:host"]


def test_a_cloudflare_token_in_plain_text_is_refused_without_being_repeated() -> None:
    recording = record(main_program, config=namespaced({**DOMAIN, **DNS, **CLOUDFLARE}))
    assert isinstance(recording.error, SettingsError)
    assert [problem.key for problem in recording.error.problems] == ["cloudflare:apiToken"]
    assert TOKEN not in str(recording.error)


def test_a_cloudflare_token_in_the_environment_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
    assert run_main({**DOMAIN, **DNS}).error is None


# Providers and options


def test_the_docker_host_is_the_configured_one() -> None:
    (provider,) = scenario("remote host").of_type("pulumi:providers:docker")
    assert provider.inputs["host"] == "ssh://deploy@video.example.org"


def test_the_docker_host_does_not_follow_the_operators_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.99:2375")
    (provider,) = run_main({}).of_type("pulumi:providers:docker")
    assert provider.inputs["host"] == "unix:///var/run/docker.sock"


def test_a_provider_given_by_the_caller_is_used_by_every_docker_resource() -> None:
    def program() -> None:
        given = docker.Provider("elsewhere", host="tcp://192.0.2.8:2376")
        VideoBackend("calls", load(), opts=pulumi.ResourceOptions(providers={"docker": given}))

    recording = record(program)
    (provider,) = recording.of_type("pulumi:providers:docker")
    used = [one for one in recording.resources if one.type.startswith("docker:")]
    assert {one.provider for one in used} == {f"{provider.urn}::{provider.id}"}
    assert len(used) >= 8


def test_another_name_of_the_component_gives_other_names_to_all_below_it() -> None:
    def program() -> None:
        for name in ("first", "second"):
            VideoBackend(name, load())

    recording = record(program)
    assert recording.error is None
    urns = [one.urn for one in recording.resources]
    assert len(set(urns)) == len(urns)
    names = [one.inputs["name"] for one in recording.of_type("docker:index/container:Container")]
    assert len(set(names)) == len(names) >= 8


def test_the_callers_parent_does_not_take_the_children_away() -> None:
    class Environment(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Environment", "environment")
            VideoBackend("calls", load(), opts=pulumi.ResourceOptions(parent=self))

    def program() -> None:
        Environment()

    recording = record(program)
    backend = recording.named("calls")
    assert recording.by_urn(backend.parent).name == "environment"
    assert {one.parent for one in recording.of_type("docker:index/container:Container")} == {backend.urn}


@pytest.mark.parametrize("values", [STATISTICS, VIDEO_SERVICE], ids=["statistics", "VideoService"])
def test_who_is_told_of_a_calls_end_reaches_prosody_and_no_other_service(values: dict[str, str]) -> None:
    on = run_main({**values})
    off = run_main({})
    changed = {
        role
        for role in on.containers
        if reveal(dict(on.containers[role].inputs)) != reveal(dict(off.containers[role].inputs))
    }
    assert changed == {"prosody"}


def test_the_password_for_the_video_service_is_sealed() -> None:
    content = uploads(scenario("own secrets"), "prosody")["/config/conf.d/videoservice.cfg.lua"]
    assert isinstance(content, Sealed)
    assert f'video_service_password = "{OWN_SECRETS["videoServicePassword"]}"' in content.value


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_readme_lists_every_output(name: str) -> None:
    table = (ROOT / "README.md").read_text().partition("| Output |")[2].partition("\n\n")[0]
    cells = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    assert {f"`{output}`" for output in scenario(name).outputs} <= set(re.findall("`[^`]+`", cells))


def test_ctrl_c_ends_the_program_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: list[Any] = []
    monkeypatch.setattr(signal, "signal", lambda number, handler: handlers.append((number, handler)))
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    run_main({})
    number, handler = handlers[0]
    assert number == signal.SIGINT
    handler(signal.SIGINT, None)
    assert codes == [32], "the code that tells Pulumi's Python host that all is said"
