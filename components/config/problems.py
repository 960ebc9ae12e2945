"""What is wrong with a configuration, in words an operator can act on.

Owns the wording and layout of the message. Does not own the checks that find a problem.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.config.masking import masked

_SHOWN = 80


@dataclass(frozen=True)
class Problem:
    """One key that cannot be used as it is.

    Args:
        key: the configuration key; one with a namespace of its own, such as `docker:host`, carries it.
        given: what was given; credentials in it are masked. None for a secret or a missing value.
        allowed: what is allowed; empty where only the key's absence is, or where `reason` says it all.
        example: a value that would do, for the command that fixes it; left out where it has credentials in it.
        secret: the fixing command stores the value encrypted.
        path: the key is a path into a value, such as `docker:registryAuth[0].password`.
        remove: the key has to go rather than change.
        reason: why it is a problem, where what is allowed does not say it.
        renamed: the key that it should have been, which takes the value as it stands; with `remove`.
        step: what to do instead, where the fault is not in the value of the key.
    """

    key: str
    given: str | None
    allowed: str = ""
    example: str = ""
    secret: bool = False
    path: bool = False
    remove: bool = False
    reason: str = ""
    step: str = ""
    renamed: str = ""

    def __post_init__(self) -> None:
        if self.given is not None:
            object.__setattr__(self, "given", masked(self.given))
        if masked(self.example) != self.example:
            object.__setattr__(self, "example", "")

    @property
    def config_arguments(self) -> list[str]:
        """Arguments of `pulumi config` that fix it."""
        path = ["--path"] if self.path else []
        if self.remove:
            return ["rm", *path, *_positional(self.key)]
        if self.secret:
            return ["set", "--secret", *path, *_positional(self.key)]
        return ["set", *path, *_positional(self.key, self.example or "VALUE")]

    @property
    def renaming_arguments(self) -> list[str]:
        """Arguments of the second `pulumi config`, which gives the value to the key that was meant."""
        return ["set", *_positional(self.renamed, self.example)]


class SettingsError(Exception):
    """Every problem of a stack's configuration in one message.

    Args:
        stack: the stack's name.
        project: namespace of the keys that have none.
        problems: what is wrong.
        fix: how one of them is fixed, in words; unless given, by plain `pulumi`.
        note: what else to know, as the last line.
    """

    def __init__(
        self,
        stack: str,
        project: str,
        problems: Sequence[Problem],
        fix: Callable[[Problem], str] | None = None,
        note: str = "",
    ) -> None:
        self.stack = stack
        self.project = project
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = [f"the configuration of stack {stack!r} has {count}; nothing was created or changed."]
        for problem in problems:
            key = problem.key if ":" in problem.key else f"{project}:{problem.key}"
            lines += ["", f"  {visible(key)}"]
            if problem.given is not None:
                lines.append(f"    given:   {visible(problem.given)}")
            if problem.reason:
                lines.append(f"    problem: {problem.reason}")
            if problem.allowed:
                lines.append(f"    allowed: {problem.allowed}")
            lines.append(f"    fix:     {fix(problem) if fix else pulumi_command(problem, stack)}")
        lines += ["", note] if note else []
        super().__init__("\n".join(lines))


def pulumi_command(problem: Problem, stack: str) -> str:
    """The command that fixes it, as an operator types it; or what else to do."""
    command = problem.step or shell(["pulumi", "config", "--stack", stack, *problem.config_arguments])
    if problem.renamed:
        command += " && " + shell(["pulumi", "config", "--stack", stack, *problem.renaming_arguments])
    return command


def shell(words: Sequence[str]) -> str:
    """Words as an operator types them; what does not print as bash spells it."""
    return " ".join(shlex.quote(word) if word.isprintable() else f"$'{_escaped(word)}'" for word in words)


def _escaped(word: str) -> str:
    return "".join(char if char.isprintable() and char not in "\\'" else f"\\U{ord(char):08x}" for char in word)


def _positional(*words: str) -> list[str]:
    """The words so that none is taken for an option."""
    return ["--", *words] if any(word.startswith("-") for word in words) else list(words)


def visible(text: str) -> str:
    """`text` on one line, cut where it is long."""
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
