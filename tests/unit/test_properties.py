"""The lines for the VideoService: what its reader gets out is what the settings say."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from components.config.checks import Invalid, jwt_name, jwt_secret
from components.stack.dns import hosts_entry
from components.stack.video_service import java_properties
from tests.values import load


def java_reads(text: str) -> dict[str, str]:
    """As java.util.Properties.load does for ISO 8859-1 text, without continued lines."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        units = re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), value.lstrip(" \t\f"))
        assert "\\" not in units
        found[name] = units.encode("utf-16", "surrogatepass").decode("utf-16")
    return found


def accepted(text: str) -> bool:
    try:
        jwt_name(text)
        jwt_secret(text.ljust(40, "x"))
    except Invalid:
        return False
    return True


@given(st.text(min_size=1, max_size=60).filter(accepted))
def test_java_reads_every_accepted_value_back(text: str) -> None:
    assert java_reads(java_properties({"name": text})) == {"name": text}


@given(st.text(max_size=60).filter(accepted))
def test_the_lines_are_printable_ascii(text: str) -> None:
    """Java reads a properties file as ISO 8859-1 unless told otherwise."""
    line = java_properties({"name": text})
    assert line.isascii()
    assert line.endswith("\n")
    assert line[:-1].isprintable()


def test_umlauts_and_emoji_are_escaped() -> None:
    assert java_properties({"a": "Ä€😀=:#!"}) == "a=\\u00c4\\u20ac\\ud83d\\ude00=:#!\n"


def test_the_line_for_the_hosts_file_names_address_and_host() -> None:
    assert hosts_entry(load(dockerHostAddress="192.168.1.5#10001,10.0.0.1")) == "192.168.1.5 onlineberatung.local"
    assert hosts_entry(load()) == "127.0.0.1 onlineberatung.local"
