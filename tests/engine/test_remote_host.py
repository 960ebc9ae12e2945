"""A Docker host behind ssh: the same stack, with nothing mounted from the machine that runs pulumi."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import docker_host
from tests.engine.conftest import WorkspaceMaker
from tests.engine.docker_host import docker
from tests.engine.workspace import free_ports

_PRIVILEGE_SEPARATION = Path("/run/sshd")


@dataclass(frozen=True)
class Ssh:
    """A login on this machine through ssh."""

    url: str
    options: list[str]


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ssh]:
    """An sshd on the loopback address with keys of its own."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or not all(map(shutil.which, ("ssh", "ssh-keygen"))):
        pytest.skip("no OpenSSH server and client here (Debian: openssh-server)")
    made_directory = os.geteuid() == 0 and not _PRIVILEGE_SEPARATION.exists()
    if made_directory:
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port = free_ports()[0]
    host_key = (folder / "host.pub").read_text(encoding="utf-8")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}", encoding="utf-8")
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder}/host",
        f"AuthorizedKeysFile {folder}/user.pub",
        "AuthenticationMethods publickey",
        "PermitRootLogin prohibit-password",
        "StrictModes no",
        "UsePAM no",
        f"PidFile {folder}/pid",
        f"SetEnv PATH={os.environ['PATH']}",
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n", encoding="utf-8")
    server = subprocess.Popen([sshd, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")])
    try:
        known = f"UserKnownHostsFile={folder}/known_hosts"
        options = ["-i", f"{folder}/user", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o", known]
        login = f"{getpass.getuser()}@127.0.0.1"
        _wait(port)
        probe = ["ssh", *options, "-o", "BatchMode=yes", "-p", str(port), login, "docker", "version"]
        tried = subprocess.run(probe, capture_output=True, text=True, check=False)
        if tried.returncode:
            pytest.skip(f"this user cannot log in through ssh here: {tried.stderr.strip()[-200:]}")
        yield Ssh(f"ssh://{login}:{port}", options)
    finally:
        server.terminate()
        server.wait()
        if made_directory:
            _PRIVILEGE_SEPARATION.rmdir()


def _wait(port: int) -> None:
    for _ in range(50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


def test_a_stack_comes_up_on_a_host_behind_ssh_and_goes_without_a_trace(
    ssh: Ssh, make_workspace: WorkspaceMaker
) -> None:
    stack = make_workspace(**{"docker:host": ssh.url, "docker:sshOpts": ssh.options})
    stack.up()
    containers = docker_host.containers(stack.stack)
    states = {role: one["State"]["Health"]["Status"] for role, one in containers.items()}
    assert states == dict.fromkeys(("web", "prosody", "jvb", "jicofo"), "healthy")
    assert not [mount for one in containers.values() for mount in one["Mounts"] if mount["Type"] == "bind"]
    statistics = docker("exec", f"videobackend-{stack.stack}-prosody", "cat", "/config/conf.d/statistics.cfg.lua")
    assert statistics == stack.outputs()["statisticsConfig"]
    again = stack.preview("--refresh", "--expect-no-changes")
    assert again.code == 0, again.text
    stack.destroy()
    assert docker_host.leftovers(stack.stack) == []
