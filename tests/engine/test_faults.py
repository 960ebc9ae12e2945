"""What an `up` by make does about faults that were made by hand: one more `up`, and all runs again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.engine import docker_host
from tests.engine.conftest import WorkspaceMaker
from tests.engine.docker_host import docker
from tests.engine.workspace import Run, Workspace

ROLES: Final = ("web", "prosody", "jvb", "jicofo")
_SECONDS: Final = 90.0


class Local:
    """A stack in the embedded state of a copy of the project: what `make up` has by default."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.stack = workspace.stack
        self.providers: list[int] = []
        self.state = workspace.project / ".local" / "state" / ".pulumi"
        # The tracked file as an operator writes it: no salt of another backend's.
        lines = workspace.file.read_text(encoding="utf-8").splitlines(keepends=True)
        workspace.file.write_text(
            "".join(one for one in lines if not one.startswith("encryptionsalt")), encoding="utf-8"
        )
        self.environment = {
            name: value
            for name, value in workspace._environment.items()
            if name not in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE")
        }

    def ops(self, command: str, *arguments: str) -> Run:
        done = subprocess.run(
            self._words(command, *arguments),
            cwd=self._workspace.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def _words(self, command: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ops", command, "--stack", self.stack, *arguments]

    def up(self) -> Run:
        run = self.ops("up", "--yes")
        assert run.code == 0, run.text
        assert "The video backend is up" in run.out
        assert "Traceback" not in run.text
        return run

    def up_killed(self, *, provider: bool = False) -> None:
        """An `up` whose engine, or Docker provider, is ended by SIGKILL while it makes a container."""
        child = subprocess.Popen(
            self._words("up", "--yes"),
            cwd=self._workspace.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + _SECONDS
        while not self._making() and time.monotonic() < end and child.poll() is None:
            time.sleep(0.1)
        (lock,) = (self.state / "locks" / "organization" / "videobackend" / self.stack).glob("*.json")
        engine = json.loads(lock.read_text())["pid"]
        self.providers = _providers(engine)
        for process in self.providers if provider else [engine]:
            os.kill(process, signal.SIGKILL)
        assert child.wait(timeout=_SECONDS) != 0

    def _making(self) -> bool:
        try:
            pending: list[Any] = self._latest().get("pending_operations") or []
        except ValueError:
            return False  # it is being written
        making = any("container:Container" in one["resource"]["urn"] for one in pending)
        return making and bool(docker_host.containers(self.stack))

    @property
    def checkpoint(self) -> Path:
        return self.state / "stacks" / "videobackend" / f"{self.stack}.json"

    def _latest(self) -> dict[str, Any]:
        if not self.checkpoint.exists():
            return {}
        latest: dict[str, Any] = json.loads(self.checkpoint.read_text())["checkpoint"].get("latest") or {}
        return latest

    def assert_all_run(self) -> None:
        """Healthy, in the stack's network, and the containers that the state has."""
        found = docker_host.containers(self.stack)
        assert {role: one["State"].get("Health", {}).get("Status") for role, one in found.items()} == dict.fromkeys(
            ROLES, "healthy"
        )
        resources = self._latest()["resources"]
        (network,) = [one["id"] for one in resources if one["type"].endswith("network:Network")]
        for role, one in found.items():
            joined = [about["NetworkID"] for about in one["NetworkSettings"]["Networks"].values()]
            assert joined == [network], f"{role} is in {joined}"
        recorded = {one["id"] for one in resources if one["type"].endswith("container:Container")}
        assert recorded == {one["Id"] for one in found.values()}
        assert not self._latest().get("pending_operations")


def _providers(engine: int) -> list[int]:
    """Processes of the Docker provider that this engine has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if parent == engine and b"pulumi-resource-docker" in command:
            found.append(int(folder.name))
    return found


@pytest.fixture(scope="module")
def local(make_workspace: WorkspaceMaker) -> Local:
    made = Local(make_workspace(dockerHostAddress="10.11.12.13"))
    made.up_killed()
    assert docker_host.containers(made.stack), "half made"
    output = made.up()
    assert "its lock is removed" in output.out
    assert "was left half made" in output.out
    made.assert_all_run()
    return made


def _name(local: Local, role: str) -> str:
    return f"videobackend-{local.stack}-{role}"


def test_a_killed_up_is_made_good_by_the_next(local: Local) -> None:
    """The fixture: the lock, the half-made containers and the pending operations are gone."""
    local.assert_all_run()


def test_a_killed_provider_is_made_good_by_the_next_and_none_is_left_over(make_workspace: WorkspaceMaker) -> None:
    made = Local(make_workspace(dockerHostAddress="10.11.12.14"))
    made.up_killed(provider=True)
    assert made.providers, "the engine had one"
    made.up()
    made.assert_all_run()
    assert not [one for one in made.providers if Path(f"/proc/{one}").exists()]


def test_stopped_and_removed_containers_are_made_anew_and_the_others_stay(local: Local) -> None:
    before = docker_host.identities(local.stack)
    docker("stop", "--time", "2", _name(local, "jvb"))
    docker("rm", "--force", "--volumes", _name(local, "web"))
    output = local.up()
    assert f"{_name(local, 'jvb')} does not run" in output.out
    assert f"{_name(local, 'web')} is missing" in output.out
    local.assert_all_run()
    after = docker_host.identities(local.stack)
    assert {role for role in ROLES if before[role] == after[role]} == {"prosody", "jicofo"}


def test_a_removed_network_is_made_anew_with_all_its_containers(local: Local) -> None:
    network = _name(local, "meet.jitsi")
    for role in ROLES:
        docker("network", "disconnect", "--force", network, _name(local, role))
    docker("network", "rm", network)
    assert f"{network} is missing" in local.up().out
    local.assert_all_run()


def test_a_paused_container_goes_on(local: Local) -> None:
    before = docker_host.identities(local.stack)
    docker("pause", _name(local, "web"))
    assert "was paused" in local.up().out
    local.assert_all_run()
    assert docker_host.identities(local.stack) == before


def test_a_lost_state_is_told_with_commands_that_remove_all_of_the_stack(local: Local) -> None:
    kept = local.state.parent.rename(local.state.parent.with_name("kept"))
    try:
        run = local.ops("up", "--yes")
        assert run.code == 1
        assert "Traceback" not in run.text
        (line,) = [one for one in run.err.splitlines() if one.startswith("error: ")]
        commands = line.partition("To remove it with its volumes: ")[2].split("; ")
        assert [one.split()[3] for one in commands] == ["rm", "network", "volume"]
    finally:
        subprocess.run(["rm", "-rf", str(local.state.parent)], check=True)
        kept.rename(local.state.parent)
    for command in commands:
        subprocess.run(command, shell=True, check=True, capture_output=True)
    assert docker_host.leftovers(local.stack) == []
