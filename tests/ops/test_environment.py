from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import environment
from ops.environment import DEV, DNS, OPS, PROGRAM, TOOL, SetupError
from ops.project import packages
from tests.ops.project import ROOT

Commands = list[list[str]]


class Machine:
    """A project and a machine whose installers only pretend to run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands: Commands = []
        self.failing: dict[str, str] = {}
        """By a word of a command: what it says before it fails."""
        self.dns: set[str] = set()
        """Stacks that need the DNS package."""
        for name in environment.EXPORTS:
            path = root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{name}==1\n")

    def run(self, command: list[str], variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        for word, output in self.failing.items():
            if word in command:
                return subprocess.CompletedProcess(command, 1, output)
        if "venv" in command:
            python = Path(command[-1], "bin", "python")
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
        if "--target" in command:
            uv = Path(command[-1], "bin", "uv")
            uv.parent.mkdir(parents=True, exist_ok=True)
            uv.touch()
        return subprocess.CompletedProcess(command, 0, "")

    def ensure(self, kind: str, *stacks: str) -> list[list[str]]:
        """What is installed by it: of each installation, the files."""
        before = len(self.commands)
        environment.ensure(kind, stacks, self.root)
        return [
            [str(Path(word).relative_to(self.root)) for word in one if word.endswith(".txt")]
            for one in self.commands[before:]
            if {"sync", "install"} & set(one) and "--target" not in one
        ]

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setattr(environment, "_run", machine.run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(environment, "_needs_dns", lambda _directory, stack, _root: stack in machine.dns)
    return machine


@pytest.mark.parametrize(("kind", "file"), [("program", PROGRAM), ("ops", OPS), ("dev", DEV)])
def test_it_is_made_once_of_its_own_file_and_a_second_time_runs_nothing(machine: Machine, kind: str, file: str) -> None:
    assert machine.ensure(kind) == [[file]]
    machine.commands.clear()
    assert machine.ensure(kind) == []
    assert machine.commands == []


def test_changed_pins_are_installed_into_the_environment_that_is_there(machine: Machine) -> None:
    machine.ensure("ops")
    machine.write(OPS, "ops==2\n")
    machine.commands.clear()
    assert machine.ensure("ops") == [[OPS]]
    assert not any("venv" in command for command in machine.commands)


def test_another_python_makes_it_anew(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an upgrade of the system leaves it: the packages are the old one's."""
    machine.ensure("ops")
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    machine.commands.clear()
    assert machine.ensure("ops") == [[OPS]]
    assert any("venv" in command and "--clear" in command for command in machine.commands)


@pytest.mark.parametrize("left", ["no Python", "no stamp", "half a stamp"])
def test_what_an_interrupted_or_foreign_installation_left_is_made_anew(machine: Machine, left: str) -> None:
    machine.ensure("ops")
    directory = machine.root / ".venv-ops"
    stamp = directory / environment.STAMP
    if left == "no Python":
        (directory / "bin" / "python").unlink()
    elif left == "no stamp":
        stamp.unlink()
    else:
        stamp.write_text(stamp.read_text()[:20])
    machine.commands.clear()
    assert machine.ensure("ops") == [[OPS]]
    assert any("--clear" in command for command in machine.commands)


def test_an_installation_that_is_cut_off_does_not_pass_for_the_one_before_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.ensure("ops")
    old = (machine.root / OPS).read_text()
    machine.write(OPS, "ops==2\n")

    def cut_off(*_: Any, **__: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(environment, "_by_uv", cut_off)
        with pytest.raises(KeyboardInterrupt):
            machine.ensure("ops")
    machine.write(OPS, old)
    assert machine.ensure("ops") == [[OPS]]


def test_only_a_stack_with_dns_brings_the_dns_package_and_it_stays_for_the_next_stack(machine: Machine) -> None:
    machine.dns = {"prod"}
    assert machine.ensure("program", "dev") == [[PROGRAM]]
    assert machine.ensure("program", "prod") == [[PROGRAM, DNS]]
    assert machine.ensure("program", "dev") == []
    assert machine.ensure("program", "other") == []
    machine.write(PROGRAM, "changed==2\n")
    assert machine.ensure("program", "dev") == [[PROGRAM, DNS]]


@pytest.mark.parametrize("name", ["Pulumi.yaml", "Pulumi.prod.yaml", ".local/Pulumi.prod.yaml"])
def test_a_stack_is_judged_again_once_one_of_its_files_changed(machine: Machine, name: str) -> None:
    assert machine.ensure("ops", "prod") == [[OPS]]
    machine.dns = {"prod"}
    assert machine.ensure("ops", "prod") == []
    machine.write(name, "config: {}\n")
    assert machine.ensure("ops", "prod") == [[OPS, DNS]]


@pytest.mark.parametrize("stack", ["", "../x", "/etc/passwd", "a/b", "-x", "a\nb"])
def test_a_stack_that_is_none_needs_nothing_and_is_for_the_command_to_refuse(machine: Machine, stack: str) -> None:
    assert machine.ensure("program", stack) == [[PROGRAM]]


def test_uv_comes_from_path_else_from_the_lock_into_a_directory_of_its_own(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment.find_uv(machine.root) == Path("/usr/bin/uv")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    own = machine.root / ".venv-uv" / "bin" / "uv"
    machine.commands.clear()
    assert environment.find_uv(machine.root) == own
    (install,) = [command for command in machine.commands if "install" in command]
    assert {"--require-hashes", str(machine.root / TOOL), "--target"} <= set(install)
    machine.commands.clear()
    assert environment.find_uv(machine.root) == own
    assert machine.commands == []
    machine.write(TOOL, "uv==2\n")
    environment.find_uv(machine.root)
    assert machine.commands


def test_a_uv_on_path_that_does_not_run_is_passed_over(machine: Machine) -> None:
    machine.failing = {"/usr/bin/uv": "no such version"}
    assert environment.find_uv(machine.root) == machine.root / ".venv-uv" / "bin" / "uv"


def test_uv_installs_by_the_hashes_of_the_lock(machine: Machine) -> None:
    machine.ensure("ops")
    (sync,) = [command for command in machine.commands if "sync" in command]
    assert "--require-hashes" in sync


def test_where_uv_cannot_be_had_pip_installs_by_the_same_hashes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "find_uv", lambda root: None)
    assert machine.ensure("dev") == [[DEV]]
    assert [word for word in machine.commands[-1] if word.startswith("--require")] == ["--require-hashes"]
    assert machine.ensure("dev") == []


def test_where_uv_fails_pip_is_tried_and_its_own_error_is_the_one_shown(machine: Machine) -> None:
    machine.failing = {
        "sync": "error: no route\n",
        "install": "WARNING: Retrying\nERROR: No matching distribution found for two==2\n",
    }
    with pytest.raises(
        SetupError, match=r"^cannot install .*network.*ERROR: No matching distribution found for two==2$"
    ):
        machine.ensure("ops")
    machine.failing = {}
    assert machine.ensure("ops") == [[OPS]]


def test_a_python_without_venv_is_one_line_that_says_what_to_install(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "find_uv", lambda root: None)
    machine.failing = {
        "venv": "The virtual environment was not created successfully because ensurepip is not\navailable."
    }
    with pytest.raises(SetupError, match=r"^this Python cannot .* sudo apt install python3-venv .*$"):
        machine.ensure("ops")


@pytest.mark.parametrize(
    ("pips", "uvs"),
    [("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")],
    ids=["index", "certificate"],
)
def test_pips_own_variables_about_the_index_hold_for_uv_too_unless_it_has_its_own(
    monkeypatch: pytest.MonkeyPatch, pips: str, uvs: str
) -> None:
    monkeypatch.delenv(uvs, raising=False)
    monkeypatch.setenv(pips, "of pip")
    assert environment._uv_environment()[uvs] == "of pip"
    monkeypatch.setenv(uvs, "of uv")
    assert environment._uv_environment()[uvs] == "of uv"


def test_a_python_too_old_says_how_to_name_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "OLDEST", (99, 0))
    assert environment.main(["program", "--stack", "dev"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs Python 99.0 or newer" in line
    assert "make PYTHON=" in line


@contextlib.contextmanager
def _started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    found: Commands = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: found.append([program, *arguments]))
    monkeypatch.setattr(environment, "ensure", lambda kind, stacks, directory: directory or Path("/venv"))
    yield found


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("--moderator --name 'A B'", ["--moderator", "--name", "A B"]),
        ("$(touch x) `touch x` ; touch x", ["$(touch", "x)", "`touch", "x`", ";", "touch", "x"]),
        ("*", ["*"]),
        ("", []),
    ],
)
def test_args_are_split_as_a_shell_would_and_carried_out_by_none(
    monkeypatch: pytest.MonkeyPatch, words: str, arguments: list[str]
) -> None:
    monkeypatch.setenv("ARGS", words)
    with _started(monkeypatch) as found:
        environment.main(["ops", "--args", "--", "python", "-m", "ops", "token", "--", "x"])
        environment.main(["ops", "--", "python", "-m", "ops", "plan"])
    program = "/venv/bin/python"
    assert found == [
        [program, program, "-m", "ops", "token", "--", "x", *arguments],
        [program, program, "-m", "ops", "plan"],
    ]


def test_an_environment_may_have_a_directory_of_its_own(machine: Machine, tmp_path: Path) -> None:
    made = environment.ensure("dev", (), machine.root, tmp_path / "other")
    assert made == tmp_path / "other"
    assert (made / environment.STAMP).is_file()
    assert not (machine.root / ".venv-dev").exists()


def test_quotes_that_do_not_pair_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARGS", "--name 'A")
    with _started(monkeypatch) as found:
        assert environment.main(["ops", "--args", "--", "python"]) == 1
    assert found == []
    assert capsys.readouterr().err.startswith("error: ARGS: no closing quotation;")


def test_a_started_command_may_keep_its_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with _started(monkeypatch):
        environment.main(["ops", "--", "python"])
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ


def test_the_oldest_python_is_the_same_wherever_it_is_named() -> None:
    oldest = ".".join(map(str, environment.OLDEST))
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert pyproject["project"]["requires-python"] == f">={oldest}"
    assert pyproject["tool"]["mypy"]["python_version"] == oldest
    assert pyproject["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    for name in ("README.md", "CONTRIBUTING.md"):
        assert f"Python {oldest} or newer" in (ROOT / name).read_text()


DNS_STACKS: dict[str, tuple[str, bool]] = {
    "block style": ("config:\n  dnsZone: example.org\n", True),
    "with the namespace, quoted": ('config:\n  "videobackend:dnsZone": example.org\n', True),
    "flow style": ("config: {videobackend:dnsZone: example.org}\n", True),
    "an escape of YAML": ('config: {"dns\\x5aone": example.org}\n', True),
    "an anchor": ("config:\n  publicUrl: &zone example.org\n  dnsZone: *zone\n", True),
    "encrypted": ("config:\n  dnsZone: {secure: v1:abc}\n", True),
    "an environment, whose values only the engine sees": ("environment:\n- shared\nconfig: {}\n", True),
    "a comment": ("config:\n  # dnsZone: example.org\n", False),
    "no value": ("config:\n  dnsZone:\n", False),
    "another key": ("config:\n  dnsZoneId: 0\n", False),
    "another namespace": ("config:\n  other:dnsZone: example.org\n", False),
    "within a text": ("config:\n  publicUrl: |\n    x\n    dnsZone: example.org\n", False),
    "no YAML": ("config: [dnsZone: example.org\n", False),
}


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[], bool]:
    (tmp_path / "Pulumi.yaml").write_text("name: videobackend\n")
    return lambda: packages.needs_dns("prod", tmp_path)


@pytest.mark.parametrize(("text", "needed"), DNS_STACKS.values(), ids=DNS_STACKS)
def test_a_stack_needs_the_dns_package_where_the_engine_would_see_dns_zone(
    tmp_path: Path, judged: Callable[[], bool], text: str, needed: bool
) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(text)
    assert judged() is needed


def test_dns_zone_may_be_the_projects_or_this_machines_alone(tmp_path: Path, judged: Callable[[], bool]) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {}\n")
    assert not judged()
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "Pulumi.prod.yaml").write_text("config:\n  videobackend:dnsZone: example.org\n")
    assert judged()


def test_dns_zone_may_stand_in_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: videobackend\nconfig: {dnsZone: {value: example.org}}\n")
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {}\n")
    assert packages.needs_dns("prod", tmp_path)
