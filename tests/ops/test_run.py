from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import __main__, preflight
from ops.project import stackfile
from tests.ops.project import Project, one_line_error

Ops = Callable[..., "subprocess.CompletedProcess[str]"]
PULUMI = """
import json, os, sys
from pathlib import Path
from urllib.parse import unquote, urlsplit
words = sys.argv[1:]
found = {name: value for name, value in os.environ.items() if name.startswith("PULUMI_")}
with open(os.path.join(os.environ["HOME"], "calls"), "a") as calls:
    calls.write(json.dumps({"words": words, "cwd": os.getcwd(), "environ": found, "umask": os.umask(0)}) + "\\n")
def checkpoint(stack, *resources):
    path = Path(unquote(urlsplit(os.environ["PULUMI_BACKEND_URL"]).path), ".pulumi/stacks/videobackend", stack + ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"checkpoint": {"latest": {"resources": resources}}}))
if words[:2] == ["stack", "init"]:
    Path("Pulumi." + words[2] + ".yaml").write_text("encryptionsalt: v1:fresh\\n")
    checkpoint(words[2])
elif words[0] == "up":
    checkpoint(words[2], {"urn": "urn:pulumi:dev::videobackend::t::n"})
elif words[:2] == ["stack", "output"]:
    print(json.dumps({"publicUrl": "https://x.invalid", "hostsEntry": "192.0.2.44 x.invalid", "caCertificate": "PEM"}))
sys.exit(int(os.environ.get("FAIL", 0)) if words[0] == "up" else 0)
"""
DOCKER = """
import sys
if "context" in sys.argv:
    print("{context}")
"""
DOWN = """
if any("Status" in word for word in sys.argv):
    print("prosody", "videobackend-dev-prosody", "Exited (1) 2 hours ago", sep="\\t")
"""
DEFAULT_HOST = "unix:///var/run/docker.sock"


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def ops(project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Ops]:
    """`python -m ops ARGUMENTS` without a process of its own, on a machine in a network."""
    for name in [name for name in os.environ if name.startswith("PULUMI")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(project.root / "bin"))
    monkeypatch.setenv("HOME", str(project.root))
    monkeypatch.setattr(stackfile, "ROOT", project.root)
    monkeypatch.setattr(preflight, "lan_address", lambda: "192.0.2.44")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["ops", *arguments])
        capfd.readouterr()
        code = __main__.entry()
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, out, err)

    umask = os.umask(0o022)
    yield call
    os.umask(umask)


@pytest.fixture
def ready(project: Project) -> Project:
    """A machine with Docker and the Pulumi CLI, both of them false, and stacks whose ports are free."""
    project.program("pulumi", PULUMI)
    project.program("docker", DOCKER.format(context=DEFAULT_HOST))
    http, https, media = map(_free_port, (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM))
    text = f"""config:
  publicUrl: https://video.test:{https}
  httpPort: {http}
  httpsPort: {https}
  jvbPort: {media}
  bindAddress: 127.0.0.1
  jvbBindAddress: 127.0.0.1
"""
    project.stack("dev", text)
    project.stack("team", text)
    return project


def _calls(project: Project) -> list[dict[str, Any]]:
    path = project.root / "calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _config(project: Project, stack: str = "dev") -> dict[str, Any]:
    config: dict[str, Any] = stackfile.read(project.root / ".local" / f"Pulumi.{stack}.yaml")["config"]
    return config


def _up(ops: Ops) -> str:
    run = ops("up")
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_up_makes_the_stack_in_the_embedded_state_and_runs_pulumi_on_the_copy(ready: Project, ops: Ops) -> None:
    tracked = (ready.root / "Pulumi.dev.yaml").read_text()
    _up(ops)
    init, up, output = _calls(ready)
    local = ready.root / ".local"
    assert init["words"] == ["stack", "init", "dev", "--no-select", "--non-interactive"]
    assert init["cwd"] == str(local / "init"), "the salt must not land beside the project's Pulumi.yaml"
    assert up["words"][:5] == ["up", "--stack", "dev", "--config-file", str(local / "Pulumi.dev.yaml")]
    assert "--yes" in up["words"]
    assert up["cwd"] == str(ready.root)
    assert up["environ"]["PULUMI_BACKEND_URL"] == (local / "state").as_uri()
    assert up["umask"] == 0o077
    assert output["words"][:2] == ["stack", "output"]
    assert stackfile.read(local / "Pulumi.dev.yaml")["encryptionsalt"] == "v1:fresh"
    assert (ready.root / "Pulumi.dev.yaml").read_text() == tracked


def test_up_ends_with_what_matters(ready: Project, ops: Ops) -> None:
    said = _up(ops)
    assert "The video backend is up: https://x.invalid" in said
    assert "add to /etc/hosts: 192.0.2.44 x.invalid" in said
    assert "make outputs NAME=caCertificate > videobackend-ca.pem" in said
    assert "make outputs SHOW_SECRETS=1" in said


def test_up_does_not_call_it_up_while_a_container_is_down(ready: Project, ops: Ops) -> None:
    ready.program("docker", DOCKER.format(context=DEFAULT_HOST) + DOWN)
    run = ops("up")
    assert run.returncode == 1
    assert run.stderr.startswith("error: prosody does not run as it should")
    assert "The video backend is up" not in run.stdout


def test_a_second_up_finds_all_in_place_and_changes_no_file(ready: Project, ops: Ops) -> None:
    def files() -> dict[Path, str]:
        local = ready.root / ".local"
        return {path: path.read_text() for path in local.rglob("*") if path.is_file()}

    first = _up(ops)
    assert "dockerHostAddress is 192.0.2.44" in first
    before = files()
    second = _up(ops)
    assert "dockerHostAddress" not in second
    assert files() == before
    assert [one["words"][0] for one in _calls(ready)] == ["stack", "up", "stack", "up", "stack"]


def test_a_first_use_keeps_the_address_it_found_on_this_machine_only(ready: Project, ops: Ops) -> None:
    _up(ops)
    assert _config(ready)["videobackend:dockerHostAddress"] == "192.0.2.44"


def test_an_address_that_is_set_is_not_looked_for(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  dockerHostAddress: 198.51.100.7\n")
    assert "dockerHostAddress" not in _up(ops)
    assert _config(ready)["videobackend:dockerHostAddress"] == "198.51.100.7"


def test_a_first_use_follows_docker_to_another_host_and_later_ones_stay_there(ready: Project, ops: Ops) -> None:
    ready.program("docker", DOCKER.format(context="unix:///run/user/1000/docker.sock"))
    assert "docker:host is unix:///run/user/1000/docker.sock" in _up(ops)
    ready.program("docker", DOCKER.format(context="ssh://elsewhere"))
    _up(ops)
    assert _config(ready)["docker:host"] == "unix:///run/user/1000/docker.sock"


def test_docker_commands_that_go_elsewhere_do_not_move_a_running_stack(ready: Project, ops: Ops) -> None:
    _up(ops)
    ready.program("docker", DOCKER.format(context="ssh://elsewhere"))
    _up(ops)
    assert "docker:host" not in _config(ready)


def test_a_stack_other_than_dev_shows_its_preview(ready: Project, ops: Ops) -> None:
    run = ops("up", "--stack", "team")
    assert run.returncode == 0, run.stderr
    words = _calls(ready)[1]["words"]
    assert "--skip-preview" not in words
    assert "--non-interactive" in words


def test_with_a_backend_of_the_operators_own_pulumi_is_called_plainly(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", (ready.root / "own").as_uri())
    _up(ops)
    up = _calls(ready)[0]
    assert "--config-file" not in up["words"]
    assert set(up["environ"]) == {"PULUMI_BACKEND_URL", "PULUMI_SKIP_UPDATE_CHECK"}
    assert not (ready.root / ".local").exists()


def test_a_failed_up_gives_pulumis_own_exit_code_and_no_summary(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "3")
    run = ops("up")
    assert run.returncode == 3
    assert "is up" not in run.stdout


def test_a_wrong_configuration_comes_before_everything_else(project: Project, ops: Ops) -> None:
    project.stack("dev", "config:\n  httpPort: 70000\n")  # neither Docker nor the CLI is there
    run = ops("up")
    assert run.returncode == 1
    assert "'70000'" in run.stderr
    assert "fix:     in Pulumi.dev.yaml: httpPort: 8000" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (project.root / ".local").exists()


def test_a_secret_in_plain_text_has_to_leave_the_tracked_file_and_the_one_set_here_outlives_it(
    ready: Project, ops: Ops
) -> None:
    sound = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", sound + "  jwtAppSecret: visible-in-the-file-0123456789abcdef\n")
    first = "remove jwtAppSecret from Pulumi.dev.yaml"
    assert f"fix:     {first}, then: make config ARGS='set --secret jwtAppSecret'" in ops("preview").stderr
    assert ops("config", "set", "--secret", "jwtAppSecret").returncode == 0
    # As the engine writes it.
    copy = ready.root / ".local" / "Pulumi.dev.yaml"
    encrypted = "videobackend:jwtAppSecret: {secure: v1:abc}"
    copy.write_text(re.sub("videobackend:jwtAppSecret: .*", encrypted, copy.read_text()))
    again = ops("preview")
    assert again.returncode == 1, "the secret can be read in the tracked file all the same"
    assert f"fix:     {first}\n" in again.stderr
    ready.stack("dev", sound)
    assert ops("preview").returncode == 0
    assert _config(ready)["videobackend:jwtAppSecret"] == {"secure": "v1:abc"}


def test_a_key_that_does_not_exist_has_to_leave_the_tracked_file_even_where_it_is_removed_here(
    ready: Project, ops: Ops
) -> None:
    _up(ops)
    copy = (ready.root / ".local" / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", (ready.root / "Pulumi.dev.yaml").read_text() + "  PUBLIC_URL: https://x\n")
    assert ops("config").returncode == 0
    (ready.root / ".local" / "Pulumi.dev.yaml").write_text(copy)
    assert "fix:     remove PUBLIC_URL from Pulumi.dev.yaml" in ops("preview").stderr


def test_without_a_cli_and_a_network_up_says_what_to_do(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ready.root / "bin" / "pulumi").unlink()
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{_free_port(socket.SOCK_STREAM)}")
    run = ops("up")
    progress, message = run.stderr.splitlines()
    assert run.returncode == 1
    assert "downloading" in progress
    assert message.startswith("error: ")
    assert "cannot be downloaded" in message
    assert "https://www.pulumi.com/docs/install/" in message


def test_destroy_asks_and_without_a_terminal_wants_a_yes(ready: Project, ops: Ops) -> None:
    _up(ops)
    assert "YES=1" in one_line_error(ops("destroy"))
    assert ops("destroy", "--yes").returncode == 0
    assert _calls(ready)[-1]["words"][0] == "destroy"


def test_destroy_of_what_is_not_up_does_nothing(ready: Project, ops: Ops) -> None:
    run = ops("destroy", "--yes")
    assert run.returncode == 0
    assert "nothing to destroy" in run.stdout
    assert not _calls(ready)


def test_destroy_does_not_need_a_sound_configuration(ready: Project, ops: Ops) -> None:
    _up(ops)
    ready.stack("dev", "config:\n  httpPort: 70000\n")
    assert ops("destroy", "--yes").returncode == 0


def test_outputs_of_what_is_not_up_says_so(ready: Project, ops: Ops) -> None:
    assert "make up" in one_line_error(ops("outputs"))


def test_config_works_on_the_copy_and_says_where_the_value_is(ready: Project, ops: Ops) -> None:
    run = ops("config", "set", "--secret", "jwtAppSecret")
    assert run.returncode == 0, run.stderr
    copy = str(ready.root / ".local" / "Pulumi.dev.yaml")
    where = ["config", "--stack", "dev", "--config-file", copy]
    assert _calls(ready)[-1]["words"] == [*where, "set", "--secret", "jwtAppSecret"]
    assert "kept in .local/Pulumi.dev.yaml" in run.stdout


def test_config_takes_a_key_that_looks_like_an_option(ready: Project, ops: Ops) -> None:
    assert ops("config", "rm", "--", "-x").returncode == 0
    assert _calls(ready)[-1]["words"][-3:] == ["rm", "--", "-x"]


def test_env_prints_nothing_but_what_a_shell_can_evaluate(ready: Project, ops: Ops) -> None:
    run = ops("env")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert {line.partition("=")[0] for line in lines} == {
        "export PULUMI_BACKEND_URL",
        "export PULUMI_CONFIG_PASSPHRASE_FILE",
        "export PULUMI_OPTION_CONFIG_FILE",
        "export PULUMI_OPTION_STACK",
    }
