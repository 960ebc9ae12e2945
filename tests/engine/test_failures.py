"""What goes wrong explains itself: a configuration that is refused, and a container that does not become healthy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.engine import docker_host
from tests.engine.conftest import BROKEN, GOOD, WorkspaceMaker
from tests.engine.workspace import Run, Workspace

PLAIN = "plain-text-5b1d9c0e77aa"
"""A secret of good form that stands unencrypted in the stack file."""
SHORT = "too-short-4e8a"
SHELL = "with a $(shell) 4e8a"

WRONG: Mapping[str, tuple[Mapping[str, Any], Mapping[str, str], tuple[str, ...]]] = {
    "a URL without scheme": ({"publicUrl": "video.example.org"}, {}, ("publicUrl", "'video.example.org'", "https://")),
    "a URL with path, query or credentials": (
        {"publicUrl": "https://user:pass-4e8a@video.example.org/x?y"},
        {},
        ("publicUrl", "no user name or password"),
    ),
    "a port out of range": ({"httpPort": 70000}, {}, ("httpPort", "'70000'", "1 to 65535")),
    "colliding ports": ({"httpPort": 8443, "httpsPort": 8443}, {}, ("httpPort", "'8443'", "(httpsPort)")),
    "a loopback address": ({"dockerHostAddress": "127.0.0.1"}, {}, ("dockerHostAddress", "'127.0.0.1'", "loopback")),
    "a short JWT secret": ({}, {"jwtAppSecret": SHORT}, ("jwtAppSecret", "32 bytes", "set --secret")),
    "spaces in a list": ({"jwtAcceptedIssuers": "one, two"}, {}, ("jwtAcceptedIssuers", "'one, two'", "no spaces")),
    "a moderator module without JWT": (
        {"enableAuth": False, "xmppMucModules": "token_moderation"},
        {},
        ("xmppMucModules", "token_moderation", "enableAuth true"),
    ),
    "a password with shell characters": ({}, {"jvbAuthPassword": SHELL}, ("jvbAuthPassword", "through shells")),
    "statistics without a broker": (
        {"enableStatistics": True},
        {},
        ("rabbitUrl", "rabbitUsername", "rabbitPassword", "because enableStatistics is true"),
    ),
    "a broker URL that publishes nothing": (
        {"rabbitUrl": "http://mq.example.org:15672/api/queues"},
        {},
        ("rabbitUrl", "/api/exchanges/VHOST/EXCHANGE/publish"),
    ),
    "a secret in plain text": ({"jvbAuthPassword": PLAIN}, {}, ("jvbAuthPassword", "plain text", "set --secret")),
    "an old release": ({"jitsiRelease": "stable-9779"}, {}, ("jitsiRelease", "'stable-9779'", "stable-11146 or newer")),
    "an unknown key": ({"publicUrI": "https://video.example.org"}, {}, ("publicUrI", "did you mean publicUrl?")),
}
"""For each kind of mistake: plain values, encrypted values, and what the message must say."""


@pytest.fixture(scope="module")
def untouched(make_workspace: WorkspaceMaker) -> Workspace:
    return make_workspace()


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_configuration_creates_nothing_and_explains_itself(untouched: Workspace, kind: str) -> None:
    plain, encrypted, words = WRONG[kind]
    values: dict[str, Any] = (
        {key: {"secure": text} for key, text in untouched.encrypt(encrypted).items()} if encrypted else {}
    )
    untouched.write(**plain, **values)
    run = untouched.try_up()
    assert run.code != 0
    for word in (*words, "nothing was created or changed", "fix:"):
        assert word in run.text
    assert_clean(run)
    for secret in (PLAIN, SHORT, SHELL, "pass-4e8a"):
        assert secret not in run.text
    assert docker_host.leftovers(untouched.stack) == []
    resources = untouched.export()["deployment"].get("resources", [])
    assert {one["type"] for one in resources} <= {"pulumi:pulumi:Stack"}


def test_all_problems_of_a_configuration_stand_in_one_message(untouched: Workspace) -> None:
    untouched.write(publicUrl="video.example.org", httpPort=70000, dockerHostAddress="127.0.0.1", noSuchKey="x")
    run = untouched.try_up()
    assert "has 4 problems" in run.text
    for key in ("publicUrl", "httpPort", "dockerHostAddress", "noSuchKey"):
        assert f"  videobackend:{key}\n" in run.text


def test_a_failed_first_start_shows_the_log_without_secrets_and_the_next_up_fixes_it(
    make_workspace: WorkspaceMaker,
) -> None:
    stack = make_workspace(BROKEN)
    stack.patch("components/stack/spec.py", "deadline: int = 90", "deadline: int = 12")
    run = stack.try_up()
    assert run.code != 0
    assert "prosody did not start or did not become healthy" in run.text
    assert "prosody cannot start: account jvb with password [secret] is refused" in run.text
    assert f"docker --host unix:///var/run/docker.sock logs --tail 20 videobackend-{stack.stack}-prosody" in run.text
    assert_clean(run)
    assert "jicofo needs prosody: " in run.text, "it is jicofo that up waits for"
    password = docker_host.environment(docker_host.containers(stack.stack)["prosody"])["JVB_AUTH_PASSWORD"]
    assert password not in run.text

    stack.config["imageRegistry"] = GOOD
    stack.write()
    stack.up()
    states = {role: one["State"]["Health"]["Status"] for role, one in docker_host.containers(stack.stack).items()}
    assert states == dict.fromkeys(("web", "prosody", "jvb", "jicofo"), "healthy")
    again = stack.preview("--refresh", "--expect-no-changes")
    assert again.code == 0, again.text


def assert_clean(run: Run) -> None:
    """No traceback and no line of Python's in what an operator reads."""
    assert "Traceback" not in run.text
    assert not re.search(r'File ".*", line \d+', run.text)
