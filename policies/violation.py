"""What is said of a rule that is broken, and whether it stops a change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from policies.resource import PROJECT

Level = Literal["mandatory", "advisory"]


@dataclass(frozen=True)
class Violation:
    """A rule that a resource breaks."""

    rule: str
    level: Level
    resource: str
    text: str


def told(violations: Iterable[Violation]) -> list[str]:
    """One line for each rule and what is wrong with it, with all resources that it is wrong with."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in violations:
        found.setdefault((one.rule, one.level, one.text), []).append(one.resource.removeprefix(f"{PROJECT}-"))
    return [f"{rule} ({level}): {', '.join(names)}: {text}" for (rule, level, text), names in found.items()]
