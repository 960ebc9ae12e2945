"""How a problem of a stack file is fixed where make keeps the stack's state, in words that work as typed.

Owns which of the two files a value has to change in: the tracked one, or this machine's copy of it. A stack with a
backend of its own has one file, and plain `pulumi config` fixes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from components.config.problems import Problem, SettingsError, shell
from ops.project import local_copy, scalars, stackfile
from ops.project.state import StackState


def with_fixes(
    error: SettingsError,
    stack_state: StackState,
    tracked: Mapping[str, Any],
    judged: Mapping[str, Any] | None = None,
    note: str = "",
) -> SettingsError:
    """The same problems with the fixes that work for this stack.

    Args:
        error: what is wrong.
        stack_state: where the stack is.
        tracked: content of its tracked file.
        judged: content of the copy, where that was judged.
        note: what else to know, as the last line.
    """
    if not stack_state.embedded:
        return error
    names = {stackfile.full_key(str(name), error.project): name for name in tracked.get("config") or {}}
    copy = stackfile.namespaced(judged or {}, error.project)
    local_keys = {
        key
        for key, value in copy.items()
        if key not in names or not local_copy.same(value, tracked["config"][names[key]])
    }

    def fix(problem: Problem) -> str:
        if problem.step:
            return problem.step
        key = re.split(r"[.\[]", problem.key)[0] if problem.path else problem.key
        full = stackfile.full_key(key, error.project)
        command = config_command(stack_state.stack, problem.config_arguments)
        if problem.renamed:
            command += " && " + config_command(stack_state.stack, problem.renaming_arguments)
        if problem.secret:
            if full not in names or stackfile.has_secret(tracked["config"][names[full]]):
                return command
            remove = f"remove {problem.key} from {stack_state.tracked.name}"
            return remove if stackfile.has_secret(copy.get(full)) else f"{remove}, then: {command}"
        if full in local_keys or (problem.remove and full not in names):
            return command
        if problem.remove:
            change = (
                f"rename {shell([problem.key])} to {problem.renamed} in"
                if problem.renamed
                else f"remove {shell([problem.key])} from"
            )
            return f"{change} {stack_state.tracked.name}"
        place = names.get(full, full) + problem.key.removeprefix(key)
        return f"in {stack_state.tracked.name}: {place}: {scalars.scalar(problem.example or 'VALUE')}"

    return SettingsError(error.stack, error.project, error.problems, fix, note)


def config_words(stack_state: StackState, words: Sequence[str]) -> str:
    """The command that carries out the words of a `pulumi config` where the stack's state is."""
    if stack_state.embedded:
        return config_command(stack_state.stack, words)
    return shell(["pulumi", "config", "--stack", stack_state.stack, *words])


def config_command(stack: str, words: Sequence[str]) -> str:
    """`make config` with the words of a `pulumi config`; make takes a `$$` for one `$`."""
    return make(stack, "config", f"ARGS={shell([shell(words).replace('$', '$$')])}")


def make(stack: str, target: str, *rest: str) -> str:
    """The make command as an operator types it."""
    return " ".join(["make", target, *([] if stack == "dev" else [f"STACK={stack}"]), *rest])
