"""What an operator reads when a container does not become healthy, told by a stand-in for the docker command."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pulumi
import pytest

from components.resources import diagnosis
from components.resources.docker_cli import DockerCli
from components.stack.spec import ContainerSpec, HealthSpec, SecretRef

SECRET: Final = "5ebe2294ecd0e0f08eab7690d2a6ee69"
HERE: Final = DockerCli()
SPEC: Final = ContainerSpec(
    role="prosody",
    image="prosody:1",
    environment={"TZ": "UTC", "JVB_AUTH_PASSWORD": SecretRef("jvb_auth_password"), "PIN": SecretRef("pin")},
    health=HealthSpec(command=("CMD", "true")),
)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` alone on PATH; tests write what it does. Its arguments land in `arguments` beside it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "docker"


def does(docker: Path, script: str) -> None:
    docker.write_text(f'#!/bin/sh\necho "$@" > {docker.parent}/arguments\n{script}\n')
    docker.chmod(0o755)


def test_the_last_lines_of_the_log_are_shown_from_both_streams(docker: Path) -> None:
    does(docker, "echo out; echo err >&2")
    text = diagnosis.explanation("prosody", "videobackend-dev-prosody", HERE, [])
    assert text.splitlines() == [
        "prosody did not start or did not become healthy. The last lines of its log:",
        "    out",
        "    err",
        "look at: docker --host unix:///var/run/docker.sock logs --tail 20 videobackend-dev-prosody",
    ]
    assert (
        docker.parent / "arguments"
    ).read_text() == "--host unix:///var/run/docker.sock logs --tail 20 videobackend-dev-prosody\n"


def test_the_log_is_asked_of_the_configured_host(docker: Path) -> None:
    does(docker, "echo out")
    text = diagnosis.explanation("web", "web-1", DockerCli(("--host", "ssh://deploy@video.example.org")), [])
    assert (docker.parent / "arguments").read_text() == "--host ssh://deploy@video.example.org logs --tail 20 web-1\n"
    assert text.endswith("look at: docker --host ssh://deploy@video.example.org logs --tail 20 web-1")


def test_secrets_are_blotted_out(docker: Path) -> None:
    does(docker, f"echo password={SECRET}{SECRET}; echo {SECRET}")
    text = diagnosis.explanation("prosody", "c", HERE, [SECRET])
    assert SECRET not in text
    assert "    password=[secret][secret]\n    [secret]\n" in text


def test_a_container_that_logged_nothing_is_said_to(docker: Path) -> None:
    does(docker, "")
    assert "    (it has logged nothing)" in diagnosis.explanation("web", "c", HERE, [])


def test_bytes_that_are_no_text_do_no_harm(docker: Path) -> None:
    does(docker, "printf 'a\\377b\\n'")
    assert "    a\ufffdb" in diagnosis.explanation("web", "c", HERE, [])


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$"])
def test_without_a_log_there_is_a_hint_where_to_look(docker: Path, script: str) -> None:
    does(docker, script)
    assert diagnosis.explanation("web", "c", HERE, []) == (
        "web did not start or did not become healthy; look at: docker --host unix:///var/run/docker.sock logs --tail 20 c"
    )


def test_without_docker_there_is_a_hint_where_to_look(docker: Path) -> None:
    assert not docker.exists()
    assert diagnosis.explanation("web", "c", HERE, []).endswith(
        "; look at: docker --host unix:///var/run/docker.sock logs --tail 20 c"
    )


def test_a_docker_that_hangs_is_left_behind(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_SECONDS", 0.2)
    does(docker, "exec /bin/sleep 30")
    assert diagnosis.explanation("web", "c", HERE, []).endswith(
        "; look at: docker --host unix:///var/run/docker.sock logs --tail 20 c"
    )


# The hook around it

Hook = Any


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Hook, list[str]]]:
    """The hook's function, and what it logs. It may set a signal handler, which is put back."""
    logged: list[str] = []
    monkeypatch.setattr(pulumi, "ErrorHook", lambda name, function: function)
    monkeypatch.setattr(pulumi.log, "error", logged.append)
    before = signal.getsignal(signal.SIGINT)
    yield diagnosis.container_hook("diagnosis", SPEC, "videobackend-dev-prosody", HERE), logged
    signal.signal(signal.SIGINT, before)


def call(function: Hook, operation: str, envs: Any) -> Any:
    args = pulumi.ErrorHookArgs(
        "urn", "id", "name", "docker:Container", new_inputs={"envs": envs}, failed_operation=operation
    )
    return asyncio.run(function(args))


@pytest.mark.parametrize("operation", ["create", "update"])
@pytest.mark.parametrize("sealed", [True, False])
def test_a_failure_is_explained_without_the_containers_secrets(
    docker: Path, hook: tuple[Hook, list[str]], operation: str, sealed: bool
) -> None:
    """The engine hands a list that holds a secret over as one secret Output."""
    does(docker, f"echo UTC {SECRET} 1234")
    envs: Any = ["TZ=UTC", f"JVB_AUTH_PASSWORD={SECRET}", "PIN=1234"]
    function, logged = hook

    async def explain() -> Any:
        given = pulumi.Output.secret(envs) if sealed else envs
        args = pulumi.ErrorHookArgs("u", "i", "n", "t", new_inputs={"envs": given}, failed_operation=operation)
        return await function(args)

    assert asyncio.run(explain()) is False, "it never asks for another try"
    (text,) = logged
    assert "    UTC [secret] 1234\n" in text, "plain values stay; what is too short to tell apart stays too"


def test_a_failed_removal_is_not_explained(docker: Path, hook: tuple[Hook, list[str]]) -> None:
    does(docker, "echo out")
    function, logged = hook
    assert call(function, "delete", []) is False
    assert logged == []


def test_a_container_without_environment_is_explained_too(docker: Path, hook: tuple[Hook, list[str]]) -> None:
    does(docker, "echo out")
    function, logged = hook
    args = pulumi.ErrorHookArgs("u", "i", "n", "t", new_inputs=None, failed_operation="create")
    asyncio.run(function(args))
    assert "    out\n" in logged[0]
