"""Text, numbers and lists: what every check is made of, and how a check refuses."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, TypeVar

T = TypeVar("T", bound=Hashable)

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Invalid(Exception):
    """A value that its key does not take.

    `allowed` completes the line "allowed: …", `reason` the line "problem: …" where that does not say it all; `given` replaces the value in the message where the value
    itself must not be shown; `example` is what was meant, where that is plain; with `remove` the key has to go.
    """

    def __init__(
        self, allowed: str, *, given: str | None = None, example: str = "", remove: bool = False, reason: str = ""
    ) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.given = given
        self.example = example
        self.remove = remove
        self.reason = reason


def boolean(text: str) -> bool:
    """`true` or `false`; `1` and `0` as in an .env file are taken too."""
    value = {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
    if value is None:
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        raise Invalid("true or false", example=meant.get(text.lower(), ""))
    return value


def integer(text: str, low: int, high: int) -> int:
    """A whole number of ASCII digits within bounds."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise Invalid(f"a whole number from {low} to {high}")
    return int(text)


def one_of(text: str, *choices: str) -> str:
    """One of these words."""
    if text not in choices:
        allowed = ", ".join(choices[:-1]) + " or " + choices[-1]
        raise Invalid(allowed, example=text.lower() if text.lower() in choices else "")
    return text


def items(text: str, what: str, check: Callable[[str], T], *, placeholder: str = "") -> tuple[T, ...]:
    """The values of a comma list. The images do not trim spaces, so none may be there; each value stands once.

    Args:
        text: the list.
        what: what it is a list of, for the message.
        check: of one item.
        placeholder: for the fixing command, where what was meant cannot be told.
    """
    listed = text.split(",")
    if any(item != item.strip() or not item for item in listed):
        trimmed = [item.strip() for item in listed if item.strip()]
        known = all(meant(check, [item]) for item in trimmed)
        example = ",".join(dict.fromkeys(trimmed)) if known else placeholder
        raise Invalid(f"a comma separated list of {what}; no spaces and no empty items", example=example)
    values = tuple(map(check, listed))
    if len(set(values)) != len(values):
        once = ",".join(item for at, item in enumerate(listed) if values[at] not in values[:at])
        raise Invalid(f"a comma separated list of {what}; each one once", example=once)
    return values


def meant(check: Callable[[str], Any], candidates: Iterable[str]) -> str:
    """The first of the candidates that `check` takes; empty where it takes none."""
    for candidate in candidates:
        try:
            check(candidate)
        except Invalid:
            continue
        return candidate
    return ""


def example_from(
    candidates: Callable[[str], Iterable[str]], placeholder: str = ""
) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Decorates a check: its refusal proposes the first of the candidates that it takes.

    Args:
        candidates: from a refused text what may have been meant; never anything of another host or name.
        placeholder: where it takes none of them.
    """

    def decorate(check: Callable[[str], T]) -> Callable[[str], T]:
        @functools.wraps(check)
        def proposing(text: str) -> T:
            try:
                return check(text)
            except Invalid as refused:
                if not refused.example and not refused.remove:
                    refused.example = meant(check, filter(None, candidates(text))) or placeholder
                raise

        return proposing

    return decorate
