"""Text, numbers and lists: what every check is made of, and how a check refuses."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Final, TypeVar

from components.config.masking import masked

T = TypeVar("T", bound=Hashable)

_OFF: Final = "off no n f false 0 none nothing disable disabled never null nil undefined ~ -"
OFF: Final = frozenset(_OFF.split())
"""What people write for "there is none of it"."""
_ON: Final = frozenset(["on", "yes", "y", "t", "true", "1", "enable", "enabled"])
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Invalid(Exception):
    """A value that its key does not take.

    `allowed` completes the line "allowed: …", `reason` the line "problem: …" where that does not say it all; `given` replaces the value in the message where the value
    itself must not be shown (empty: nothing does); `example` is what was meant, where that is plain; with `remove` the key has to go.
    `parts` are the faults of a map's values, by their paths below the key.
    """

    def __init__(
        self,
        allowed: str,
        *,
        given: str | None = None,
        example: str = "",
        remove: bool = False,
        reason: str = "",
        parts: tuple[tuple[str, Invalid], ...] = (),
    ) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.given = given
        self.example = example
        self.remove = remove
        self.reason = reason
        self.parts = parts


def boolean(text: str) -> bool:
    """`true` or `false`; `1` and `0` as in an .env file are taken too."""
    value = {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
    if value is None:
        word = unquoted(text).lower()
        meant = "true" if word in _ON else "false" if word in OFF else ""
        raise Invalid("true or false", example=meant)
    return value


def integer(text: str, low: int, high: int) -> int:
    """A whole number of ASCII digits within bounds."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise Invalid(f"a whole number from {low} to {high}")
    return int(text)


def seconds_meant(text: str) -> list[str]:
    """`30s`, `1m` and `1 hour` in seconds."""
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*(s|m|h|secs?|seconds?|mins?|minutes?|hours?)\s*", text, re.IGNORECASE)
    return [str(int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2][0].lower()])] if found else []


def one_of(text: str, *choices: str, also: Mapping[str, str] | None = None) -> str:
    """One of these words.

    Args:
        text: the word.
        choices: those that are taken.
        also: other words, in lower case and letters alone, with the choice that each means.
    """
    if text not in choices:
        allowed = ", ".join(choices[:-1]) + " or " + choices[-1]
        by_letters = {**{_letters(choice): choice for choice in choices}, **(also or {})}
        raise Invalid(allowed, example=by_letters.get(_letters(text), ""))
    return text


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def is_off(text: str) -> bool:
    """Whether somebody wrote that there is to be none of it."""
    return unquoted(text).lower() in OFF


def unquoted(text: str) -> str:
    """`text` without blanks and quotes around it."""
    return text.strip().strip("\"'").strip()


def removable(check: Callable[[str], T]) -> Callable[[str], T]:
    """Decorates the check of a key that may be unset: a word such as `none` or `off` has to go and is no value."""

    @functools.wraps(check)
    def removing(text: str) -> T:
        if not is_off(text):
            return check(text)
        try:
            check(text)
        except Invalid as refused:
            refused.allowed += "; unset for none"
            refused.remove = True
            raise
        raise Invalid("unset for none", remove=True)

    return removing


def items(text: str, what: str, check: Callable[[str], T], *, placeholder: str = "") -> tuple[T, ...]:
    """The values of a comma list. The images do not trim spaces, so none may be there; each value stands once.

    Args:
        text: the list.
        what: what it is a list of, for the message.
        check: of one item.
        placeholder: for the fixing command, where what was meant by an item cannot be told.
    """
    listed = text.split(",")
    if any(item != item.strip() or not item for item in listed):
        allowed = f"a comma separated list of {what}; no spaces and no empty items"
        raise Invalid(allowed, example=_list_meant(text, check, placeholder))
    try:
        values = tuple(map(check, listed))
    except Invalid as refused:
        refused.example = _list_meant(text, check, placeholder)
        raise
    if len(set(values)) != len(values):
        once = ",".join(item for at, item in enumerate(listed) if values[at] not in values[:at])
        raise Invalid(f"a comma separated list of {what}; each one once", example=once)
    return values


def _list_meant(text: str, check: Callable[[str], Any], placeholder: str) -> str:
    """The whole list with what was meant by each item: one that cannot be told becomes the placeholder, none is lost."""
    separators = (",", "[,;]", r"[,;\s]+") if masked(text) == text else (",",)  # a part of a secret is one, too
    splits = [[item for item in map(str.strip, re.split(one, text)) if item] for one in separators]
    taken = [split for split in splits if all(meant(check, [item]) for item in split)]
    derived = [[proposed(check, item) for item in split] for split in splits]
    whole = (way for way in (*taken, *reversed(derived)) if way and all(way))
    partly = (way for way in derived if any(way))
    best = next(whole, None) or next(partly, derived[0])
    return ",".join(dict.fromkeys(item or placeholder or "VALUE" for item in best)) or placeholder


def proposed(check: Callable[[str], Any], text: str) -> str:
    """`text` where `check` takes it, or what its refusal proposes, where that can be taken; else empty."""
    try:
        check(text)
    except Invalid as refused:
        return meant(check, [refused.example] if refused.example else [])
    return text


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
    candidates: Callable[[str], Iterable[str]] = lambda _: (), placeholder: str = ""
) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Decorates a check: its refusal proposes the text without blanks and quotes around it, or in lower case, or else the
    first of the candidates that the check takes.

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
                    bare = unquoted(text)
                    tried = (bare, bare.lower(), *candidates(text))
                    refused.example = meant(check, filter(None, tried)) or placeholder
                raise

        return proposing

    return decorate
