"""What an operator reads when a container does not become healthy, told by a stand-in for the docker command."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pulumi
import pytest

from components.resources import diagnosis
from components.resources.diagnosis import Suspect
from components.resources.docker_cli import DockerCli
from components.stack import services
from tests.values import load

SECRET: Final = "5ebe2294ecd0e0f08eab7690d2a6ee69"
HERE: Final = DockerCli()


def suspect(role: str, container: str, *secrets: str) -> Suspect:
    return Suspect(role=role, container=container, secrets=[pulumi.Output.secret(one) for one in secrets])


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
    text = diagnosis.explanation(suspect("prosody", "videobackend-dev-prosody"), HERE, [])
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
    text = diagnosis.explanation(suspect("web", "web-1"), DockerCli(("--host", "ssh://deploy@video.example.org")), [])
    assert (docker.parent / "arguments").read_text() == "--host ssh://deploy@video.example.org logs --tail 20 web-1\n"
    assert text.endswith("look at: docker --host ssh://deploy@video.example.org logs --tail 20 web-1")


def test_secrets_are_blotted_out(docker: Path) -> None:
    does(docker, f"echo password={SECRET}{SECRET}; echo {SECRET}")
    text = diagnosis.explanation(suspect("prosody", "c"), HERE, [SECRET])
    assert SECRET not in text
    assert "    password=[secret][secret]\n    [secret]\n" in text


def test_a_container_that_logged_nothing_is_said_to(docker: Path) -> None:
    does(docker, "")
    assert "    (it has logged nothing)" in diagnosis.explanation(suspect("web", "c"), HERE, [])


def test_of_a_container_that_was_never_started_dockers_own_error_is_told_and_no_empty_log(docker: Path) -> None:
    for error, told in (
        (f"driver failed: port is in use {SECRET}", "driver failed: port is in use [secret]"),
        ("OCI runtime create failed:\n  no such file", "OCI runtime create failed: no such file"),
        ("", None),
    ):
        does(
            docker,
            f"case \"$*\" in *State.Error*) printf '%s\\n' '{json.dumps(error)}' ;; *) echo a line of the log ;; esac",
        )
        text = diagnosis.explanation(suspect("web", "c"), HERE, [SECRET])
        if told is None:
            assert text.startswith("web did not start or did not become healthy. The last lines of its log:")
        else:
            assert text == f"Docker could not start web: {told}"


def test_bytes_that_are_no_text_do_no_harm(docker: Path) -> None:
    does(docker, "printf 'a\\377b\\n'")
    assert "    a\ufffdb" in diagnosis.explanation(suspect("web", "c"), HERE, [])


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$"])
def test_without_a_log_there_is_a_hint_where_to_look(docker: Path, script: str) -> None:
    does(docker, script)
    assert diagnosis.explanation(suspect("web", "c"), HERE, []) == (
        "web did not start or did not become healthy; look at: docker --host unix:///var/run/docker.sock logs --tail 20 c"
    )


def test_without_docker_there_is_a_hint_where_to_look(docker: Path) -> None:
    assert not docker.exists()
    assert diagnosis.explanation(suspect("web", "c"), HERE, []).endswith(
        "; look at: docker --host unix:///var/run/docker.sock logs --tail 20 c"
    )


def test_a_docker_that_hangs_is_left_behind(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_SECONDS", 0.2)
    does(docker, "exec /bin/sleep 30")
    assert diagnosis.explanation(suspect("web", "c"), HERE, []).endswith(
        "; look at: docker --host unix:///var/run/docker.sock logs --tail 20 c"
    )


# The hook around it

Hook = Any


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What hooks log. They may set a signal handler, which is put back."""
    lines: list[str] = []
    monkeypatch.setattr(pulumi, "ErrorHook", lambda name, function: function)
    monkeypatch.setattr(pulumi.log, "error", lines.append)
    before = signal.getsignal(signal.SIGINT)
    yield lines
    signal.signal(signal.SIGINT, before)


def fails(*suspects: tuple[str, tuple[str, ...]], operation: str = "create") -> Any:
    """Calls the hook of the first of these (role, secrets), which needs the others."""

    async def explain() -> Any:
        made = [suspect(role, role, *secrets) for role, secrets in suspects]
        function: Hook = diagnosis.container_hook("diagnosis", made, HERE)
        return await function(pulumi.ErrorHookArgs("u", "i", "n", "t", new_inputs=None, failed_operation=operation))

    return asyncio.run(explain())


@pytest.mark.parametrize("operation", ["create", "update"])
def test_a_failure_is_explained_without_the_containers_secrets(docker: Path, logged: list[str], operation: str) -> None:
    does(docker, f"echo UTC {SECRET} 1234")
    assert fails(("prosody", (SECRET, "1234")), operation=operation) is False, "it never asks for another try"
    (text,) = logged
    assert "    UTC [secret] 1234\n" in text, "plain values stay; what is too short to tell apart stays too"


def test_a_failed_removal_is_not_explained(docker: Path, logged: list[str]) -> None:
    does(docker, "echo out")
    assert fails(("prosody", ()), operation="delete") is False
    assert logged == []


ASKED: Final = """\
for last; do :; done
case "$*" in
*inspect*) case $last in %s ;; esac ;;
*) echo "log of $last: %s" ;;
esac"""
"""A docker command that knows the health of each container, and what each has logged."""


def test_what_the_failed_container_needs_is_explained_first_where_it_is_not_well(
    docker: Path, logged: list[str]
) -> None:
    """jicofo waits for ever for a prosody that is down; its own log tells nothing of why."""
    does(docker, ASKED % ("prosody) echo unhealthy ;; *) echo healthy", SECRET))
    fails(("jicofo", ()), ("jvb", ()), ("prosody", (SECRET,)))
    first, second = logged
    assert first.startswith("jicofo needs prosody: prosody did not start or did not become healthy. The last lines")
    assert "    log of prosody: [secret]\n" in first
    assert second.startswith("jicofo did not start or did not become healthy.")
    assert "log of jicofo: [secret]" in second, "of whichever of them the secret is"


def test_a_needed_container_that_is_gone_is_told_too(docker: Path, logged: list[str]) -> None:
    does(docker, ASKED % ("prosody) echo Error: No such object: prosody >&2; exit 1 ;; *) echo healthy", "x"))
    fails(("jicofo", ()), ("prosody", ()))
    assert [line.partition(" did not")[0] for line in logged] == ["jicofo needs prosody: prosody", "jicofo"]


def test_of_needed_containers_that_are_well_nothing_is_said(docker: Path, logged: list[str]) -> None:
    does(docker, ASKED % ("*) echo healthy", "x"))
    fails(("jicofo", ()), ("prosody", ()))
    assert [line.partition(" did not")[0] for line in logged] == ["jicofo"]


def test_without_docker_the_failed_container_alone_is_named(docker: Path, logged: list[str]) -> None:
    fails(("jicofo", ()), ("prosody", ()))
    assert [line.partition(" did not")[0] for line in logged] == ["jicofo"]


LOOKED_AT: Final = {
    "web": ["web"],
    "prosody": ["prosody"],
    "jvb": ["jvb", "prosody"],
    "jicofo": ["jicofo", "jvb", "prosody"],
}
"""The container, and all without which it is not healthy."""


def test_a_failure_leads_to_whatever_the_container_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """To what it starts after, and to what it does without until its own health check: jicofo to its bridge."""
    looked_at = {}

    def keep(_: str, suspects: list[Suspect], __: DockerCli) -> Any:
        looked_at[suspects[0].role] = [one.container for one in suspects]

    monkeypatch.setattr(diagnosis, "container_hook", keep)
    monkeypatch.setattr(diagnosis, "image_hook", lambda *_: None)
    specs = services.specs(load())
    secrets = {name: pulumi.Output.secret(SECRET) for spec in specs for name in spec.secret_names}
    diagnosis.hooks("x", specs, {spec.role: spec.role for spec in specs}, secrets, HERE)
    assert looked_at == LOOKED_AT
