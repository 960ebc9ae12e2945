"""What `python -m ops ready` lets through to an unattended preview or deploy."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from ops import ready
from ops.errors import OpsError
from ops.project import stackfile

SALT: Final = "v1:abcdefgh:v1:ijklmnop:qrstuvwx=="
SOUND: Final = f"""encryptionsalt: {SALT}
config:
  videobackend:publicUrl: https://video.test
  videobackend:httpPort: 80
  videobackend:httpsPort: 443
  videobackend:letsencryptEmail: admin@video.test
  videobackend:dockerHostAddress: 9.9.9.10
  docker:host: ssh://deploy@video.test
"""
LOCKED: Final = {
    ready._normal(match[1]): match[2]
    for line in (stackfile.ROOT / "requirements.txt").read_text().splitlines()
    if (match := ready._PINNED.match(line))
}
DEPLOYED: Final[dict[str, Any]] = {
    "secrets_providers": {"type": "passphrase", "state": {"salt": SALT}},
    "resources": [
        {"type": "pulumi:providers:docker", "urn": "u", "inputs": {"host": "ssh://deploy@video.test"}},
        {"type": "docker:index/container:Container", "urn": "c"},
    ],
}
CI: Final = {"CI": "true", "PULUMI_BACKEND_URL": "s3://bucket"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("Pulumi.yaml", "requirements.txt", "requirements"):
        source = stackfile.ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    return tmp_path


def obstacles(
    root: Path,
    text: str = SOUND,
    *,
    environ: Mapping[str, str] = CI,
    state: Mapping[str, Any] | None = DEPLOYED,
    found: Mapping[str, str] = LOCKED,
) -> list[str]:
    (root / "Pulumi.prod.yaml").write_text(text)
    export = None if state is None else lambda _: state
    return ready.find_obstacles("prod", root, environ, export, found=found)


def test_a_sound_stack_that_is_the_states_own_is_ready(root: Path) -> None:
    assert obstacles(root) == []


def test_a_stack_without_its_file_is_refused_with_the_names_there_are(root: Path) -> None:
    (root / "Pulumi.production.yaml").write_text(SOUND)
    with pytest.raises(OpsError, match=r"no file Pulumi\.prod\.yaml\); stacks: production"):
        ready.find_obstacles("prod", root, CI, found=LOCKED)


def test_a_part_that_pulumi_would_pass_over_is_refused(root: Path) -> None:
    with pytest.raises(OpsError, match="did you mean config"):
        obstacles(root, SOUND.replace("config:", "confg:"))


@pytest.mark.parametrize(
    ("line", "replacement", "words"),
    [
        pytest.param(
            "https://video.test", "https://video.example.org", "example of the documentation", id="an example"
        ),
        pytest.param(
            "  docker:host", "  jwtAppSecret: {secure: REPLACE-ME}\n  docker:host", "placeholder", id="a secret"
        ),
        pytest.param("9.9.9.10", "localhost", "dockerHostAddress", id="a wrong value"),
    ],
)
def test_values_that_are_not_the_operators_own_are_refused(root: Path, line: str, replacement: str, words: str) -> None:
    (message,) = obstacles(root, SOUND.replace(line, replacement))
    assert words in message
    assert "REPLACE-ME" not in message


@pytest.mark.parametrize(
    "host",
    [
        None,
        "unix:///var/run/docker.sock",
        "tcp://127.0.0.1:2375",
        "tcp://localhost:2375",
        "ssh://me@localhost",
        "tcp://[::1]:2375",
    ],
)
def test_a_docker_host_that_is_the_runners_own_is_refused_unless_that_is_meant(root: Path, host: str | None) -> None:
    text = SOUND.replace("  docker:host: ssh://deploy@video.test\n", f"  docker:host: {host}\n" if host else "")
    (message,) = obstacles(root, text, state=None)
    assert "docker:host" in message
    assert ready.RUNNER_IS_HOST in message
    assert obstacles(root, text, state=None, environ={**CI, ready.RUNNER_IS_HOST: "1"}) == []


@pytest.mark.parametrize(("context", "own"), [("default", True), ("far", False)])
def test_a_docker_context_is_the_runners_own_where_it_is_the_default_one(root: Path, context: str, own: bool) -> None:
    text = SOUND.replace("docker:host: ssh://deploy@video.test", f"docker:context: {context}")
    assert [ready.RUNNER_IS_HOST in one for one in obstacles(root, text, state=None)] == ([True] if own else [])


def test_of_an_encrypted_docker_host_nobody_says_that_it_moved_or_is_an_example(root: Path) -> None:
    """What it is cannot be told without the key."""
    text = SOUND.replace("ssh://deploy@video.test", "{secure: 'v1:q83vEjRWeJCrze8=:6e2f0a41c9d7b583'}")
    assert obstacles(root, text) == []


def test_a_moved_docker_host_is_refused_and_both_are_named(root: Path) -> None:
    (message,) = obstacles(root, SOUND.replace("ssh://deploy@video.test", "ssh://deploy@other.test"))
    assert "ssh://deploy@other.test" in message
    assert "ssh://deploy@video.test" in message


def test_where_nothing_is_deployed_a_host_may_change(root: Path) -> None:
    other = SOUND.replace("ssh://deploy@video.test", "ssh://deploy@other.test")
    assert obstacles(root, other, state={"resources": DEPLOYED["resources"][:1]}) == []


@pytest.mark.parametrize(
    "head",
    [
        "encryptionsalt: v1:another:v1:salt:of==\n",
        "",
        "secretsprovider: awskms://alias/x\nencryptedkey: AAAA\n",
    ],
)
def test_another_key_of_the_secrets_than_the_states_is_refused_and_not_shown(root: Path, head: str) -> None:
    (message,) = obstacles(root, SOUND.replace(f"encryptionsalt: {SALT}\n", head))
    assert "encryptionsalt" in message
    assert SALT not in message
    assert "another:v1" not in message


def test_a_state_that_a_key_service_encrypts_is_the_stack_files_own_by_service_and_key(root: Path) -> None:
    state = {
        **DEPLOYED,
        "secrets_providers": {"type": "cloud", "state": {"url": "awskms://alias/x", "encryptedkey": "AAAA"}},
    }
    head = "secretsprovider: awskms://alias/x\nencryptedkey: {}\n"
    assert obstacles(root, SOUND.replace(f"encryptionsalt: {SALT}\n", head.format("AAAA")), state=state) == []
    assert obstacles(root, SOUND.replace(f"encryptionsalt: {SALT}\n", head.format("BBBB")), state=state)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param({**LOCKED, "pulumi": "3.1.0"}, "pulumi 3.1.0 instead of", id="another version"),
        pytest.param({k: v for k, v in LOCKED.items() if k != "pulumi-tls"}, "pulumi-tls is missing", id="missing"),
        pytest.param({**LOCKED, "stranger": "1"}, "stranger 1 is none of them", id="one more"),
    ],
)
def test_packages_that_are_not_the_locks_are_refused(root: Path, found: Mapping[str, str], words: str) -> None:
    (message,) = obstacles(root, found=found)
    assert words in message


def test_what_is_for_another_kind_of_python_may_be_missing_and_what_each_environment_brings_may_be_there(
    root: Path,
) -> None:
    lines = (root / "requirements.txt").read_text().splitlines()
    special = {line.partition("==")[0] for line in lines if "python_implementation" in line}
    assert special
    found = {name: version for name, version in LOCKED.items() if name not in special}
    brought = dict.fromkeys({"pip", "setuptools", "wheel"} - set(LOCKED), "1")
    assert brought
    assert obstacles(root, found=found | brought) == []


def test_in_ci_a_stack_needs_a_backend_of_its_own(root: Path) -> None:
    (message,) = obstacles(root, SOUND.removeprefix(f"encryptionsalt: {SALT}\n"), environ={"CI": "true"})
    assert "PULUMI_BACKEND_URL" in message


def test_in_ci_each_fix_is_plain_pulumis_also_before_the_backend_is_named(root: Path) -> None:
    unencrypted = SOUND.removeprefix(f"encryptionsalt: {SALT}\n")
    wrong = (
        unencrypted.replace("httpPort: 80", "httpPort: 80000") + "  videobackend:jwtAppSecret: visible-in-the-file\n"
    )
    message = "\n".join(obstacles(root, wrong, environ={"CI": "true"}, state=None))
    assert "pulumi config --stack prod set httpPort" in message
    assert "pulumi config --stack prod set --secret jwtAppSecret" in message
    assert "make config" not in message
    here = "\n".join(obstacles(root, wrong, environ={}, state=None))
    assert "make config STACK=prod ARGS='set --secret jwtAppSecret'" in here


def test_a_backend_that_does_not_answer_is_an_obstacle_beside_the_others(root: Path) -> None:
    def unreachable(_: object) -> Mapping[str, Any]:
        raise OpsError("the backend does not hand out the state")

    (root / "Pulumi.prod.yaml").write_text(SOUND)
    assert len(ready.find_obstacles("prod", root, CI, unreachable, found={**LOCKED, "stranger": "1"})) == 2


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A project with the program itself."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(stackfile.ROOT / name, root)
    for name in ("components", "prosody"):
        (root / name).symlink_to(stackfile.ROOT / name)
    return root


def test_a_stack_that_breaks_a_mandatory_rule_is_not_ready(program: Path) -> None:
    (program / "Pulumi.prod.yaml").write_text(SOUND)
    assert ready.broken_rules("prod", program) == []
    (program / "Pulumi.prod.yaml").write_text(SOUND + "  videobackend:enableGuests: true\n")
    (message,) = ready.broken_rules("prod", program)
    assert message.startswith("sign-in (mandatory)")


def test_a_stack_that_opens_an_environment_keeps_the_same_rules(program: Path) -> None:
    (program / "Pulumi.prod.yaml").write_text(ENVIRONMENT)
    config = _opened()
    assert ready.broken_rules("prod", program, lambda _: config) == []
    config["videobackend:enableGuests"] = {"value": "true", "secret": False}
    (message,) = ready.broken_rules("prod", program, lambda _: config)
    assert message.startswith("sign-in (mandatory)")


ENVIRONMENT: Final = f"encryptionsalt: {SALT}\nenvironment: [video/prod]\n"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, []),
        ({"docker:host": None}, [ready.RUNNER_IS_HOST]),
        ({"videobackend:httpPort": "70000"}, ["httpPort"]),
        ({"docker:host": "ssh://deploy@other.test"}, ["takes nothing along"]),
    ],
)
def test_a_stack_that_opens_an_environment_is_judged_by_what_the_engine_finds_there(
    root: Path, changed: Mapping[str, str | None], words: list[str]
) -> None:
    config = _opened()
    for key, value in changed.items():
        config.pop(key)
        if value:
            config[key] = {"value": value, "secret": False}
    (root / "Pulumi.prod.yaml").write_text(ENVIRONMENT)
    state = DEPLOYED if "docker:host" not in changed or changed["docker:host"] else {}
    with_packages = {**LOCKED, **_dns_packages()}
    found = ready.find_obstacles("prod", root, CI, lambda _: state, lambda _: config, found=with_packages)
    assert [word in one for one, word in zip(found, words, strict=True)] == [True] * len(words)


def _opened() -> dict[str, Any]:
    """The sound stack's configuration with a secret, as the engine hands it over."""
    lines = (line.strip().split(": ", 1) for line in SOUND.partition("config:\n")[2].splitlines())
    config: dict[str, Any] = {key: {"value": value, "secret": False} for key, value in lines}
    return {**config, "videobackend:jwtAppSecret": {"secret": True}}


def _dns_packages() -> dict[str, str]:
    text = (stackfile.ROOT / "requirements" / "dns.txt").read_text()
    return {ready._normal(match[1]): match[2] for line in text.splitlines() if (match := ready._PINNED.match(line))}


def test_a_stack_that_opens_an_environment_is_not_called_ready_where_nobody_asks_the_engine(root: Path) -> None:
    (message,) = obstacles(root, ENVIRONMENT, state=None, found={**LOCKED, **_dns_packages()})
    assert "only the engine sees" in message
