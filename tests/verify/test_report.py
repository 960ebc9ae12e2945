"""The run as a whole: time limit, exit code, both forms of output, and that no secret is shown."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from components.resources.docker_cli import DockerCli
from ops.__main__ import main
from ops.errors import OpsError
from ops.project.state import StackState
from ops.verify import deployed, net, report
from ops.verify.checks import CHECKS
from ops.verify.context import Context
from ops.verify.deployed import DeployedStack
from ops.verify.result import Result, Status, failed, ok, skipped, warning
from tests.prosody.configuration import SECRET
from tests.verify.outputs import outputs

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def dead_server() -> Iterator[int]:
    """Takes connections and never says a word; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        for one in held:
            one.close()


def slow_docker(directory: Path) -> Path:
    """A `docker` command that hangs."""
    command = directory / "docker"
    command.write_text("#!/bin/sh\nexec sleep 60\n")
    command.chmod(0o755)
    return command


def run_command(
    file: Path, *arguments: str, path: Path | None = None
) -> tuple[subprocess.CompletedProcess[str], float]:
    start = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "ops", "verify", "--outputs", str(file), "--address", "127.0.0.1", *arguments],
        cwd=ROOT,
        env={"PATH": f"{path}{os.pathsep}{os.environ['PATH']}" if path else os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return run, time.monotonic() - start


def test_a_dead_server_holds_the_command_no_longer_than_its_time_limit(tmp_path: Path) -> None:
    """Not even with a docker command that hangs as well; and every check still has its line."""
    slow_docker(tmp_path)
    with dead_server() as port:
        file = tmp_path / "outputs.json"
        file.write_text(
            json.dumps(
                outputs(
                    port, turn={"urls": [f"turns:video.verify.test:{port}"], "secret": "turn-secret-5d41402abc4b2a76"}
                )
            )
        )
        run, seconds = run_command(
            file, "--time-limit", "1", "--json", "--docker-host", "unix:///run/docker.sock", path=tmp_path
        )
    assert run.returncode == 1
    report_now = json.loads(run.stdout)
    found = {one["name"]: one for one in report_now["checks"]}
    assert list(found) == list(CHECKS)
    assert found["bosh"]["status"] == "failed"
    assert "not done within the time limit of 1 s" in found["bosh"]["detail"]
    assert report_now["seconds"] < net.CONNECT_SECONDS, (
        "the limit and the time to tidy up; one step alone may take longer"
    )
    assert seconds < 10, "nothing holds the process afterwards, however long Python took to start"
    assert run.stderr == ""


def test_a_server_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs(port, facts={"media": {"addresses": []}})))
    run, seconds = run_command(file, path=tmp_path)
    assert run.returncode == 1
    lines = [line for line in run.stdout.splitlines() if line.lstrip().startswith("failed")]
    assert [line.split()[1] for line in lines] == ["certificate"]
    assert "connection refused" in lines[0]
    assert seconds < 10


def test_checks_that_ignore_their_end_do_not_hold_it_up() -> None:
    async def stubborn(_: Context) -> Result:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(0.8)  # longer than it is given
                raise

    async def good(_: Context) -> Result:
        return ok("fine")

    start = time.monotonic()
    context = Context(DeployedStack.of(outputs()), time_limit=0.3)
    results = asyncio.run(report.examine(context, {"stubborn": stubborn, "good": good}))
    assert time.monotonic() - start < 5
    assert results["stubborn"].status is Status.FAILED
    assert results["good"] == ok("fine")


def test_a_check_that_breaks_is_a_failed_line_without_its_secrets() -> None:
    async def broken(_: Context) -> Result:
        raise RuntimeError(f"bad key {SECRET}")

    results = asyncio.run(report.examine(Context(DeployedStack.of(outputs())), {"broken": broken}))
    assert results["broken"].status is Status.FAILED
    assert "bad key [secret]" in results["broken"].detail


def test_only_failed_makes_the_exit_code_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs()))
    for results, code in (
        ({"a": ok("fine"), "b": skipped("no docker"), "c": warning("7 days", "renew")}, 0),
        ({"a": ok("fine"), "b": failed("shut", "open it")}, 1),
    ):

        async def examine(_: Context, results: dict[str, Result] = results) -> dict[str, Result]:
            return results

        monkeypatch.setattr(report, "examine", examine)
        assert main(["verify", "--outputs", str(file)]) == code
    shown = capsys.readouterr().out
    assert "failed   b            shut\n" in shown
    assert "-> open it\n" in shown
    assert "1 ok, 1 failed; " in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--time-limit", "0"], "--time-limit is 0, allowed are 1 to 600 seconds"),
        (["--time-limit", "nan"], "--time-limit is nan"),
        (["--address", "video.example.org"], "--address is 'video.example.org', allowed is an IP address"),
        (["--docker-host", "video.example.org"], "--docker-host is no URL that docker takes"),
    ],
)
def test_arguments_that_cannot_be_used_are_exit_code_two(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_without_verifys_own_package_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    """As in an environment that has requirements.txt alone."""
    (tmp_path / "websockets.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'websockets'\", name='websockets')"
    )
    run = subprocess.run(
        [sys.executable, "-m", "ops", "verify"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("error: verify needs a package")
    assert "requirements/ops.txt" in run.stderr
    assert len(run.stderr.splitlines()) == 1


_PULUMI = """#!/bin/sh
case "$*" in
"stack output --json --show-secrets --stack prod --non-interactive") cat {file} ;;
*) echo "error: unexpected: $*" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-in for the Pulumi CLI, with a backend of the operator's own."""
    command = tmp_path / "pulumi"
    command.write_text(_PULUMI.format(file=tmp_path / "outputs.json"))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    return tmp_path / "outputs.json"


def test_the_engine_is_asked_for_the_outputs(engine: Path) -> None:
    facts: dict[str, dict[str, Any]] = {
        "http": {"port": 80},
        "statistics": {"broker": "external"},
        "timeouts": {"conference": 30},
    }
    engine.write_text(json.dumps(outputs(443, facts=facts)))
    found = deployed.read("prod", None, 10)
    assert found.jwt_secret == SECRET
    assert (found.statistics, found.conference_timeout) == (True, 30)
    assert found.http_port == 80
    assert SECRET not in repr(found)


def test_what_the_engine_says_against_it_is_one_line(engine: Path) -> None:
    engine.parent.joinpath("pulumi").write_text(
        "#!/bin/sh\necho 'error: no stack named' >&2; echo more >&2; exit 255\n"
    )
    with pytest.raises(OpsError, match=r"^pulumi stack output of 'prod' failed: no stack named$"):
        deployed.read("prod", None, 10)


def test_an_engine_that_hangs_is_given_up(engine: Path) -> None:
    engine.parent.joinpath("pulumi").write_text("#!/bin/sh\nsleep 30\n")
    start = time.monotonic()
    with pytest.raises(OpsError, match="did not answer within 1 seconds"):
        deployed.read("prod", None, 1)
    assert time.monotonic() - start < 10


DOCKER_HOSTS = {
    "nothing": ("{}", ("--host", "unix:///var/run/docker.sock")),
    "a host": ("{docker:host: ssh://deploy@video.test}", ("--host", "ssh://deploy@video.test")),
    "a context": ("{docker:host: ssh://deploy@video.test, docker:context: remote}", ("--context", "remote")),
    "a host and what cannot be judged here": (
        "{docker:host: ssh://deploy@video.test, dnsZone: example.org, jvbPort: typo}",
        ("--host", "ssh://deploy@video.test"),
    ),
}


@pytest.fixture
def place(tmp_path: Path) -> StackState:
    """A stack with a backend of its own; its file is still to be written."""
    (tmp_path / "Pulumi.yaml").symlink_to(ROOT / "Pulumi.yaml")
    return StackState("team", tmp_path, embedded=False)


@pytest.mark.parametrize("name", DOCKER_HOSTS)
def test_docker_is_asked_where_the_stack_file_says_whatever_else_it_says(
    name: str, place: StackState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN", raising=False)
    config, where = DOCKER_HOSTS[name]
    place.tracked.write_text(f"config: {config}\n")
    assert deployed._docker(place) == DockerCli(where)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config:\n  docker:host:\n    secure: v1:abc\n", "docker:host is encrypted"),
        ("environment: [team/prod]\n", "Pulumi.team.yaml has an environment, which may say where it is"),
        ("config: [\n", "Pulumi.team.yaml:2 is not valid YAML"),
    ],
)
def test_no_docker_is_asked_where_the_host_is_not_known(text: str, says: str, place: StackState) -> None:
    place.tracked.write_text(text)
    docker = deployed._docker(place)
    assert says in docker.unusable
    context = Context(DeployedStack.of(outputs(), docker))
    result = asyncio.run(report.examine(context, {"bridge": CHECKS["bridge"]}))["bridge"]
    assert result.status is Status.SKIPPED
    assert says in result.detail
    assert "--docker-host URL" in result.fix


def test_outputs_from_a_file_leave_docker_alone_unless_its_host_is_named(tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs()))
    assert deployed.read("dev", str(file), 10).docker.unusable == "the outputs do not say where it is"
    named = deployed.read("dev", str(file), 10, "ssh://deploy@video.test")
    assert named.docker.command() == ["docker", "--host", "ssh://deploy@video.test"]


def test_a_remedy_that_shows_a_log_names_the_stacks_docker_host() -> None:
    docker = DockerCli(("--context", "a remote one"))
    assert (
        DeployedStack.of(outputs(), docker).logs("jvb") == "docker --context 'a remote one' logs videobackend-test-jvb"
    )
