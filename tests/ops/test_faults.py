"""What goes wrong beside Pulumi: containers, locks, files; and what `up` does about it."""

from __future__ import annotations

import errno
import itertools
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ops.project import checkpoint, local_copy
from tests.ops.cli import Ops, calls, docker, must_up
from tests.ops.project import Project, one_line_error


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
    output = must_up(ops)
    assert "is up" not in output
    assert "not checked: the docker command has no option for docker:sshOpts" in output


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
    must_up(ops)
    docker(ready, **told)
    assert says in ops("up").stdout
    refresh, up = [one["words"] for one in calls(ready) if one["words"][0] != "stack"][-2:]
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
    assert not any(one["words"][0] == "up" for one in calls(ready))


def test_what_an_ended_run_left_half_made_is_removed_and_told(ready: Project, ops: Ops) -> None:
    must_up(ops)
    (path,) = (ready.root / ".local").rglob("stacks/videobackend/dev.json")
    content = json.loads(path.read_text())
    latest = content["checkpoint"]["latest"]
    latest["pending_operations"] = [{"type": "creating", "resource": latest["resources"].pop(0)}]
    path.write_text(json.dumps(content))
    docker(ready, others={"id-half": "web"})
    assert "videobackend-dev-web was left half made" in ops("up").stdout
    assert (ready.root / "docker-calls").read_text().startswith("rm --force --volumes id-half\n")
    assert "--clear-pending-creates" in next(one["words"] for one in calls(ready) if one["words"][0] == "refresh")


def _lock(project: Project, pid: int, host: str | None = None) -> Path:
    folder = project.root / ".local" / "state" / ".pulumi" / "locks" / "organization" / "videobackend" / "dev"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps({"pid": pid, "hostname": host or socket.gethostname()}))
    return folder / "1.json"


def test_the_lock_of_a_run_that_is_gone_is_removed_and_told(ready: Project, ops: Ops) -> None:
    must_up(ops)
    lock = _lock(ready, os.getpid())  # runs, and is no engine: the number was given out again
    assert "its lock is removed" in must_up(ops)
    assert not lock.exists()


def test_the_lock_of_another_machine_is_left_alone(ready: Project, ops: Ops) -> None:
    must_up(ops)
    lock = _lock(ready, 1, "elsewhere")
    message = one_line_error(ops("up"))
    assert "another machine (elsewhere)" in message
    assert f"rm {lock.relative_to(ready.root)}" in message
    assert lock.exists()


@pytest.mark.parametrize("command", ["up", "preview", "outputs", "destroy", "verify"])
def test_a_state_that_was_cut_short_names_its_copy_and_the_command(ready: Project, ops: Ops, command: str) -> None:
    must_up(ops)
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
    must_up(ops)
    (ready.root / ".local" / "passphrase").unlink()
    arguments = ["--yes"] if command == "destroy" else []
    message = ops(command, *arguments).stderr.splitlines()[-1]
    assert message.startswith("error: .local/passphrase is gone")
    assert "mv .local .local.lost" in message


def test_the_past_that_is_kept_has_a_bound(ready: Project, ops: Ops) -> None:
    must_up(ops)
    folder = ready.root / ".local" / "state" / ".pulumi" / "history" / "videobackend" / "dev"
    folder.mkdir(parents=True)
    for number in range(100, 100 + 2 * checkpoint.KEPT):
        (folder / f"dev-{number}.history.json").touch()
        (folder / f"dev-{number}.checkpoint.json").touch()
    must_up(ops)
    kept = sorted(one.name for one in folder.iterdir())
    assert len(kept) == 2 * checkpoint.KEPT
    assert kept[0] == f"dev-{100 + checkpoint.KEPT}.checkpoint.json", "the latest stay"


def test_a_file_that_cannot_be_written_is_one_line(ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(local_copy, "write_whole", full)
    message = one_line_error(ops("config"))
    assert "Pulumi.dev.yaml: No space left on device" in message
