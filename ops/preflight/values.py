"""Whether the values of a stack file are the operator's own: sound, decryptable, and no example of the documentation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from components.config.examples import examples as of_documentation
from components.config.load import load_all, misplaced
from components.config.problems import Problem, SettingsError
from components.config.settings import Settings
from ops.project import fixes, stackfile
from ops.project.stackfile import StackConfig
from ops.project.state import StackState


def check_settings(stack: str, content: Mapping[str, Any], root: Path) -> Settings:
    """The stack's settings, encrypted values aside. Raises SettingsError with every problem."""
    project = stackfile.read_project(root)
    config = stackfile.engine_config(content, project)
    return load_all(config.values, stack=stack, secret_keys=config.secret_keys, project=project["name"])


def check_all(
    stack_state: StackState,
    tracked: Mapping[str, Any],
    content: Mapping[str, Any],
    *,
    own: bool,
    found: Collection[str] = (),
) -> Settings:
    """The stack's settings, or all that stands against them in one error.

    What must not stand in the tracked file is refused even where the copy makes it good.

    Args:
        stack_state: the stack.
        tracked: content of its tracked file.
        content: content of the file that the engine gets.
        own: examples of the documentation are refused, too.
        found: addresses that are this machine's own, although they look like examples.

    Raises:
        SettingsError: in the words for this stack.
    """
    project = stackfile.read_project(stack_state.root)
    name = str(project["name"])
    config = stackfile.engine_config(tracked, project)
    problems = misplaced(config.values, config.secret_keys, name)
    problems += placeholders(stackfile.namespaced(content, name), name)
    if own:
        here = {repr(one) for one in found}
        candidates = examples(stackfile.engine_config(content, project), name)
        problems += [one for one in candidates if one.key != "dockerHostAddress" or one.given not in here]
    try:
        settings = check_settings(stack_state.stack, content, stack_state.root)
        if not problems:
            return settings
    except SettingsError as error:
        known = {one.key for one in error.problems}
        problems = [*error.problems, *(one for one in problems if one.key not in known)]
    raise fixes.with_fixes(SettingsError(stack_state.stack, name, problems), stack_state, tracked, content)


def placeholders(config: Mapping[str, Any], project: str) -> list[Problem]:
    """Encrypted values that no engine could decrypt: its own message would not name the key."""
    reason = "a placeholder, or cut short: no engine can decrypt it"
    return [
        Problem(key.removeprefix(f"{project}:"), None, "an encrypted value", secret=True, reason=reason)
        for key, value in config.items()
        if isinstance(value, dict) and set(value) == {"secure"} and not stackfile.is_ciphertext(value["secure"])
    ]


def examples(config: StackConfig, project: str) -> list[Problem]:
    """Values of the documentation in it, encrypted ones aside."""
    plain = {key: value for key, value in config.values.items() if key not in config.secret_keys}
    return of_documentation(plain, project)
