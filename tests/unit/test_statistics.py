"""The statistics file: any text in, the same text out, as a real Lua reads it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.stack.statistics_file import lua_string, render_statistics_lua

INTERPRETERS: Final = [
    name for name in ("lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit") if shutil.which(name) is not None
] or [name for name in ("lua",) if shutil.which(name) is not None]

needs_lua = pytest.mark.skipif(not INTERPRETERS, reason="no Lua interpreter on PATH")

NASTY: Final = [
    "",
    '"',
    "\\",
    '\\"',
    "\\n",
    "a\nb\r\nc",
    "\x00",
    "\x001",
    "\x7f\x80\xff",
    "ä€😀",
    "]]",
    "--[[",
    "${x} $(y) `z` %s %2F",
    "\u2028\u2029\ufeff",
    "\ud800",
    "9" * 5000,
]


def read_back(interpreter: str, texts: list[str]) -> list[bytes]:
    """What Lua makes of the literals, all in one process."""
    literals = ",\n".join(lua_string(text) for text in texts)
    program = (
        f"for _, text in ipairs({{{literals}}}) do\n"
        "  io.write((text:gsub('.', function(char) return string.format('%02x', char:byte()) end)), '\\n')\n"
        "end\n"
    )
    run = subprocess.run([interpreter, "-"], input=program, capture_output=True, text=True, check=True)
    return [bytes.fromhex(line) for line in run.stdout.splitlines()]


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@needs_lua
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_lua_reads_nasty_texts_back(interpreter: str) -> None:
    assert read_back(interpreter, NASTY) == [as_bytes(text) for text in NASTY]


@needs_lua
@settings(max_examples=40)
@given(
    st.lists(
        st.text(st.characters(codec=None), max_size=40)
        | st.text(st.sampled_from("\"\\\n\r\x000123456789abfnrtvxzu{}[]'-"), max_size=40),
        min_size=1,
        max_size=40,
    )
)
def test_lua_reads_any_text_back(texts: list[str]) -> None:
    assert read_back(INTERPRETERS[-1], texts) == [as_bytes(text) for text in texts]


@given(st.text(st.characters(codec=None)))
def test_a_literal_is_one_line_of_printable_ascii(text: str) -> None:
    literal = lua_string(text)
    assert literal.isascii()
    assert literal.isprintable()


@needs_lua
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_whole_file_runs_and_sets_what_prosody_reads(interpreter: str, tmp_path: Path) -> None:
    password = 'p"a\\s\ns]]--'
    file = tmp_path / "statistics.cfg.lua"
    file.write_text(
        render_statistics_lua(
            enabled=True,
            url="http://mq:15672/api/exchanges/%2F/statistics.topic/publish",
            username="Jörg",
            password=password,
            conference_timeout=7,
        )
    )
    program = (
        f"dofile({lua_string(str(file))})\n"
        "for _, value in ipairs({tostring(enable_statistics), rabbit_url, rabbit_username, conference_timeout}) do\n"
        "  print(value)\nend\nio.write(rabbit_password)\n"
    )
    run = subprocess.run([interpreter, "-"], input=program.encode(), capture_output=True, check=True)
    *lines, last = run.stdout.decode().split("\n", 4)
    assert lines == ["true", "http://mq:15672/api/exchanges/%2F/statistics.topic/publish", "Jörg", "7"]
    assert last == password


def test_the_file_is_the_reviewed_one(golden: Callable[[str, str], None]) -> None:
    golden("statistics_off.cfg.lua", render_statistics_lua(enabled=False))
    on = render_statistics_lua(
        enabled=True,
        url="http://mq:15672/api/exchanges/%2F/statistics.topic/publish",
        username="statistics",
        password='quo"te back\\slash Ä',
        conference_timeout=60,
    )
    golden("statistics_on.cfg.lua", on)


def test_without_statistics_the_file_names_no_broker() -> None:
    text = render_statistics_lua(enabled=False, url="http://mq", username="user", password="secret")
    assert "rabbit" not in text
    assert "secret" not in text
