from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.project import stackfile
from tests.ops.project import ROOT

TARGETS = set(re.search(r"^\.PHONY: (help .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())  # type: ignore[index]
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on PATH")


def _make(*arguments: str) -> str:
    """A make of its own, also where the tests run by one: that exports what was typed there."""
    outer = ("STACK", "ARGS", "YES", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    run = subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
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
    assert 'for stack in "$STACK";' in _make("--dry-run", "plan", "STACK=prod")


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., str]:
    """What `python -m ops` would be called with, argument by argument."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nshift 2\nprintf '[%s]' \"$@\"\n")
    python.chmod(0o755)
    return lambda *arguments: _make(*arguments, "PYTHON=true", f"OPS={python} -m ops", f"DEV={tmp_path}")


@needs_make
@pytest.mark.parametrize("typed", ["", "a b", "x'; exit 1; '", '"; exit 1; "', "-x", "$$(exit 1)"])
def test_what_is_typed_reaches_the_program_as_it_is_and_is_no_command(said: Callable[..., str], typed: str) -> None:
    got = typed.replace("$$", "$")
    assert said("up", f"STACK={typed}") == f"[up][--stack={got}]"
    assert said("plan", f"STACK={typed}") == f"[plan][--stack={got}]"
    assert said("token", f"ROOM={typed}", "ARGS=--moderator") == f"[token][--stack=dev][--room={got}][--moderator]"
    if got.strip():
        assert said("outputs", f"NAME={typed}") == f"[outputs][--stack=dev][{got}]"


@needs_make
def test_an_output_is_named_on_the_command_line_only(said: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems have a variable NAME."""
    monkeypatch.setenv("NAME", "box")
    assert said("outputs") == "[outputs][--stack=dev]"


@needs_make
def test_an_empty_line_stands_between_two_plans(said: Callable[..., str]) -> None:
    assert said("plan") == "\n".join(f"[plan][--stack={name}]" for name in stackfile.stacks())


@needs_make
@pytest.mark.parametrize(("yes", "given"), [("1", True), ("0", False), ("", False), ("no", False)])
def test_only_a_yes_is_a_yes(yes: str, given: bool) -> None:
    assert ("--yes" in _make("--dry-run", "destroy", f"YES={yes}")) is given
