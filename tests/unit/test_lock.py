"""pyproject.toml, uv.lock and the files exported from it say the same, without uv and without a network."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from ops.environment import DEV, DNS, EXPORTS, OPS, POLICIES, PROGRAM, ROOT, TOOL

PYPROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK: Final = tomllib.loads((ROOT / "uv.lock").read_text())
PACKAGES: Final[dict[str, dict[str, Any]]] = {one["name"]: one for one in LOCK["package"]}
OURS: Final = PACKAGES["videobackend"]
GROUPS: Final = PYPROJECT["dependency-groups"]
WANTED: Final = {
    PROGRAM: ("program",),
    DNS: ("program", "dns"),
    OPS: ("program", "ops"),
    DEV: ("program", "dns", "ops", "dev"),
    TOOL: ("uv",),
}
PUBLIC: Final = {"pypi.org", "files.pythonhosted.org"}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pins(requirements: Iterable[str]) -> dict[str, str]:
    return {_normal(name): version for name, version in (one.split("==") for one in requirements)}


def test_the_packs_export_has_just_what_its_own_lock_has() -> None:
    """Another protobuf than the program's, so a lock of its own; but the same Pulumi."""
    lock = tomllib.loads((ROOT / "policies" / "uv.lock").read_text())
    packages = {one["name"]: one for one in lock["package"]}
    exported = _exported(POLICIES)
    assert set(exported) == set(packages) - {"videobackend-policies"}
    for name, (version, hashes) in exported.items():
        files = [*packages[name].get("wheels", ()), *filter(None, [packages[name].get("sdist")])]
        assert (version, hashes) == (packages[name]["version"], {file["hash"] for file in files}), name
    assert exported["pulumi"][0] == PACKAGES["pulumi"]["version"]


def _exported(name: str) -> dict[str, tuple[str, set[str]]]:
    """Of each package of an exported file: its version and its hashes."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = {}
    for line in lines:
        package, version = re.match(r"([a-z0-9-]+)==(\S+)", line).groups()  # type: ignore[union-attr]
        found[package] = version, set(re.findall(r"--hash=(\S+)", line))
    assert len(found) == len(lines)
    return found


def _locked(groups: Iterable[str]) -> set[str]:
    """Names of the packages that the groups bring, by the lock."""
    groups = set(groups)
    open_ = [one["name"] for one in OURS["dependencies"]] if "program" in groups else []
    open_ += [one["name"] for group in groups - {"program"} for one in OURS["dev-dependencies"][group]]
    found: set[str] = set()
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            open_ += [one["name"] for one in PACKAGES[name].get("dependencies", ())]
    return found


def test_every_direct_dependency_is_pinned_and_locked_at_its_pin() -> None:
    direct = _pins([*PYPROJECT["project"]["dependencies"], *(one for group in GROUPS.values() for one in group)])
    assert {name: PACKAGES[name]["version"] for name in direct} == direct


def test_the_lock_was_made_from_these_groups() -> None:
    def shown(entries: Iterable[dict[str, str]]) -> dict[str, str]:
        return {one["name"]: one["specifier"] for one in entries}

    def wanted(requirements: Iterable[str]) -> dict[str, str]:
        return {name: f"=={version}" for name, version in _pins(requirements).items()}

    about = OURS["metadata"]
    assert shown(about["requires-dist"]) == wanted(PYPROJECT["project"]["dependencies"])
    assert {name: shown(group) for name, group in about["requires-dev"].items()} == {
        name: wanted(group) for name, group in GROUPS.items()
    }
    assert LOCK["requires-python"] == PYPROJECT["project"]["requires-python"]


def test_every_export_has_its_groups() -> None:
    assert {*WANTED, POLICIES} == set(EXPORTS)
    assert {group for groups in WANTED.values() for group in groups} == {"program", *GROUPS}


@pytest.mark.parametrize("name", WANTED)
def test_an_export_has_just_what_the_lock_has_for_its_groups_each_file_by_its_hash(name: str) -> None:
    exported = _exported(name)
    assert set(exported) == _locked(WANTED[name])
    for package, (version, hashes) in exported.items():
        locked = PACKAGES[package]
        files = [*locked.get("wheels", ()), *filter(None, [locked.get("sdist")])]
        assert (version, hashes) == (locked["version"], {file["hash"] for file in files}), package


def test_nothing_is_locked_to_another_host_than_the_public_index() -> None:
    text = "".join((ROOT / name).read_text() for name in ("uv.lock", "pyproject.toml", "policies/uv.lock", *EXPORTS))
    hosts = {urlsplit(url).hostname for url in re.findall(r"[a-z+]+://[^\s\"']+", text)}
    assert hosts <= PUBLIC
    assert {tuple(one["source"].items()) for one in PACKAGES.values()} == {
        (("registry", "https://pypi.org/simple"),),
        (("virtual", "."),),
    }


def test_pulumis_own_pip_toolchain_finds_the_programs_packages() -> None:
    """It installs requirements.txt beside Pulumi.yaml, and asks the environment's pip for the packages."""
    assert Path(PROGRAM) == Path("requirements.txt")
    assert "pip" in _exported(PROGRAM)
    assert "build-system" not in PYPROJECT  # so that `pip install .` is nothing that this project promises
    assert PYPROJECT["tool"]["uv"]["package"] is False
