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


def _make(*arguments: str, **environment: str) -> str:
    """A make of its own, also where the tests run by one: that exports what was typed there."""
    outer = ("STACK", "TIER", "ARGS", "YES", "PYTHON", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL")
    own = {name: value for name, value in os.environ.items() if name not in outer} | environment
    return subprocess.run(["make", *arguments], cwd=ROOT, env=own, capture_output=True, text=True, check=True).stdout


def test_the_targets_that_operators_know_are_there() -> None:
    assert {"up", "preview", "destroy", "outputs", "plan", "test", "lint", "bench", "help"} <= TARGETS


@needs_make
def test_help_explains_every_target_and_is_the_default() -> None:
    explained = dict(re.findall(r"^  (\w+) +(\S.*)$", _make(), re.MULTILINE))
    assert set(explained) == TARGETS


@pytest.fixture
def called(tmp_path: Path) -> Callable[..., str]:
    """What `ops.environment` would be called with, argument by argument, and the ARGS that it would find."""
    python = tmp_path / "python"
    python.write_text(
        """#!/bin/sh\nshift 2\nprintf '[%s]' "$@"\ncase " $* " in *' --args '*) printf '{%s}' "$ARGS" ;; esac\n"""
    )
    python.chmod(0o755)
    return lambda *arguments, **environment: _make(*arguments, f"PYTHON={python}", **environment)


def _planned(stack: str) -> str:
    return f"[ops][--stack={stack}][--args][--][python][-m][ops][plan][--stack={stack}]{{}}"


@needs_make
def test_plan_is_of_all_stacks_with_a_line_between_unless_one_is_named(called: Callable[..., str]) -> None:
    assert called("plan") == "\n".join(map(_planned, stackfile.stacks()))
    assert called("plan", "STACK=prod") == _planned("prod")
    assert called("plan", STACK="prod") == _planned("prod")
    assert called("plan", "ARGS=--help").count("[plan]") == 1, "the same help for all of them"


@needs_make
def test_a_stack_that_is_refused_hides_no_other_plan_and_the_code_tells(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("""#!/bin/sh\nshift 2\necho "$2"\n[ "$2" != --stack=dev ] || exit 3\n""")
    python.chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError) as error:
        _make("plan", f"PYTHON={python}")
    assert stackfile.stacks()[0] == "dev", "the one that is refused is not the last"
    assert error.value.stdout == "\n".join(f"--stack={stack}\n" for stack in stackfile.stacks())
    assert "Error 3" in error.value.stderr


@needs_make
def test_the_tests_are_run_whole_or_by_tier(called: Callable[..., str]) -> None:
    default = called("test", "TIER=default", "ARGS=-x")
    assert default.startswith("[dev][--args][--][python][-m][pytest][-rs][--numprocesses=auto]")
    slow = "[dev][--args][--][python][-m][pytest][-rs][-m]"
    assert called("test", "TIER=prosody", "ARGS=-x") == f"{slow}[prosody]{{-x}}"
    assert called("test", "ARGS=-x") == f"{default}{slow}[servers or netns or prosody or engine]{{-x}}"
    with pytest.raises(subprocess.CalledProcessError) as error:
        called("test", "TIER=fast")
    assert "TIER is one of: default servers netns prosody engine" in error.value.stderr


HOSTILE = {
    "empty": "",
    "a space": "a b",
    "make's shell": "$(shell touch $(CANARY))",
    "the same in braces": "${shell touch ${CANARY}}",
    "make's file": "$(file >$(CANARY))",
    "make's eval": "$(eval X := $(shell touch $(CANARY)))",
    "a dollar": "a$b$$c",
    "the shell's substitution": "$$(touch $CANARY) $(touch $CANARY)",
    "backquotes": "`touch $CANARY`",
    "the end of double quotes": '"; touch $CANARY; "',
    "the end of single quotes": "'; touch $CANARY; '",
    "a second command": "; touch $CANARY #",
    "a line break": "a\ntouch $CANARY",
    "an option": "-x",
    "a pattern": "*",
}


@needs_make
@pytest.mark.parametrize("typed", HOSTILE.values(), ids=HOSTILE)
def test_what_is_typed_reaches_the_program_as_it_is_and_is_never_carried_out(
    called: Callable[..., str], typed: str, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    all_typed = [f"{name}={typed}" for name in ("STACK", "ROOM", "NAME", "ARGS", "YES", "SHOW_SECRETS", "OTHER")]
    operate = f"[program][--stack={typed}][--][python][-m][ops]"
    up, outputs, token, plan = (
        called(target, *all_typed, CANARY=str(canary)) for target in ("up", "outputs", "token", "plan")
    )
    assert up in (f"{operate}[up][--stack={typed}]", f"{operate}[up][--stack={typed}][--yes]")
    name = f"[{typed}]" if typed.strip() else ""
    assert outputs.removesuffix("[--show-secrets]") == f"{operate}[outputs][--stack={typed}]{name}"
    assert token == f"[ops][--args][--][python][-m][ops][token][--stack={typed}][--room={typed}]{{{typed}}}"
    assert plan == f"[ops][--stack={typed}][--args][--][python][-m][ops][plan][--stack={typed}]{{{typed}}}"
    assert not canary.exists()


@needs_make
@pytest.mark.parametrize("name", ["STACK", "ARGS", "YES", "SHOW_SECRETS", "ROOM"])
def test_what_stands_in_the_environment_is_not_carried_out_either(
    called: Callable[..., str], name: str, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    called("outputs", **{name: f"$(shell touch {canary})"})
    called("token", **{name: f"$(shell touch {canary})"})
    assert not canary.exists()


@needs_make
def test_an_output_is_named_on_the_command_line_only(called: Callable[..., str]) -> None:
    """Some systems have a variable NAME."""
    assert called("outputs", NAME="box") == "[program][--stack=dev][--][python][-m][ops][outputs][--stack=dev]"


@needs_make
@pytest.mark.parametrize(("yes", "given"), [("1", True), ("0", False), ("", False), ("no", False)])
def test_only_a_yes_is_a_yes(called: Callable[..., str], yes: str, given: bool) -> None:
    assert called("destroy", f"YES={yes}").endswith("[--yes]") is given


def _refused(*arguments: str) -> str:
    run = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert run.stdout == ""
    return run.stderr


@needs_make
def test_words_that_are_no_target_are_refused_before_anything_runs_with_where_they_belong() -> None:
    error = _refused("config", "set", "httpPort", "8001")
    assert "no such target: set httpPort 8001" in error
    assert "make config ARGS='set httpPort 8001'; the stack is STACK=NAME" in error


@needs_make
def test_a_variable_that_is_none_is_named_with_those_there_are() -> None:
    error = _refused("prod", "STAK=prod")
    assert "STAK: no variable of this Makefile, which has STACK " in error
