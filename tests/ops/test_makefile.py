from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from ops import stackfile
from tests.ops.project import ROOT

TARGETS = set(re.search(r"^\.PHONY: (help .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())  # type: ignore[index]
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on PATH")


def _make(*arguments: str) -> str:
    run = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout


def test_the_targets_that_operators_know_are_there() -> None:
    assert {"up", "preview", "destroy", "outputs", "plan", "test", "lint", "bench", "help"} <= TARGETS


@needs_make
def test_help_explains_every_target_and_is_the_default() -> None:
    explained = dict(re.findall(r"^  (\w+) +(\S.*)$", _make(), re.MULTILINE))
    assert set(explained) == TARGETS


@needs_make
def test_plan_is_of_all_stacks_unless_one_is_named() -> None:
    assert f"for stack in {' '.join(stackfile.stacks())};" in _make("--dry-run", "plan")
    assert "for stack in prod;" in _make("--dry-run", "plan", "STACK=prod")


@needs_make
@pytest.mark.parametrize(("yes", "given"), [("1", True), ("0", False), ("", False), ("no", False)])
def test_only_a_yes_is_a_yes(yes: str, given: bool) -> None:
    assert ("--yes" in _make("--dry-run", "destroy", f"YES={yes}")) is given
