"""What is wrong with a configuration, in words an operator can act on.

Owns the wording and layout of the message. Does not own the checks that find a problem.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

_SHOWN = 80


@dataclass(frozen=True)
class Problem:
    """One key that cannot be used as it is.

    Args:
        key: the configuration key; one with a namespace of its own, such as `docker:host`, carries it.
        given: what was given, ready to show; None for a secret or a missing value.
        allowed: what is allowed.
        example: a value that would do, for the command that mends it.
        secret: the mending command stores the value encrypted.
        path: the key is a path into a value, such as `docker:registryAuth[0].password`.
        remove: the key has to go rather than change.
    """

    key: str
    given: str | None
    allowed: str
    example: str = ""
    secret: bool = False
    path: bool = False
    remove: bool = False

    @property
    def mend(self) -> str:
        """The command that mends it."""
        name = self.key if re.fullmatch(r"[A-Za-z0-9_.:-]+", self.key) else repr(self.key)
        if self.remove:
            return f"pulumi config rm {name}"
        if self.secret:
            return f"pulumi config set --secret {'--path ' if self.path else ''}{name}"
        return f"pulumi config set {name} {self.example or 'VALUE'}"


class SettingsError(pulumi.RunError):
    """Every problem of a stack's configuration in one message. Pulumi shows it without a traceback."""

    def __init__(self, stack: str, project: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = [f"the configuration of stack {stack!r} has {count}; nothing was created or changed."]
        for problem in problems:
            key = problem.key if ":" in problem.key else f"{project}:{problem.key}"
            lines += ["", f"  {_visible(key)}"]
            if problem.given is not None:
                lines.append(f"    given:   {_visible(problem.given)}")
            lines += [f"    allowed: {problem.allowed}", f"    mend:    {problem.mend}"]
        super().__init__("\n".join(lines))


def _visible(text: str) -> str:
    """`text` on one line, cut where it is long."""
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
