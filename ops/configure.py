"""`make config`: `pulumi config`, with each value judged before it is kept.

Owns what is asked of a value that is set, the reading of one that is not on the command line, and what is said
afterwards. A value that is sound by itself is kept also where others do not fit it yet: two that need each other are set
one after the other, and `make up` judges the whole.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.config.keys import KEYS
from components.config.load import value_problems
from components.config.problems import Problem, SettingsError, visible
from ops import preflight, prepare, run
from ops.errors import OpsError
from ops.project import engine, fixes, local_copy, stackfile, state
from ops.project.state import DIRECTORY, StackState

_CHANGING = ("set", "set-all", "rm", "rm-all")


@dataclass(frozen=True)
class Assignment:
    """The words of a `config set`.

    Args:
        key: the key as typed.
        value: the value on the command line; None where it is asked for, or comes from stdin.
        secret: it is to be encrypted.
        as_path: the key is a path into a value, which only the engine takes apart.
    """

    key: str
    value: str | None
    secret: bool
    as_path: bool

    @classmethod
    def of(cls, words: Sequence[str]) -> Assignment | None:
        """From the words after `config`; None where they are something else."""
        if not words or words[0] != "set":
            return None
        rest = list(words[1:])
        end = rest.index("--") if "--" in rest else len(rest)
        options = [word for word in rest[:end] if word.startswith("-")]
        named = [word for word in rest[:end] if not word.startswith("-")] + rest[end + 1 :]
        if not set(options) <= {"--secret", "--plaintext", "--path"} or not 1 <= len(named) <= 2:
            return None
        value = named[1] if len(named) == 2 else None
        return cls(named[0], value, "--secret" in options, "--path" in options)


def config(stack: str, arguments: Sequence[str]) -> int:
    """`pulumi config ARGUMENTS`; with embedded defaults on this machine's copy of the stack file.

    Raises OpsError where a value is not sound; nothing is kept then.
    """
    os.umask(0o077)
    stack_state = state.of_stack(stack, os.environ, stackfile.ROOT)
    project = str(stackfile.read_project(stack_state.root)["name"])
    assignment = Assignment.of(arguments)
    value = _sound_value(assignment, stack_state, project) if assignment else None
    cli = engine.find_cli(stack_state)
    where = ["--stack", stack]
    if stack_state.embedded:
        prepare.write_copy(stack_state, *local_copy.next_copy(stack_state))
        engine.initialise(stack_state, cli, os.environ)
        where += ["--config-file", str(stack_state.config_file)]
    before = stack_state.config_file.read_bytes()
    content = stackfile.read(stack_state.config_file)
    known, was = _problems(content, project), stackfile.namespaced(content, project)
    removed = stackfile.full_key(arguments[1], project) if len(arguments) == 2 and arguments[0] == "rm" else ""
    if removed and removed not in was:
        raise OpsError(_nothing_to_remove(stack_state, arguments[1], removed, project))
    code = run.call_cli(stack_state, cli, ["config", *where, *arguments], typed=value)
    if code or not arguments or arguments[0] not in _CHANGING:
        return code
    content = stackfile.read(stack_state.config_file)
    new = [problem for problem in _problems(content, project) if problem not in known]
    if new:
        stack_state.config_file.write_bytes(before)
    _refuse(new, stack_state)
    if removed and stack_state.embedded:
        content = _fall_back(stack_state, removed, was[removed], content, project)
    _say_kept(stack_state, content, "changed" if removed else "kept")
    return code


def _nothing_to_remove(stack_state: StackState, typed: str, key: str, project: str) -> str:
    """Why a `config rm` has nothing to do."""
    tracked = stackfile.namespaced(stackfile.read(stack_state.tracked), project)
    if key in tracked:
        return f"nothing was removed: {visible(typed)} is removed here already; {_way_back(stack_state, key, tracked[key])}"
    return f"nothing was removed: {visible(typed)} is not set for stack {stack_state.stack!r}"


def _way_back(stack_state: StackState, key: str, tracked: Any) -> str:
    """How the tracked file's value of a key comes back that was removed on this machine."""
    project = str(stackfile.read_project(stack_state.root)["name"])
    name = key.removeprefix(f"{project}:")
    known = KEYS.get(name)
    value = str(tracked).lower() if isinstance(tracked, bool) else str(tracked)
    # A secret shows nowhere, neither one that stands in the file in plain text nor one within a URL.
    shown = known is not None and isinstance(tracked, str | int | float) and "@" not in value
    words = ["set", "--secret", name] if known and known.secret else ["set", name, value if shown else "VALUE"]
    where = f"{stack_state.tracked.name} still sets it"
    return f"{where}, and counts here again after: {fixes.config_words(stack_state, words)}"


def _fall_back(stack_state: StackState, key: str, was: Any, content: dict[str, Any], project: str) -> dict[str, Any]:
    """After a `config rm`: what was set on this machine alone gives way to the tracked file's value.

    Returns the content of the copy. A value of the tracked file itself is removed on this machine, which is said.
    """
    tracked = stackfile.namespaced(stackfile.read(stack_state.tracked), project)
    name = visible(key.removeprefix(f"{project}:"))
    if key not in tracked:
        return content
    if local_copy.same(was, tracked[key]):
        print(f"{name} is removed on this machine only: {_way_back(stack_state, key, tracked[key])}", flush=True)
        return content
    content = {**content, "config": {**stackfile.namespaced(content, project), key: tracked[key]}}
    prepare.write_copy(stack_state, content, ())
    print(f"{name} comes from {stack_state.tracked.name} again", flush=True)
    return content


def _sound_value(assignment: Assignment, stack_state: StackState, project: str) -> str | None:
    """The value, where it is not on the command line. Raises OpsError where it is none, or not sound."""
    name, equals, rest = assignment.key.partition("=")
    if equals and not assignment.as_path:
        known = KEYS.get(name.removeprefix(f"{project}:"))
        secret = assignment.secret or (known is not None and known.secret)
        words = ["set", "--secret", name] if secret else ["set", name, rest if known and rest else "VALUE"]
        raise OpsError(
            f"nothing was kept: write {fixes.config_words(stack_state, words)}, with a space between key and value"
        )
    key = stackfile.full_key(assignment.key, project)
    if not assignment.as_path:
        # What no value would set right comes before one is asked for.
        shape = {"secure": ""} if assignment.secret else "[]"
        found = _problems({"config": {key: shape}}, project)
        _refuse([one for one in found if one.given is None], stack_state)
    value = assignment.value if assignment.value is not None else _typed(assignment)
    if not value:
        words = ["set", *(["--secret"] if assignment.secret else []), assignment.key]
        words += [] if assignment.secret else ["VALUE"]
        ways = " asks for it in a terminal, and takes it from a file by < FILE" if assignment.secret else ""
        raise OpsError(
            f"nothing was kept: no value given for {visible(assignment.key)}; {fixes.config_words(stack_state, words)}{ways}"
        )
    if not assignment.as_path:
        _refuse(value_problems({key: value}, {key} if assignment.secret else (), project), stack_state)
    return value if assignment.value is None else None


def _refuse(problems: Sequence[Problem], stack_state: StackState) -> None:
    """Raises OpsError with the problems, where there are any."""
    if problems:
        raise OpsError(f"nothing was kept: {'; '.join(_one_line(one, stack_state) for one in problems)}")


def _typed(assignment: Assignment) -> str:
    """The value from the terminal, a secret unseen, or from stdin; without the line's end. Raises OpsError."""
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        with contextlib.suppress(EOFError):
            return getpass.getpass("value: ") if assignment.secret else input("value: ")
        return ""
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise OpsError(f"nothing was kept: the value of {visible(assignment.key)} is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _problems(content: Mapping[str, Any], project: str) -> list[Problem]:
    """What is wrong with the values of a stack file each by itself."""
    found = stackfile.engine_config({**content, "environment": None}, {"name": project})
    return value_problems(found.values, found.secret_keys, project)


def _one_line(problem: Problem, stack_state: StackState) -> str:
    """One problem in one line, with the command that sets it right."""
    head = visible(problem.key) + (f" is {visible(problem.given)}," if problem.given is not None else ":")
    parts = [one for one in (problem.reason, problem.allowed and f"allowed: {problem.allowed}") if one]
    parts += [] if problem.remove else [fixes.config_words(stack_state, problem.config_arguments)]
    return f"{head} {'; '.join(parts)}"


def _say_kept(stack_state: StackState, content: Mapping[str, Any], done: str) -> None:
    """Where the value is, and whether the configuration is sound with it."""
    refused = None
    if not content.get("environment"):  # whose values only the engine sees
        try:
            preflight.check_settings(stack_state.stack, content, stack_state.root)
        except SettingsError as error:
            refused = error
    if stack_state.embedded:
        up = fixes.make(stack_state.stack, "up")
        then = "with it there is more to set before" if refused else f"{up} applies it"
        then += f" {up}" if refused else ""
        print(f"{done} in {DIRECTORY}/{stack_state.config_file.name}, on this machine only; {then}", flush=True)
    for problem in refused.problems if refused else ():
        print(f"warning: {_one_line(problem, stack_state)}", file=sys.stderr)
