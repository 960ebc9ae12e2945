from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from ops import venvs

Commands = list[list[str]]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """What would be run: nothing is."""
    found: Commands = []

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        found.append(command)
        if "venv" in command:
            python = Path(command[-1], "bin", "python")
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
            venvs._pip(Path(command[-1])).mkdir(parents=True)
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(venvs, "_run", run)
    return found


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    (tmp_path / "base.txt").write_text("one==1\n")
    path = tmp_path / "requirements.txt"
    path.write_text("-r base.txt\ntwo==2\n")
    return path


def test_it_is_made_once_and_a_second_time_runs_nothing(tmp_path: Path, pins: Path, commands: Commands) -> None:
    venvs.ensure(tmp_path / "venv", pins)
    assert ["venv" in one for one in commands] == [True, False]
    venvs.ensure(tmp_path / "venv", pins)
    assert len(commands) == 2


@pytest.mark.parametrize("changed", ["requirements.txt", "base.txt"])
def test_changed_pins_are_installed_also_where_another_file_includes_them(
    tmp_path: Path, pins: Path, commands: Commands, changed: str
) -> None:
    venvs.ensure(tmp_path / "venv", pins)
    with (tmp_path / changed).open("a") as file:
        file.write("three==3\n")
    venvs.ensure(tmp_path / "venv", pins)
    assert [one[3:5] for one in commands[2:]] == [["install", "--quiet"]]


@pytest.mark.parametrize("left", ["lib/python3.1/site-packages/pip", "lib"])
def test_an_environment_of_another_python_or_without_pip_is_made_anew(
    tmp_path: Path, pins: Path, commands: Commands, left: str
) -> None:
    """As an upgrade of the system leaves it: bin/python is the new one, and the packages are the old one's."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").touch()
    (tmp_path / "venv" / left).mkdir(parents=True)
    venvs.ensure(tmp_path / "venv", pins)
    assert commands[0][1:4] == ["-m", "venv", "--clear"]


def _failing(monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    monkeypatch.setattr(venvs, "_run", lambda command: subprocess.CompletedProcess(command, 1, output))


def test_a_python_without_venv_is_one_line_that_says_what_to_install(
    tmp_path: Path, pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, "The virtual environment was not created successfully because ensurepip is not\navailable.")
    with pytest.raises(venvs.SetupError, match=r"^this Python cannot .* sudo apt install python3-venv .*$"):
        venvs.ensure(tmp_path / "venv", pins)


def test_a_failed_installation_gives_pips_own_error_and_is_tried_again(
    tmp_path: Path, pins: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    venvs._create(tmp_path / "venv")
    with monkeypatch.context() as offline:
        _failing(offline, "WARNING: Retrying\nERROR: No matching distribution found for two==2\n")
        with pytest.raises(venvs.SetupError, match=r"network.*ERROR: No matching distribution found for two==2$"):
            venvs.ensure(tmp_path / "venv", pins)
    venvs.ensure(tmp_path / "venv", pins)
    assert commands[-1][-1] == str(pins)


def test_a_python_too_old_says_how_to_name_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(venvs, "OLDEST", (99, 0))
    assert venvs.main([".venv", "--stack", "dev"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs Python 99.0 or newer" in line
    assert "make PYTHON=" in line


def test_an_empty_stack_name_does_not_bring_the_development_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[str] = []
    monkeypatch.setattr(venvs, "ensure", lambda directory, requirements: wanted.append(requirements.name))
    assert venvs.main([str(tmp_path / "venv"), "--stack="]) == 0
    assert wanted == ["requirements.txt"]


def test_the_oldest_python_is_the_same_wherever_it_is_named() -> None:
    oldest = ".".join(map(str, venvs.OLDEST))
    tools = tomllib.loads((venvs.ROOT / "pyproject.toml").read_text())["tool"]
    assert tools["mypy"]["python_version"] == oldest
    assert tools["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    for name in ("README.md", "CONTRIBUTING.md"):
        assert f"Python {oldest} or newer" in (venvs.ROOT / name).read_text()


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("config:\n  dnsZone: example.org\n", True),
        ('config:\n  "videobackend:dnsZone": example.org\n', True),
        ("config:\n  # dnsZone: example.org\n", False),
        ("config:\n  dnsZone:\n", False),
        ("config:\n  dnsZoneId: 0\n", False),
    ],
)
def test_a_stack_needs_the_dns_package_where_it_sets_dns_zone(tmp_path: Path, text: str, needed: bool) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(text)
    assert venvs.needs_dns("prod", tmp_path) is needed


def test_a_stack_file_in_another_encoding_is_not_this_modules_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_bytes(
        "config:\n  jwtAppId: J\u00f6rg\n  dnsZone: example.org\n".encode("latin-1")
    )
    assert venvs.needs_dns("prod", tmp_path)


def test_dns_zone_may_be_set_on_this_machine_only(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "Pulumi.dev.yaml").write_text("config:\n  videobackend:dnsZone: example.org\n")
    assert venvs.needs_dns("dev", tmp_path)
