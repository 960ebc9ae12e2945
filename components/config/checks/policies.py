"""Exceptions from the rules that a stack must keep."""

from __future__ import annotations

from components.config.checks.text import Invalid
from policies import exceptions


def policy_exceptions(text: str) -> str:
    """`RULE until YYYY-MM-DD because REASON`, several with a semicolon between them. Which rules there are, and whether one has
    ended, is judged where the rules are: that changes with the day."""
    try:
        return "; ".join(map(str, exceptions.parse(text)))
    except ValueError as error:
        raise Invalid(
            "RULE until YYYY-MM-DD because REASON of 10 to 300 characters, several with ; between them (docs/policies.md)",
            reason=str(error),
        ) from None
