from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import __main__, preflight
from ops.project import stackfile
from tests.ops.cli import PULUMI, Ops, docker, free_port
from tests.ops.docker_command import Docker
from tests.ops.played import play
from tests.ops.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.make(tmp_path)


@pytest.fixture
def ops(project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Ops]:
    """`python -m ops ARGUMENTS` without a process of its own, on a machine in a network; its programs are played."""
    for name in [name for name in os.environ if name.startswith("PULUMI")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(project.root / "bin"))
    monkeypatch.setenv("HOME", str(project.root))
    monkeypatch.setattr(stackfile, "ROOT", project.root)
    monkeypatch.setattr(preflight, "lan_address", lambda: "192.0.2.44")
    play(monkeypatch, project.root / "bin")

    def call(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["ops", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
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
    http, https, media = map(free_port, (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM))
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


@pytest.fixture(name="docker")
def docker_of_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """A `docker` that runs the given Python lines; `words` are its arguments after the host."""

    def install(lines: str) -> None:
        path = tmp_path / "docker"
        path.write_text(f"#!{sys.executable}\nimport sys\nwords = sys.argv[3:]\n{lines}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    play(monkeypatch, tmp_path)
    return install
