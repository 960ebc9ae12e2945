"""One way to the Docker host, the provider's; and nothing in the environment leads to another one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from components.resources.docker_cli import DockerCli

MUST_NOT_LEAD = {
    "DOCKER_HOST": "tcp://elsewhere:2375",
    "DOCKER_CONTEXT": "elsewhere",
    "DOCKER_TLS": "1",
    "DOCKER_TLS_VERIFY": "1",
    "DOCKER_CERT_PATH": "/elsewhere",
    "DOCKER_API_VERSION": "1.12",
}


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ({}, "--host unix:///var/run/docker.sock"),
        ({"host": "ssh://me@box"}, "--host ssh://me@box"),
        ({"host": "ssh://me@box", "context": "box"}, "--context box"),
        (
            {"host": "tcp://box:2376", "cert_path": "/certs"},
            "--host tcp://box:2376 --tlsverify --tlscacert /certs/ca.pem --tlscert /certs/cert.pem "
            "--tlskey /certs/key.pem",
        ),
    ],
)
def test_the_options_lead_where_the_provider_goes(arguments: dict[str, Any], options: str) -> None:
    docker = DockerCli.with_arguments(arguments)
    assert docker.command("ps") == ["docker", *options.split(), "ps"]
    assert docker.typed("ps") == f"docker {options} ps"


@pytest.mark.parametrize(
    ("arguments", "secrets", "reason"),
    [
        ({"host": "ssh://[secret]"}, {"host"}, "docker:host is encrypted"),
        ({"context": "x"}, {"context"}, "docker:context is encrypted"),
        ({"ssh_opts": ["-p", "22"]}, set(), "the docker command has no option for docker:sshOpts"),
        ({"key_material": "PEM"}, set(), "the docker command has no option for docker:keyMaterial"),
    ],
)
def test_a_host_that_it_cannot_be_led_to_is_not_asked(
    arguments: dict[str, Any], secrets: set[str], reason: str
) -> None:
    docker = DockerCli.with_arguments(arguments, secrets)
    assert docker.unusable == reason
    assert not docker.usable
    assert docker.typed("ps") == "docker ps", "no host is better than another one"


def test_a_host_that_is_a_secret_is_asked_by_the_program_and_not_shown() -> None:
    docker = DockerCli.with_arguments({"host": "ssh://me@hidden"}, {"host"}, decrypted=True)
    assert docker.command("ps") == ["docker", "--host", "ssh://me@hidden", "ps"]
    assert docker.typed("ps") == "docker --host '[secret]' ps"


def test_the_environment_leads_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!{sys.executable}\nimport os\nprint(*(n for n in os.environ if n.startswith('DOCKER_')))\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", "/contexts")
    for name, value in MUST_NOT_LEAD.items():
        monkeypatch.setenv(name, value)
    assert DockerCli().run("ps").stdout.split() == ["DOCKER_CONFIG"], (
        "which holds the contexts that docker:context names"
    )


def test_without_the_command_there_is_an_exit_code_and_no_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not DockerCli().usable
    assert DockerCli().run("ps").returncode != 0
