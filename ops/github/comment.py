"""The comment on a pull request, made of a review that the pull request's own code wrote.

Owns its text. The review arrives as JSON from a stranger: it is taken apart into plain values of bounded size, and only
then laid out (`ops.review.text`), so that nothing in it is markup here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ops.review import text
from ops.review.difference import Change
from ops.unattended import foreseen
from ops.unattended.foreseen import Foreseen

MARK: Final = "<!-- plan of each stack -->"
"""The first line, by which the comment is found again."""
PREVIEW_MARK: Final = "<!-- preview of each stack -->"
"""The same of the engine's previews."""
LIMIT: Final = 60_000
"""Characters; GitHub takes 65,536."""
_KINDS: Final = ("refused", "removed", "changed", "added", "same")
_MOST: Final = 200
_LONGEST: Final = 2_000
_LEAST: Final = (
    ("the drawings", ("drawing",)),
    ("warnings and what else changes", ("warnings_new", "warnings_gone", "details")),
    ("the settings", ("settings",)),
)
"""What goes first where the comment is too long, and the fields of a change that it stands in."""
_EMPTY: Final = dataclasses.asdict(Change("", "same"))
_OWN_CODE: Final = "Made by the pull request's own code, which can make it say anything: look at the code as well."


class UnusableReview(ValueError):
    """Why a review cannot be shown, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The workflow run that made the review, as GitHub itself has it."""

    commit: str
    url: str
    conclusion: str
    base: str
    """The branch that the pull request goes to."""


def body(run: Run, review: bytes | None) -> str:
    """The comment; one for a run that failed or left no review replaces an older one all the same.

    Args:
        run: the run.
        review: its JSON; None where there is none.
    """
    head = [MARK, "", f"**Review** of {text.code(run.commit)} ([run]({run.url}), {text.escaped(run.conclusion)})", ""]
    try:
        changes, beside = _taken_apart(review)
    except UnusableReview as error:
        return "\n".join([*head, f"**There is no review of this commit: {error}.** The run says why."])
    results = [f"{_result(one)} {text.code(one.stack)}" for one in changes]
    room = LIMIT - sum(map(len, head)) - 500
    left_out: list[str] = []
    lines = [", ".join(results), "", *text.as_markdown(run.base, changes, beside).splitlines()]
    for what, fields in _LEAST:
        if len("\n".join(lines)) <= room:
            break
        left_out.append(what)
        changes = [dataclasses.replace(one, **{name: _EMPTY[name] for name in fields}) for one in changes]
        lines = [", ".join(results), "", *text.as_markdown(run.base, changes, beside).splitlines()]
    lines = cut(lines, room)
    if left_out:
        lines += ["", f"Left out for its length: {', '.join(left_out)}. The [run]({run.url}) has all of it."]
    return "\n".join([*head, *lines, "", _OWN_CODE])


def pending(mark: str, commit: str) -> str:
    """The comment while there is no review, or preview, of the newest commit: the one before is of another."""
    what = "preview" if mark == PREVIEW_MARK else "review"
    return f"{mark}\n\n**There is no {what} of {text.code(commit)} yet.** It takes this place once its run is done."


def is_of(text_there: str, commit: str) -> bool:
    """Whether a comment is about the commit, by its own third line: what comes after may name any."""
    return text.code(commit) in "".join(text_there.splitlines()[2:3])


def previews(commit: str, url: str, found: Sequence[Foreseen]) -> str:
    """The comment with the engine's own preview of each stack, those that have none first."""
    ordered = sorted(found, key=lambda one: (not one.errors, not one.steps, one.stack))
    results = ", ".join(f"{text.code(one.stack)}: {one.head}" for one in ordered)
    lines = [results, ""]
    for one in ordered:
        if one.errors or one.steps:
            lines += [*foreseen.as_markdown(one).splitlines(), ""]
    head = [PREVIEW_MARK, "", f"**Preview** of {text.code(commit)} against what is deployed ([run]({url}))", ""]
    return "\n".join([*head, *cut(lines, LIMIT - sum(map(len, head)) - 200)]).rstrip()


def _result(change: Change) -> str:
    if change.kind == "removed":
        return "REMOVED"
    return "REFUSED" if change.kind == "refused" else "BREAKS A RULE" if change.must_not_be else "PASS"


def cut(lines: Sequence[str], room: int) -> list[str]:
    """The first lines that fit, and how many did not. A line is whole or not there, so no code span stays open."""
    kept: list[str] = []
    for number, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return [*kept, "", f"Cut here: {len(lines) - number} more lines; the run has the whole text."]
        kept.append(line)
    return kept


def _taken_apart(review: bytes | None) -> tuple[list[Change], list[str]]:
    """The review as values of known kinds and sizes, in the order of their weight, and what it names beside the stacks.

    Raises UnusableReview.
    """
    if review is None:
        raise UnusableReview("the run left none")
    try:
        content = json.loads(review)
    except (ValueError, RecursionError):
        raise UnusableReview("what the run left is no JSON") from None
    stacks = content.get("stacks") if isinstance(content, dict) else None
    if not isinstance(stacks, list) or not all(isinstance(one, dict) for one in stacks):
        raise UnusableReview("what the run left has another shape")
    if len(stacks) > _MOST:
        raise UnusableReview(f"it has more than {_MOST} stacks")
    beside = content.get("beside", [])
    if not isinstance(beside, list):
        raise UnusableReview("what the run left has another shape")
    changes = sorted(map(_change, stacks), key=lambda one: _KINDS.index(one.kind))
    return changes, list(map(_text, beside[:_MOST]))


def _change(given: Mapping[str, Any]) -> Change:
    change = Change(
        _text(given.get("stack")),
        _text(given.get("kind")),
        refused=_text(given.get("refused", "")),
        drawing=_text(given.get("drawing", "")),
    )
    if change.kind not in _KINDS:
        raise UnusableReview("what the run left has another shape")
    for field in dataclasses.fields(Change):
        if isinstance(getattr(change, field.name), list):
            items = given.get(field.name, [])
            if not isinstance(items, list):
                raise UnusableReview("what the run left has another shape")
            setattr(change, field.name, [_item(field.name, one) for one in items[:_MOST]])
    return change


def _item(name: str, given: Any) -> Any:
    if name != "settings":
        return _text(given)
    if not isinstance(given, list) or len(given) != 3:
        raise UnusableReview("what the run left has another shape")
    return tuple(map(_text, given))


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise UnusableReview("what the run left has another shape")
    return given[:_LONGEST]
