"""A review in words: for a terminal, as Markdown, as JSON.

Owns the layout, and that no value of a stack file or of the program can be taken for markup or for lines of the review.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Sequence

from components.config.problems import visible
from ops.review.difference import CHANGED, Change

Style = Callable[[str], str]
_LONGEST = 400
_MARKUP = {ord(char): f"&#{ord(char)};" for char in "\\`*_{}[]<>#|~@&$"}
_MARKUP |= {ord(char): f"&#{ord(char)};&#8203;" for char in "@#"}
"""GitHub looks for mentions in what the entities have become: a space without width keeps name and number apart."""
_MARKUP_THERE = re.compile(r":(?=\S)|(?<=www)\.|^[-+=]|(?<=^\d)[.)]", re.IGNORECASE)
"""What is markup by its place alone."""


_LABEL = r"(?:[A-Za-z0-9 ,./_-]|<br/>)*"
_NODE = rf'[a-z]+(?:\["{_LABEL}"\]|\(\["{_LABEL}"\]\))?'
_DRAWN = re.compile(
    rf'flowchart TB| {{4}}subgraph host\["{_LABEL}"\]| {{4}}end| {{4,8}}{_NODE}| {{4}}[a-z]+ -\.?->\|"?{_LABEL}"?\| {_NODE}'
)
"""A line of a drawing (`ops.plan.drawing`): nothing of Mermaid's that links, styles or includes."""


def code(text: str) -> str:
    """A Markdown code span that `text` cannot leave."""
    line = visible(text)
    return _span(line)


def _span(line: str) -> str:
    ticks = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith(("`", " ")) or line.endswith(("`", " ")) or not line else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def escaped(text: str) -> str:
    """A line of text in Markdown in which nothing is markup, a mention, or a link."""
    return _MARKUP_THERE.sub(lambda match: f"&#{ord(match[0])};", plain(text).translate(_MARKUP))


def code_line(text: str) -> str:
    """The same with more room, for a message."""
    return _span(plain(text).strip()[:_LONGEST])


def as_terminal(base: str, changes: Sequence[Change], beside: Sequence[str] = ()) -> str:
    """For a terminal."""
    return "\n".join(_lines(base, changes, beside, visible, plain, bullet=""))


def as_markdown(base: str, changes: Sequence[Change], beside: Sequence[str] = ()) -> str:
    """For a comment: a list, values in code spans, all else escaped; the parts are drawn where they change."""
    return "\n".join(_lines(base, changes, beside, code, escaped, bullet="- "))


def as_json(base: str, changes: Sequence[Change], beside: Sequence[str] = ()) -> str:
    """For programs."""
    content = {"base": base, "beside": list(beside), "stacks": [dataclasses.asdict(one) for one in changes]}
    return json.dumps(content, indent=2)


def plain(text: str) -> str:
    """The text on one line, with nothing that a terminal obeys."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _lines(
    base: str, changes: Sequence[Change], beside: Sequence[str], value: Style, words: Style, *, bullet: str
) -> Iterator[str]:
    different = [one for one in changes if one.kind != "same"]
    if not different:
        yield f"No stack changes against {value(base)}."
        yield from _beside(beside, words, bullet)
        return
    count = f"{len(different)} of {len(changes)} stacks"
    yield f"{count} {'changes' if len(different) == 1 else 'change'} against {value(base)}:"
    yield from _beside(beside, words, bullet)
    for one in different:
        yield ""
        yield f"{'**' if bullet else ''}{value(one.stack)}: {_head(one)}{'**' if bullet else ''}"
        if bullet:
            yield ""
        indent = bullet or "  "
        for line in one.refused.splitlines():
            if line.strip():
                yield f"{indent}{code_line(line) if bullet else words(line)}"
        for text in one.people:
            yield f"{indent}People: {words(text)}"
        for key, old, new in one.settings:
            shown = "changed" if CHANGED in (old, new) else f"{value(old)} → {value(new)}"
            yield f"{indent}{value(key)}: {shown}"
        for label, roles in (
            ("replaced", one.replaced),
            ("changed in place", one.in_place),
            ("added", one.added),
            ("removed", one.removed),
        ):
            if roles:
                yield f"{indent}{label}: {words(', '.join(roles))}"
        for label, texts in (
            ("breaks the rule", one.rules_broken),
            ("keeps again the rule", one.rules_kept),
            ("changed", one.details),
            ("new warning", one.warnings_new),
            ("warning gone", one.warnings_gone),
        ):
            yield from (f"{indent}{label}: {words(text)}" for text in texts)
        if bullet and (drawing := _drawing(one)):
            yield from ("", "```mermaid", *drawing, "```")
    same = [one.stack for one in changes if one.kind == "same"]
    if same:
        yield ""
        yield f"No change: {', '.join(map(value, same))}"


def _beside(lines: Sequence[str], words: Style, bullet: str) -> Iterator[str]:
    if lines:
        yield ""
        yield from (f"{bullet}Look at the code: {words(line)}" for line in lines)


def _drawing(one: Change) -> list[str]:
    """The drawing with the new parts framed; nothing where it is none of ours."""
    lines = one.drawing.split("\n") if one.drawing else []
    if not lines or not all(map(_DRAWN.fullmatch, lines)):
        return []
    new = [role for role in one.added if re.fullmatch("[a-z]+", role)] if one.kind == "changed" else []
    return [*lines, *([f"    class {','.join(new)} new", "    classDef new stroke-width:4px"] if new else [])]


def _head(one: Change) -> str:
    return {
        "refused": "REFUSED",
        "removed": "the stack is removed",
        "added": "a new stack",
        "changed": "changes",
    }[one.kind]
