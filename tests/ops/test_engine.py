"""The providers' plugins: what the engine would have to download is named before anything is made."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Final

import pytest

from ops.errors import OpsError
from ops.project import engine
from ops.project.state import StackState

CLI: Final = Path("/usr/bin/pulumi")


@pytest.fixture
def stack_state(tmp_path: Path) -> StackState:
    """A project whose `.venv` has the packages of two providers, and one without a plugin."""
    packages = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages"
    for name, version in (("docker", "5.2.0"), ("random", "4.21.4")):
        (packages / f"pulumi_{name}").mkdir(parents=True)
        plugin = {"resource": True, "name": name, "version": version}
        (packages / f"pulumi_{name}" / "pulumi-plugin.json").write_text(json.dumps(plugin))
    (packages / "pulumi_policy").mkdir()
    return StackState("dev", tmp_path, embedded=True)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "pulumi-home"


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that were tried, on a machine without network."""
    hosts: list[str] = []

    def connect(address: tuple[str, int], **_: Any) -> None:
        hosts.append(address[0])
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "create_connection", connect)
    return hosts


def keep(home: Path, *names: str) -> None:
    for name in names:
        (home / "plugins" / f"resource-{name}").mkdir(parents=True)


def check(stack_state: StackState, home: Path, **environ: str) -> None:
    engine.check_plugins(stack_state, CLI, {"PULUMI_HOME": str(home), "PATH": str(home / "bin"), **environ})


def test_without_network_the_missing_plugins_are_named_in_one_line(
    stack_state: StackState, home: Path, tried: list[str]
) -> None:
    keep(home, "random-v4.21.3", "docker-v4.9.0")
    with pytest.raises(OpsError) as error:
        check(stack_state, home)
    message = str(error.value)
    assert message.startswith(
        "the Pulumi plugins docker 5.2.0, random 4.21.4 are not on this machine and cannot be downloaded "
        "(get.pulumi.com: Temporary failure in name resolution): connect to the network"
    )
    assert "pulumi plugin install resource docker 5.2.0" in message
    assert "\n" not in message


def test_a_plugin_is_there_in_pulumis_home_at_least_as_new_or_on_path(
    stack_state: StackState, home: Path, tried: list[str]
) -> None:
    keep(home, "random-v4.21.4", "docker-v5.10.0")
    check(stack_state, home)
    (home / "plugins" / "resource-docker-v5.10.0").rmdir()
    plugin = home / "bin" / "pulumi-resource-docker"
    plugin.parent.mkdir()
    plugin.write_text("")
    plugin.chmod(0o755)
    check(stack_state, home)
    assert not tried, "nothing has to be downloaded"
    with pytest.raises(OpsError, match=r"the Pulumi plugin docker 5\.2\.0 is not on this machine"):
        check(stack_state, home, PULUMI_IGNORE_AMBIENT_PLUGINS="true")


def test_what_can_be_downloaded_is_left_to_the_engine(
    stack_state: StackState, home: Path, monkeypatch: pytest.MonkeyPatch, tried: list[str]
) -> None:
    check(stack_state, home, HTTPS_PROXY="http://proxy.example.org:3128")
    assert not tried, "through a proxy these hosts are not reached by themselves"
    unreachable = socket.create_connection

    def connect(address: tuple[str, int], **words: Any) -> Any:
        return socket.socket() if address[0] == "get.pulumi.com" else unreachable(address, **words)

    monkeypatch.setattr(socket, "create_connection", connect)
    check(stack_state, home)
    assert tried == ["github.com"], "the engine goes on to the other host by itself"
