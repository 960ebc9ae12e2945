"""Exceptions of a stack from the rules: the text of the key `policyExceptions`, and whether one still counts.

Owns the grammar, `RULE until YYYY-MM-DD because REASON`, several with `;` between them. Does not own which rules there are
(`rules`). Imports the standard library alone, as the pack's environment has no more of this project's packages.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 366
"""Days that an exception may reach ahead: one without an end would be another rule."""
_ONE: Final = re.compile(
    r"(?P<rule>[a-z]+(?:-[a-z]+)*) until (?P<until>[0-9]{4}-[0-9]{2}-[0-9]{2}) because (?P<reason>[^;]{10,300})"
)


@dataclass(frozen=True)
class PolicyException:
    """One rule that need not hold for a while."""

    rule: str
    until: datetime.date
    """The last day."""
    reason: str

    def __str__(self) -> str:
        return f"{self.rule} until {self.until} because {self.reason}"

    def counts(self, today: datetime.date) -> bool:
        """Whether the rule is suspended today."""
        return today <= self.until <= today + datetime.timedelta(days=LONGEST)


def parse(text: str) -> tuple[PolicyException, ...]:
    """The exceptions in `text`. Raises ValueError with what is wrong with it."""
    found: list[PolicyException] = []
    for number, part in enumerate(filter(None, (one.strip() for one in text.split(";"))), 1):
        match = _ONE.fullmatch(" ".join(part.split()))
        if match is None:
            raise ValueError(f"number {number} of them has another form")
        try:
            until = datetime.date.fromisoformat(match["until"])
        except ValueError:
            raise ValueError(f"the date of number {number} does not exist") from None
        if any(one.rule == match["rule"] for one in found):
            raise ValueError(f"{match['rule']} stands there twice")
        found.append(PolicyException(match["rule"], until, match["reason"].strip()))
    if not found:
        raise ValueError("there is none in it")
    return tuple(found)
