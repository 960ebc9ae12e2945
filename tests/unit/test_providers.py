"""The Docker provider's arguments from the configuration."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from components.config import providers
from components.config.load import load_all
from components.config.problems import Problem, pulumi_command
from components.config.secret import ENCRYPTED
from components.resources.docker_host import provider_arguments

PASSWORD = "hunter2-6e2f0a41"
REGISTRY = {"address": "r.example.org", "username": "u"}


def problems(stored: dict[str, str], *encrypted: str) -> list[Problem]:
    is_secret = encrypted.__contains__
    found = providers.plain_secrets(stored, is_secret) + providers.docker_problems(stored, is_secret)
    assert not [one for one in found if PASSWORD in str(one)], "a secret shows"
    return found


def problem(stored: dict[str, str], *encrypted: str) -> Problem:
    (one,) = problems(stored, *encrypted)
    return one


def test_lists_become_arguments_and_what_is_unset_or_empty_does_not() -> None:
    stored = {"docker:host": "tcp://192.0.2.9:2376", "docker:sshOpts": '["-p", "22"]', "docker:context": ""}
    assert problems(stored) == []
    assert providers.docker_options(stored) == {"host": "tcp://192.0.2.9:2376", "ssh_opts": ["-p", "22"]}


def test_what_is_stored_encrypted_is_known_by_its_argument() -> None:
    encrypted = ("docker:host", "docker:keyMaterial", "videobackend:jwtAppSecret")
    assert providers.docker_secrets(encrypted.__contains__) == {"host", "key_material"}


DOCKER: dict[str, str] = {
    "host": "tcp://192.0.2.9:2376",
    "context": "far",
    "sshOpts": '["-p", "22"]',
    "certPath": "/certs",
    "caMaterial": "ca",
    "certMaterial": "certificate",
    "keyMaterial": "key",
    "registryAuth": json.dumps([REGISTRY]),
}


@pytest.mark.parametrize("key", DOCKER)
def test_what_is_stored_encrypted_reaches_the_provider_as_a_secret_and_nothing_else_does(key: str) -> None:
    stored = {f"docker:{name}": value for name, value in DOCKER.items() if name in (key, "keyMaterial")}
    encrypted = {f"docker:{key}", "docker:keyMaterial"}
    settings = load_all(stored, stack="dev", secret_keys=encrypted, project="videobackend")
    arguments = provider_arguments(settings)
    secret = {name for name, value in arguments.items() if isinstance(value, pulumi.Output)}
    (changed,) = providers.docker_options({f"docker:{key}": DOCKER[key]})
    assert secret == {changed, "key_material"}
    assert set(arguments) == {"host", "context", changed, "key_material"}


def test_every_key_of_the_docker_provider_is_among_those() -> None:
    """A new one joins the test above."""
    assert providers.unknown_keys([f"docker:{key}" for key in DOCKER], "videobackend") == []
    (unknown,) = providers.unknown_keys(["docker:qqqqqqqq"], "videobackend")
    assert unknown.reason == f"no such key; docker has {', '.join(DOCKER)}"


@pytest.mark.parametrize(
    "key", ["docker:keyMaterial", "cloudflare:apiToken", "cloudflare:apiKey", "cloudflare:apiUserServiceKey"]
)
def test_a_secret_of_a_provider_is_refused_in_plain_text_with_the_command_that_encrypts_it(key: str) -> None:
    one = problem({key: PASSWORD})
    assert (one.key, one.config_arguments) == (key, ["set", "--secret", key])
    assert problems({key: PASSWORD}, key) == []


@pytest.mark.parametrize("field", ["password", "configFileContent"])
def test_a_registrys_secret_in_plain_text_is_refused_with_the_command_for_that_very_field(field: str) -> None:
    stored = {"docker:registryAuth": json.dumps([REGISTRY, {**REGISTRY, field: PASSWORD}])}
    one = problem(stored)
    assert (one.reason, one.allowed) == ("a secret in plain text", "an encrypted value")
    assert (
        pulumi_command(one, "dev") == f"pulumi config --stack dev set --secret --path 'docker:registryAuth[1].{field}'"
    )
    assert problems(stored, "docker:registryAuth") == []


def test_a_registrys_address_with_a_password_is_refused_and_not_repeated() -> None:
    stored = {"docker:registryAuth": json.dumps([REGISTRY, {"address": f"https://u:{PASSWORD}@ghcr.io"}])}
    for encrypted in ((), ("docker:registryAuth",)):
        one = problem(stored, *encrypted)
        assert one.key == "docker:registryAuth[1].address"
        assert one.step.startswith("write address without user name and password")


@pytest.mark.parametrize(
    "option", [f"ProxyCommand=sshpass -p {PASSWORD} ssh jump", f"Password={PASSWORD}", f"ssh://u:{PASSWORD}@h"]
)
def test_options_of_ssh_with_a_password_are_refused_and_not_repeated(option: str) -> None:
    assert problem({"docker:sshOpts": json.dumps(["-o", option])}).remove


@pytest.mark.parametrize(
    "option",
    ["ProxyCommand=ssh -W %h:%p jump", "ProxyJump=u@h:22", "PasswordAuthentication=no", "UserKnownHostsFile=/x"],
)
def test_other_options_of_ssh_are_taken(option: str) -> None:
    assert problems({"docker:sshOpts": json.dumps(["-o", option])}) == []


@pytest.mark.parametrize("token", ["Bearer abc", "abc\n", " abc", "a b"])
def test_a_token_of_cloudflare_is_what_a_header_carries(token: str) -> None:
    (one,) = providers.cloudflare_problems({"cloudflare:apiToken": token})
    assert (one.key, one.secret, one.given) == ("cloudflare:apiToken", True, None)
    assert providers.cloudflare_problems({"cloudflare:apiToken": ENCRYPTED}) == []


@pytest.mark.parametrize("host", ["tcp://h:99999", "ssh://u@h:0", "tcp://h:${PORT}", "unix://${HOME}/x.sock"])
def test_a_docker_host_with_a_port_or_variable_that_leads_nowhere_is_refused(host: str) -> None:
    assert problem({"docker:host": host}).example == "ssh://USER@HOST"


def test_a_path_from_home_does_not_become_another_one() -> None:
    assert problem({"docker:host": "unix://~/docker.sock"}).example == "ssh://USER@HOST"


def test_a_registry_without_a_secret_may_stand_in_plain_text() -> None:
    assert problems({"docker:registryAuth": json.dumps([REGISTRY])}) == []


@pytest.mark.parametrize(
    "host",
    [
        f"ssh://deploy:{PASSWORD}@h.example.org",
        f"tcp://deploy:{PASSWORD}@h.example.org:2376",
        f"ssh://deploy:{PASSWORD}/x@h.example.org",
        f"http://deploy:{PASSWORD}/x@h.example.org:2375",
        f"deploy:{PASSWORD}@h",
    ],
)
@pytest.mark.parametrize("encrypted", [(), ("docker:host",)])
def test_a_host_with_a_password_is_refused_and_not_repeated(host: str, encrypted: tuple[str, ...]) -> None:
    assert problem({"docker:host": host}, *encrypted).key == "docker:host"


def test_a_wrong_host_that_is_encrypted_is_not_shown() -> None:
    assert problem({"docker:host": f"https://{PASSWORD}"}, "docker:host").given is None
    assert problem({"docker:host": "https://box"}).given == "'https://box'"


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        ("unix://var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("unix:/var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("/var/run/docker.sock", "unix:///var/run/docker.sock"),
        (f"ssh://deploy:{PASSWORD}@h.example.org", "ssh://deploy@h.example.org"),
        (f"ssh://deploy:{PASSWORD}/x@h.example.org", "ssh://deploy@h.example.org"),
        ("deploy@h.example.org", "ssh://deploy@h.example.org"),
        ("https://h.example.org:2376/", "tcp://h.example.org:2376"),
        ("http://h.example.org", "ssh://USER@HOST"),
        ("tcp://h.example.org", "ssh://USER@HOST"),
        ("tcp://:2375", "ssh://USER@HOST"),
        ("ssh://-oProxyCommand=x", "ssh://USER@HOST"),
        ("unix:///a b", "ssh://USER@HOST"),
        ("unix://", "ssh://USER@HOST"),
        ("fd://3", "ssh://USER@HOST"),
    ],
)
def test_a_host_of_another_form_is_refused_with_what_was_meant(host: str, meant: str) -> None:
    assert problem({"docker:host": host}).example == meant


@pytest.mark.parametrize("url", [f"https://u:{PASSWORD}@api.example.org", f"https://{PASSWORD}@api.example.org", "api"])
def test_the_address_of_cloudflares_api_has_no_credentials(url: str) -> None:
    (one,) = providers.cloudflare_problems({"cloudflare:apiToken": "x", "cloudflare:baseUrl": url})
    assert one.config_arguments == ["rm", "cloudflare:baseUrl"]
    assert PASSWORD not in str(one)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8081/client/v4", "https://api.example.org"])
def test_another_api_of_cloudflare_is_taken(url: str) -> None:
    assert providers.cloudflare_problems({"cloudflare:apiToken": "x", "cloudflare:baseUrl": url}) == []


@pytest.mark.parametrize(
    "host",
    [
        "unix:///var/run/docker.sock",
        "unix:///a:b@c",
        "ssh://deploy@h:22",
        "ssh://[2001:db8::1]:22",
        "tcp://192.0.2.9:2376",
    ],
)
def test_a_host_without_a_password_is_taken(host: str) -> None:
    assert problems({"docker:host": host}) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("sshOpts", value) for value in (5, {"a": "b"}, [5], [["-p"]], "-p 22", True)),
        *(("registryAuth", value) for value in (5, ["a"], {"address": "r"}, [{"username": "u"}], [{"address": ["r"]}])),
        ("registryAuth", [{**REGISTRY, "passwort": PASSWORD}]),
    ],
)
def test_a_list_of_another_shape_is_refused_before_the_provider_meets_it(key: str, value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    assert problem({f"docker:{key}": text}).key == f"docker:{key}"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("videobackends:publicUrl", "no such namespace; did you mean videobackend:publicUrl?"),
        ("video-backend:httpPort", "no such namespace; did you mean videobackend:httpPort?"),
        ("Videobackend:httpPort", "no such namespace; did you mean videobackend:httpPort?"),
        ("Docker:host", "no such namespace; did you mean docker:host?"),
        ("aws:region", "no such namespace; there are videobackend, docker, cloudflare, random, tls, pulumi"),
        ("docker:hosts", "no such key; did you mean docker:host?"),
        ("cloudflare:token", "no such key; did you mean cloudflare:apiToken?"),
    ],
)
def test_a_key_that_nobody_would_read_is_refused(key: str, hint: str) -> None:
    (one,) = providers.unknown_keys([key], "videobackend")
    assert (one.reason, one.allowed, one.config_arguments) == (hint, "", ["rm", key])


def test_keys_of_the_project_the_engine_and_the_providers_are_taken() -> None:
    known = ["videobackend:noMatter", "docker:host", "cloudflare:email", "pulumi:tags", "random:x", "tls:x"]
    assert providers.unknown_keys(known, "videobackend") == []
