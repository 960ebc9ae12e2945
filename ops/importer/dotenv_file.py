"""An `.env` file as docker-compose reads it.

There are two readers: docker-compose 1.29 has python-dotenv, Compose 2 and newer a Go reader of its own. They part on
variables within values, escapes, comments and broken lines. A value is taken where both read the same; where they do
not, the line is a fault, since nobody can tell which of the two an installation ran with.

Owns the grammar of both, `grammar_1` by python-dotenv itself. Does not look at the shell's environment, which beats the
file in both: what counts is what stands in the file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream
from dotenv.variables import parse_variables

from ops.errors import OpsError

MAX_SIZE: Final = 256 * 1024
"""Bytes of any file of text that is read; a real one has some thousand."""
_SPACE: Final = " \t"
_STRANGE: Final = re.compile(r"[^\S \t\n]|[\x00-\x08\x0e-\x1f\x7f]")
_ESCAPE: Final = re.compile(r"""\\(?:[abcfnrtv$"\\]|0[0-9]{0,3})""")
_ESCAPED: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}
_VARIABLE: Final = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?-)([^{}$]*))?\})")


@dataclass(frozen=True)
class Entry:
    """One variable of the file.

    Args:
        value: what docker-compose makes of it.
        line: where it stands, from 1 on; the last one where it stands there more than once.
    """

    value: str
    line: int


@dataclass(frozen=True)
class Fault:
    """One line that the readers take in different ways, or not at all.

    Args:
        line: from 1 on.
        name: the variable, empty where none can be told.
        reason: what they make of it, without the value.
    """

    line: int
    name: str
    reason: str


class _Unreadable(Exception):
    """What Compose 2 refuses, or what is not modelled here. The reason is the message."""


def text_of(path: Path) -> str:
    """A file of text. Raises OpsError where it is a directory, unreadable, too large or no UTF-8 text."""
    try:
        if path.is_dir():
            raise OpsError(f"{path} is a directory, and a file belongs there")
        if not path.is_file():
            raise OpsError(f"{path} is no file: give the path of one that exists")
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except (OSError, ValueError) as error:
        raise OpsError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_SIZE:
        raise OpsError(f"{path} is larger than {MAX_SIZE // 1024} KiB: give the file with the settings")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise OpsError(f"{path}:{line} is not UTF-8: save it in that encoding") from None
    if "\0" in text:
        raise OpsError(f"{path} is a binary file: give the file with the settings")
    return text


def read(text: str) -> tuple[dict[str, Entry], list[Fault]]:
    """The variables of an `.env` file, and the lines that have to be written in another way first."""
    if strange := _STRANGE.search(text.replace("\r\n", "\n")):
        line = text.replace("\r\n", "\n").count("\n", 0, strange.start()) + 1
        return {}, [Fault(line, "", "a control character or a space that is none to all readers")]
    first, faults, lines = _grammar_1(text)
    try:
        second: Mapping[str, str | None] = grammar_2(text)
    except _Unreadable as error:
        line, name, reason = error.args
        return {}, [*faults, Fault(line, name, reason)]
    broken = {fault.line for fault in faults}
    for name in dict.fromkeys([*first, *second]):
        one, other = first.get(name), second.get(name)
        line = lines.get(name, 1)
        if one != other and line not in broken:
            reason = "its readers (docker-compose 1 and 2) take it in different ways"
            if one is None and other is None:
                reason = "no value: docker-compose takes the shell's"
            faults.append(Fault(line, name, reason))
        elif one is None and line not in broken:
            faults.append(Fault(line, name, "no value: docker-compose takes the shell's"))
    bad = {fault.name for fault in faults}
    entries = {
        name: Entry(value, lines[name])
        for name, value in first.items()
        if value is not None and name not in bad and second.get(name) == value
    }
    return entries, sorted(faults, key=lambda fault: fault.line)


def _grammar_1(text: str) -> tuple[dict[str, str | None], list[Fault], dict[str, int]]:
    """As docker-compose 1.29 reads it: its values, the lines that it passes over, and the line of each name."""
    values: dict[str, str | None] = {}
    faults, lines = [], {}
    for binding in parse_stream(io.StringIO(text, newline=None)):  # as a file is read
        skipped = len(binding.original.string) - len(binding.original.string.lstrip())
        line = binding.original.line + binding.original.string[:skipped].count("\n")
        if binding.error:
            faults.append(
                Fault(line, "", "no NAME=VALUE: docker-compose 1 passes over it, 2 stops at it or reads another")
            )
        elif binding.key is not None:
            value = binding.value
            if value is not None:
                value = "".join(atom.resolve(values) for atom in parse_variables(value))
            values[binding.key] = value
            lines[binding.key] = line
    return values, faults, lines


def grammar_2(text: str) -> dict[str, str | None]:
    """As Compose 2 reads it (compose-go, dotenv/parser.go). Raises _Unreadable with line, name and reason."""
    source = text.replace("\r\n", "\n")
    values: dict[str, str | None] = {}
    for line, name, raw in _statements(source):
        values[name] = None if raw is None else _expanded(raw, values, line, name)
    return values


def _statements(source: str) -> Iterator[tuple[int, str, tuple[str, bool] | None]]:  # noqa: PLR0912 (one grammar)
    """Each variable with its line; its text, and whether variables in it count; None without a value."""
    at, line, counted = 0, 1, 0
    while True:
        while at < len(source) and source[at].isspace():
            at += 1
        if at == len(source):
            return
        line += source.count("\n", counted, at)
        counted = at
        end = source.find("\n", at)
        end = len(source) if end < 0 else end
        if source[at] == "#":
            at = end
            continue
        start = at
        if exported := re.compile(r"export\s+").match(source, at):
            if "\n" in exported[0]:
                raise _Unreadable(line, "", "export without a name")
            start = exported.end()
            if start == len(source):
                raise _Unreadable(line, "", "export without a name")
        key = re.compile(rf"[^\W{_SPACE}]|[][.\-{_SPACE}]", re.UNICODE)
        at = start
        while at < len(source) and key.match(source, at):
            at += 1
        name = source[start:at].rstrip()
        if at == len(source) or source[at] == "\n":
            if " " in name:
                raise _Unreadable(line, "", "Compose 2 does not take this line for NAME=VALUE")
            yield line, name, None
            continue
        if source[at] not in "=:" or not name or " " in name:
            raise _Unreadable(line, "", "Compose 2 does not take this line for NAME=VALUE")
        at += 1
        while at < len(source) and source[at] in _SPACE:
            at += 1
        if source[at : at + 1] in ("'", '"'):
            text, at = _quoted(source, at, line, name)
            yield line, name, text
        else:
            end = source.find("\n", at)
            end = len(source) if end < 0 else end
            yield line, name, (source[at:end].partition(" #")[0].rstrip(), True)
            at = min(end + 1, len(source))


def _quoted(source: str, at: int, line: int, name: str) -> tuple[tuple[str, bool], int]:
    """The text between quotes, and where it goes on behind them."""
    characters: list[str] = []
    quote, escaped = source[at], False
    for position in range(at + 1, len(source)):
        char = source[position]
        if char == quote and not escaped:
            text = "".join(characters)
            return (_unescaped(text, line, name) if quote == '"' else text, quote == '"'), position + 1
        if char != quote and not escaped and char == "\\":
            escaped = True
            continue
        characters += ["\\", char] if escaped and char != quote else [char]
        escaped = False
    raise _Unreadable(line, name, "a quote that is not closed")


def _unescaped(text: str, line: int, name: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        if match[0] == r"\$":
            return "$$"
        if match[0][1] not in _ESCAPED:
            raise _Unreadable(line, name, "an escape that the readers take in different ways")
        return _ESCAPED[match[0][1]]

    return _ESCAPE.sub(replaced, text)


def _expanded(raw: tuple[str, bool], values: Mapping[str, str | None], line: int, name: str) -> str:
    text, counts = raw
    if not counts or "$" not in text:
        return text
    if "$" in _VARIABLE.sub("", text):
        raise _Unreadable(line, name, "a $ that Compose 2 takes for a variable")

    def replaced(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        value = values.get(match[2] or match[3])
        if match[4] and (value is None or (match[4] == ":-" and not value)):
            return match[5]
        return value or ""

    return _VARIABLE.sub(replaced, text)
