from __future__ import annotations

import errno
import itertools
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
from ops.project import checkpoint, stackfile, state
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
def checkpoint(stack, resources=()):
    path = Path(unquote(urlsplit(os.environ["PULUMI_BACKEND_URL"]).path), ".pulumi/stacks/videobackend", stack + ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"checkpoint": {"latest": {"resources": resources}}}))
if words[:2] == ["stack", "init"]:
    Path("Pulumi." + words[2] + ".yaml").write_text("encryptionsalt: v1:fresh\\n")
    checkpoint(words[2])
elif words[0] == "up" and not int(os.environ.get("FAIL", 0)):
    urn = "urn:pulumi:" + words[2] + "::videobackend::x$docker:index/container:Container::videobackend-"
    kind, roles = "docker:index/container:Container", ["web", "prosody", "jicofo", "jvb"]
    checkpoint(words[2], [{"urn": urn + role, "type": kind, "id": "id-" + role, "outputs": {"name": "videobackend-dev-" + role}}
                         for role in roles])
elif words[:2] == ["stack", "export"]:
    sys.exit("error: no stack named")
elif words[:2] == ["stack", "output"]:
    print(json.dumps({"publicUrl": "https://x.invalid", "hostsEntry": "192.0.2.44 x.invalid", "caCertificate": "PEM"}))
sys.exit(int(os.environ.get("FAIL", 0)) if words[0] == "up" else 0)
"""
DEFAULT_HOST = "unix:///var/run/docker.sock"
DOCKER = """
import json, os, sys
from pathlib import Path
home, words = Path(os.environ["HOME"]), sys.argv[3:]
told = json.loads((home / "docker.json").read_text())
checkpoints = [one.read_text() for one in home.glob(".local/state/.pulumi/stacks/videobackend/*.json")]
recorded = [one for text in checkpoints for one in json.loads(text)["checkpoint"]["latest"]["resources"]]
names = {one["id"]: one["urn"].rpartition("-")[2] for one in recorded} | told.get("others", {})
if sys.argv[1:3] == ["context", "inspect"]:
    print(told["context"])
elif words[:3] == ["ps", "--all", "--no-trunc"]:
    print(*(number for number in names if number not in told.get("missing", [])))
elif words[:2] == ["container", "inspect"]:
    states = {number: told.get("states", {}).get(names[number], {}) for number in words[2:]}
    healthy = {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy"}}
    print(json.dumps([
        {"Id": number, "Name": "/videobackend-dev-" + names[number], "State": healthy | state,
         "Config": {"Labels": {"videobackend.role": names[number]}}, "NetworkSettings": {"Networks": {}}}
        for number, state in states.items()
    ]))
if words and words[0] in ("rm", "unpause", "network") and "ls" not in words:
    with open(home / "docker-calls", "a") as calls:
        calls.write(" ".join(words) + "\\n")
"""


def docker(project: Project, context: str = DEFAULT_HOST, **told: Any) -> None:
    """A `docker` that leads to `context`; all containers that the engine has recorded run, but for what is told."""
    project.program("docker", DOCKER)
    (project.root / "docker.json").write_text(json.dumps({"context": context, **told}))


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
    docker(project)
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


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"states": {"prosody": {"Status": "exited", "ExitCode": 1}}}, "prosody is exited with 1"),
        ({"states": {"jvb": {"Status": "restarting"}}}, "jvb is restarting"),
        ({"states": {"web": {"Health": {"Status": "unhealthy"}}}}, "web is unhealthy"),
        ({"states": {"web": {"Status": "paused"}}}, "web is paused"),
        ({"missing": ["id-jicofo"]}, "jicofo is missing"),
    ],
)
def test_up_does_not_call_it_up_unless_every_container_runs(
    ready: Project, ops: Ops, told: dict[str, Any], says: str
) -> None:
    docker(ready, **told)
    run = ops("up")
    assert run.returncode == 1
    assert says in run.stderr
    assert "The video backend is up" not in run.stdout


def test_up_does_not_call_it_up_where_nobody_can_look(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + '  docker:host: ssh://me@box\n  docker:sshOpts: ["-p", "22"]\n')
    said = _up(ops)
    assert "is up" not in said
    assert "not looked at: the docker command has no option for docker:sshOpts" in said


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"states": {"prosody": {"Status": "exited", "ExitCode": 137}}}, "does not run (exited with 137)"),
        ({"missing": ["id-prosody"]}, "is missing: it is made anew"),
    ],
)
def test_what_has_stopped_or_gone_is_told_to_the_engine_in_the_same_run(
    ready: Project, ops: Ops, told: dict[str, Any], says: str
) -> None:
    _up(ops)
    docker(ready, **told)
    assert says in ops("up").stdout
    refresh, up = [one["words"] for one in _calls(ready) if one["words"][0] != "stack"][-2:]
    assert refresh[0] == "refresh"
    targets = [word for before, word in itertools.pairwise(refresh) if before == "--target"]
    assert [one.rpartition("::")[2] for one in targets] == ["videobackend-prosody"], "and nothing else is looked at"
    assert up[0] == "up"


def test_containers_of_another_checkout_are_not_taken_over(ready: Project, ops: Ops) -> None:
    docker(ready, others={"id-other": "web"})
    run = ops("up")
    assert run.returncode == 1
    assert "not this directory's" in run.stderr
    assert "docker --host unix:///var/run/docker.sock rm --force --volumes videobackend-dev-web" in run.stderr
    assert not any(one["words"][0] == "up" for one in _calls(ready))


def test_what_an_ended_run_left_half_made_is_removed_and_told(ready: Project, ops: Ops) -> None:
    _up(ops)
    (path,) = (ready.root / ".local").rglob("stacks/videobackend/dev.json")
    content = json.loads(path.read_text())
    latest = content["checkpoint"]["latest"]
    latest["pending_operations"] = [{"type": "creating", "resource": latest["resources"].pop(0)}]
    path.write_text(json.dumps(content))
    docker(ready, others={"id-half": "web"})
    assert "videobackend-dev-web was left half made" in ops("up").stdout
    assert (ready.root / "docker-calls").read_text().startswith("rm --force --volumes id-half\n")
    assert "--clear-pending-creates" in next(one["words"] for one in _calls(ready) if one["words"][0] == "refresh")


def _lock(project: Project, pid: int, host: str | None = None) -> Path:
    folder = project.root / ".local" / "state" / ".pulumi" / "locks" / "organization" / "videobackend" / "dev"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps({"pid": pid, "hostname": host or socket.gethostname()}))
    return folder / "1.json"


def test_the_lock_of_a_run_that_is_gone_is_removed_and_told(ready: Project, ops: Ops) -> None:
    _up(ops)
    lock = _lock(ready, os.getpid())  # runs, and is no engine: the number was given out again
    assert "its lock is removed" in _up(ops)
    assert not lock.exists()


def test_the_lock_of_another_machine_is_left_alone(ready: Project, ops: Ops) -> None:
    _up(ops)
    lock = _lock(ready, 1, "elsewhere")
    message = one_line_error(ops("up"))
    assert "another machine (elsewhere)" in message
    assert f"rm {lock.relative_to(ready.root)}" in message
    assert lock.exists()


@pytest.mark.parametrize("command", ["up", "preview", "outputs", "destroy", "verify"])
def test_a_state_that_was_cut_short_names_its_copy_and_the_command(ready: Project, ops: Ops, command: str) -> None:
    _up(ops)
    (path,) = (ready.root / ".local").rglob("stacks/videobackend/dev.json")
    copy = path.with_suffix(".json.bak")
    copy.write_bytes(path.read_bytes())
    path.write_text(path.read_text()[:40])
    arguments = ["--yes"] if command == "destroy" else []
    message = ops(command, *arguments).stderr.splitlines()[-1]
    where = path.relative_to(ready.root)
    assert message.startswith(f"error: {where} is broken")
    assert f"cp {where}.bak {where}" in message


@pytest.mark.parametrize("command", ["up", "preview", "outputs", "destroy", "verify"])
def test_a_lost_passphrase_is_told_with_the_way_out(ready: Project, ops: Ops, command: str) -> None:
    _up(ops)
    (ready.root / ".local" / "passphrase").unlink()
    arguments = ["--yes"] if command == "destroy" else []
    message = ops(command, *arguments).stderr.splitlines()[-1]
    assert message.startswith("error: .local/passphrase is gone")
    assert "mv .local .local.lost" in message


def test_the_past_that_is_kept_has_a_bound(ready: Project, ops: Ops) -> None:
    _up(ops)
    folder = ready.root / ".local" / "state" / ".pulumi" / "history" / "videobackend" / "dev"
    folder.mkdir(parents=True)
    for number in range(100, 100 + 2 * checkpoint.KEPT):
        (folder / f"dev-{number}.history.json").touch()
        (folder / f"dev-{number}.checkpoint.json").touch()
    _up(ops)
    kept = sorted(one.name for one in folder.iterdir())
    assert len(kept) == 2 * checkpoint.KEPT
    assert kept[0] == f"dev-{100 + checkpoint.KEPT}.checkpoint.json", "the latest stay"


def test_examples_of_the_documentation_are_refused_in_an_up_alone(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  dockerHostAddress: 203.0.113.10\n  stunServers: stun.example.org:3478\n")
    assert ops("preview").returncode == 0
    run = ops("up")
    assert run.returncode == 1
    assert "has 2 problems" in run.stderr
    for key in ("dockerHostAddress", "stunServers"):
        assert f"fix:     in Pulumi.dev.yaml: {key}: VALUE" in run.stderr


def test_a_placeholder_for_a_secret_is_named_before_the_engine_stumbles_over_it(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  jwtAppSecret:\n    secure: REPLACE-ME\n")
    run = ops("preview")
    assert run.returncode == 1
    assert "fix:     make config ARGS='set --secret jwtAppSecret'" in run.stderr


def test_a_file_that_cannot_be_written_is_one_line(ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(state, "write_whole", full)
    message = one_line_error(ops("config"))
    assert "Pulumi.dev.yaml: No space left on device" in message


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


def test_an_address_that_was_found_here_is_found_again_in_another_network(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    _up(ops)
    monkeypatch.setattr(preflight, "lan_address", lambda: "192.0.2.77")
    assert "dockerHostAddress is 192.0.2.77, this machine in its network, and was 192.0.2.44" in _up(ops)
    assert _config(ready)["videobackend:dockerHostAddress"] == "192.0.2.77"
    monkeypatch.setattr(preflight, "lan_address", lambda: None)
    assert "no network: dockerHostAddress stays 192.0.2.77" in _up(ops)


def test_an_address_that_was_set_stays_and_is_warned_of_where_this_machine_has_it_not(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  dockerHostAddress: 10.254.253.252\n")
    assert "warning: dockerHostAddress is 10.254.253.252, which this machine does not have now" in _up(ops)


def test_an_address_that_is_set_is_not_looked_for(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  dockerHostAddress: 9.9.9.7\n")
    assert "dockerHostAddress" not in _up(ops)
    assert _config(ready)["videobackend:dockerHostAddress"] == "9.9.9.7"


def test_a_first_use_follows_docker_to_another_host_and_later_ones_stay_there(ready: Project, ops: Ops) -> None:
    docker(ready, "unix:///run/user/1000/docker.sock")
    assert "docker:host is unix:///run/user/1000/docker.sock" in _up(ops)
    docker(ready, "ssh://elsewhere")
    _up(ops)
    assert _config(ready)["docker:host"] == "unix:///run/user/1000/docker.sock"


def test_docker_commands_that_go_elsewhere_do_not_move_a_running_stack(ready: Project, ops: Ops) -> None:
    _up(ops)
    docker(ready, "ssh://elsewhere")
    _up(ops)
    assert "docker:host" not in _config(ready)


def test_a_stack_other_than_dev_shows_its_preview(ready: Project, ops: Ops) -> None:
    run = ops("up", "--stack", "team", "--yes")
    assert run.returncode == 0, run.stderr
    words = _calls(ready)[1]["words"]
    assert "--skip-preview" not in words
    assert "--non-interactive" in words


def test_with_a_backend_of_the_operators_own_pulumi_is_called_plainly(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", (ready.root / "own").as_uri())
    ops("up", "--yes")
    export, up, *_ = _calls(ready)
    assert export["words"][:2] == ["stack", "export"]
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
    encrypted = "videobackend:jwtAppSecret: {secure: v1:abc=:def=}"
    copy.write_text(re.sub("videobackend:jwtAppSecret: .*", encrypted, copy.read_text()))
    again = ops("preview")
    assert again.returncode == 1, "the secret can be read in the tracked file all the same"
    assert f"fix:     {first}\n" in again.stderr
    ready.stack("dev", sound)
    assert ops("preview").returncode == 0
    assert _config(ready)["videobackend:jwtAppSecret"] == {"secure": "v1:abc=:def="}


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


@pytest.mark.parametrize("command", ["up", "refresh", "destroy"])
def test_what_asks_wants_a_yes_where_there_is_no_terminal_and_names_the_stack(
    ready: Project, ops: Ops, command: str
) -> None:
    assert ops("up", "--stack", "team", "--yes").returncode == 0
    before = _calls(ready)
    assert f"make {command} STACK=team YES=1" in one_line_error(ops(command, "--stack", "team"))
    assert _calls(ready) == before, "nothing was called"


def test_destroy_goes_on_with_a_yes_and_says_what_pulumis_own_advice_needs(ready: Project, ops: Ops) -> None:
    _up(ops)
    run = ops("destroy", "--yes")
    assert run.returncode == 0
    assert 'eval "$(make env)"' in run.stdout
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


def test_one_output_alone_is_asked_for_by_its_name(ready: Project, ops: Ops) -> None:
    _up(ops)
    assert ops("outputs", "caCertificate", "--show-secrets").returncode == 0
    assert _calls(ready)[-1]["words"][:3] == ["stack", "output", "caCertificate"]
    assert "--show-secrets" in _calls(ready)[-1]["words"]


def test_destroy_of_a_backend_of_the_operators_own_wants_a_yes_too(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", (ready.root / "own").as_uri())
    assert "make destroy YES=1" in one_line_error(ops("destroy"))
    assert not _calls(ready)


def test_what_the_environment_says_moves_no_call_of_the_cli(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", "/elsewhere")
    monkeypatch.setenv("PULUMI_OPTION_TARGET", "urn")
    monkeypatch.setenv("PULUMI_STACK", "other")
    _up(ops)
    for one in _calls(ready):
        told = {
            name: value for name, value in one["environ"].items() if name.startswith(("PULUMI_OPTION", "PULUMI_STACK"))
        }
        copy = {"PULUMI_OPTION_STACK": "dev", "PULUMI_OPTION_CONFIG_FILE": str(ready.root / ".local/Pulumi.dev.yaml")}
        assert told == ({} if one["words"][:2] == ["stack", "init"] else copy), one["words"]


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
