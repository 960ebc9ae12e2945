"""Scalars of a stack file that its readers take in different ways, and the spelling that all of them take alike.

The engine reads the file with Go's yaml.v3, which is neither YAML 1.1 nor 1.2: `010000` is 4096 there, `0815` is 815,
`1.50` is 1.5. An editor, a linter or another tool may read them otherwise again. Such a scalar has to be quoted, then
it is the text that stands there.

Owns which plain scalars these are. Does not own what a value means (`components.config`). The table in
tests/scalars.py is compared with the real engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

_ALIKE: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})|true|True|TRUE|false|False|FALSE|null|Null|NULL|~|")
"""Numbers, truth values and nulls of which every reader makes the same; 16 digits and more become floats in JSON."""

_NO_TEXT_TO_GO: Final = re.compile(
    r"""[-+]?[0-9][0-9_]*
    | [-+]?0[xX][0-9a-fA-F_]+ | [-+]?0[oO][0-7_]+ | [-+]?0[bB][-01_]+
    | [-+]?(\.[0-9]+ | [0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9_]+)?
    | [-+]?0[xX][0-9a-fA-F_]*(\.[0-9a-fA-F_]*)?[pP][-+]?[0-9_]+
    | [-+]?\.(inf|Inf|INF) | \.(nan|NaN|NAN)
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]\S*|\ [0-9]{1,2}:[0-9]{1,2}:\S*)?""",
    re.VERBOSE,
)
"""Numbers and dates of yaml.v3's resolve.go."""

_NO_TEXT_ELSEWHERE: Final = re.compile(
    r"""[yYnN] | yes|Yes|YES | no|No|NO | on|On|ON | off|Off|OFF
    | [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
    | [-+]?\.[0-9_]+([eE][-+]?[0-9]+)?
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[\sTt].*
    | << | =""",
    re.VERBOSE | re.DOTALL,
)
"""What is text to the engine and a truth value, number, date, merge or default in YAML 1.1 (yaml.org/type)."""

_SHOWN: Final = 60
_SWITCHES: Final = {
    **dict.fromkeys(("y", "yes", "on"), "true"),
    **dict.fromkeys(("n", "no", "off"), "false"),
}
_TAG: Final = "has a tag (!), which not every reader knows"
_MERGE: Final = "tag:yaml.org,2002:merge"
_BREAKS: Final = re.compile("[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True)
class Misread:
    """One scalar that has to be written in another way.

    Args:
        line: where it stands, from 1 on.
        key: the configuration key whose value it is or belongs to; empty for none.
        written: the scalar itself; it may be a secret.
        reason: what its readers make of it.
        fix: what to write instead, `{}` standing for the scalar in quotes.
        switch: `true` or `false` where the scalar is a word for it; else empty.
    """

    line: int
    key: str
    written: str
    reason: str
    fix: str
    switch: str = ""

    def message(self, *, shown: bool, meant: str = "") -> str:
        """Reason and fix.

        Args:
            shown: the scalar may be repeated.
            meant: what to write where its key takes it in quotes no more than without.
        """
        shown = shown and self.written != "" and self.written.isprintable() and len(self.written) <= _SHOWN
        what = self.written if shown else "a value"
        quoted = quoted_scalar(self.written) if shown else "it in double quotes"
        return f"{what} {self.reason}: write {meant or self.fix.format(quoted)}"


def misread(text: str, *, loader: Any, strict: bool = True) -> Iterator[Misread]:
    """The scalars of a YAML text that have to be written in another way.

    Args:
        text: the YAML text.
        loader: the YAML loader whose parser goes through it.
        strict: False for a file that the engine writes itself: what it takes for text it leaves without quotes.

    Raises:
        yaml.YAMLError: for what is no YAML.
    """
    path: list[_Level] = []
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.ScalarEvent):
            if path:
                path[-1].take(event.value)
            if problem := _problem(event, strict=strict):
                line = event.start_mark.line + 1 if event.start_mark else 0
                switch = _SWITCHES.get(event.value.lower(), "")
                yield Misread(line, _config_key(path), event.value, *problem, switch)
        elif isinstance(event, yaml.CollectionStartEvent):
            if path:
                path[-1].take("")
            if event.tag is not None:
                line = event.start_mark.line + 1 if event.start_mark else 0
                yield Misread(line, _config_key(path), "", _TAG, "it without the tag")
            path.append(_Level(mapping=isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            path.pop()
        elif isinstance(event, yaml.AliasEvent) and path:
            path[-1].take("")


class _Level:
    """One list or map on the way to a scalar."""

    def __init__(self, *, mapping: bool) -> None:
        self._mapping = mapping
        self._expects_key = mapping
        self.key = ""

    def take(self, text: str) -> None:
        """The next key, or the value of the last one."""
        if self._mapping:
            if self._expects_key:
                self.key = text
            self._expects_key = not self._expects_key


def _config_key(path: Sequence[_Level]) -> str:
    """The key below `config:`."""
    keys = [level.key for level in path]
    return keys[1] if len(keys) > 1 and keys[0] == "config" else ""


def _problem(event: Any, *, strict: bool) -> tuple[str, str] | None:
    """Reason and fix."""
    text, plain = event.value, event.implicit[0]
    if event.tag == _MERGE and text == "<<":
        return None  # as the engine writes the text << back
    if event.tag is not None:
        return _TAG, "{} without the tag"
    if _BREAKS.search(text) and (_BREAKS.match(text) or text.startswith("\t")):
        return "begins with an empty line or a tab, which the engine drops", "it from its first line on"
    return _plain_problem(text, strict=strict) if plain and not _ALIKE.fullmatch(text) else None


def _plain_problem(text: str, *, strict: bool) -> tuple[str, str] | None:
    """The same of a scalar without quotes."""
    if text == "<<":
        return "merges maps for some readers and is text for others", "the values themselves; as a text {}"
    if _NO_TEXT_TO_GO.fullmatch(text):
        return "is a number or date that not every reader takes alike", "{}"
    if strict and _NO_TEXT_ELSEWHERE.fullmatch(text):
        return "is no text for some readers of YAML and text for the engine", "{}"
    return None


def decimal(text: str) -> str:
    """The whole number that a person means by `0x1F90`, `0o17500`, `8_000` or `8e3`, in digits alone; empty for none."""
    bare = text.replace("_", "")
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|0[oO][0-7]{1,10}|0[bB][01]{1,30}|[1-9][0-9]{0,9}", bare):
        return str(int(bare, 0))
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?([eE]\+?[0-9])?", bare) and float(bare).is_integer():
        return str(int(float(bare)))
    return ""


def quoted_scalar(text: str) -> str:
    """`text` as a scalar that every reader takes for that text."""
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=float("inf")).removesuffix("\n")


def scalar(text: str) -> str:
    """`text` as a value of a stack file, without quotes where every reader takes it for that text all the same."""
    line = f"a: {text}\n"
    try:
        plain = not list(misread(line, loader=yaml.SafeLoader)) and yaml.safe_load(line)
    except yaml.YAMLError:
        plain = False
    value = plain["a"] if isinstance(plain, dict) and len(plain) == 1 and "a" in plain else None
    same = value == text or (isinstance(value, int) and json.dumps(value) == text)
    return text if same else quoted_scalar(text)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that is not plainly a word."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.:/-]*[A-Za-z0-9]", text) and not (
        _ALIKE.fullmatch(text) or _NO_TEXT_ELSEWHERE.fullmatch(text)
    )
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)


def dump(content: Any) -> str:
    """YAML of which every reader makes `content`."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
