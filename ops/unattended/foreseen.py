"""What the engine foresees for a stack, as a file from one job to the next and as text.

Owns that file's shape, and that whatever stands in one can be shown: it is taken apart into plain values of bounded size
before it is laid out. Of a resource there is what happens to it, its name and type, and why; never a value.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ops.review import text

_OPS: Final = {
    "create": "created",
    "update": "changed in place",
    "replace": "replaced",
    "delete": "deleted",
    "read": "read",
    "import": "imported",
    "discard": "forgotten",
}
"""What the engine calls a step (pulumi, pkg/resource/deploy/step.go), in words."""
_PASSED_OVER: Final = (
    "same",
    "refresh",  # each resource has one with --refresh; what it found out shows in the step after it
    "create-replacement",  # these are parts of a `replace`
    "delete-replaced",
    "remove-pending-replace",
    "discard-replaced",
    "read-replacement",
)
_MOST: Final = 500
_LONGEST: Final = 1_000
_LARGEST: Final = 2_000_000


@dataclass(frozen=True)
class Step:
    """One resource that does not stay as it is."""

    op: str
    type: str
    name: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Foreseen:
    """A stack's preview, or why there is none.

    Args:
        stack: its name.
        steps: what would change.
        errors: why there is no preview; lines as the engine or `ready` said them.
        failed: checks of the running stack that failed, where it was asked (`ops.verify`).
    """

    stack: str
    steps: tuple[Step, ...] = ()
    errors: tuple[str, ...] = ()
    failed: tuple[str, ...] = field(default=())

    @property
    def head(self) -> str:
        """The result in a few words."""
        if self.errors:
            return "no preview"
        words = list(map(_word, self.steps))
        return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words)) or "no change"


def of_preview(stack: str, digest: Mapping[str, Any]) -> Foreseen:
    """From what `pulumi preview --json` prints."""
    steps = []
    for one in digest.get("steps") or []:
        op, kind, name = one["op"], *_named(one["urn"])
        if op in _PASSED_OVER:
            continue
        reasons = one.get("replaceReasons") or one.get("diffReasons") or sorted(one.get("detailedDiff") or {})
        steps.append(Step(op, kind, name, tuple(map(str, reasons))))
    return Foreseen(
        stack, tuple(sorted(steps, key=lambda one: (list(_OPS).index(one.op) if one.op in _OPS else 99, one.name)))
    )


def _named(urn: str) -> tuple[str, str]:
    """Type and name of a URN, `urn:pulumi:STACK::PROJECT::PARENTS$TYPE::NAME`."""
    parts = urn.split("::", 3)
    return parts[2].rpartition("$")[2], parts[3]


def write(found: Foreseen, path: Path) -> None:
    """Keeps it for the next job."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")


def read(path: Path, stack: str) -> Foreseen:
    """What another job left, whatever that is: a file that cannot be used is one more reason why there is no preview."""
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            raise ValueError
        given = json.loads(path.read_text(encoding="utf-8"))
        return Foreseen(
            stack,
            tuple(
                Step(_text(one["op"]), _text(one["type"]), _text(one["name"]), tuple(map(_text, one["reasons"][:20])))
                for one in given["steps"][:_MOST]
            ),
            tuple(map(_text, given["errors"][:_MOST])),
            tuple(map(_text, given["failed"][:_MOST])),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Foreseen(stack, errors=("its job left nothing that can be shown; the run says why",))


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError
    return given[:_LONGEST]


def as_text(found: Foreseen) -> str:
    """For a log, in which no line is taken for a command of the runner's (`::`)."""
    return "\n".join([f"{text.plain(found.stack)}: {found.head}", *(f"  - {one}" for one in _lines(found, text.plain))])


def as_markdown(found: Foreseen) -> str:
    """For a comment, an issue or a job's summary: whatever is not ours in code spans."""
    return "\n".join(
        [f"**{text.code(found.stack)}: {found.head}**", "", *(f"- {one}" for one in _lines(found, text.code_line))]
    )


def _lines(found: Foreseen, shown: text.Style) -> Iterator[str]:
    yield from map(shown, found.errors)
    for one in found.steps:
        why = f" ({', '.join(map(shown, one.reasons))})" if one.reasons else ""
        yield f"{_word(one)}: {shown(one.name)}{why}"
    yield from (f"verify: {shown(line)}" for line in found.failed)


def _word(step: Step) -> str:
    return _OPS.get(step.op, "changed otherwise")


def hidden(lines: Sequence[str], secrets: Sequence[str]) -> tuple[str, ...]:
    """The lines without the values that are nobody's to see."""
    shown = []
    for line in lines:
        kept = line
        for secret in secrets:
            for part in filter(lambda one: len(one) > 3, secret.splitlines()):
                kept = kept.replace(part, "***")
        shown.append(kept)
    return tuple(shown)
