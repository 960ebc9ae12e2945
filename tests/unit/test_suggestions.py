"""Near names: offered where they are near, and only there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from components.config.keys import KEYS
from components.config.suggestions import nearest
from components.config.tables import prosody_modules

SPELLINGS = {spelling: name for name, key in KEYS.items() for spelling in (name, key.env) if spelling}
MODULES = prosody_modules.PROJECT | prosody_modules.IMAGE | prosody_modules.PROSODY


@pytest.mark.parametrize(
    ("written", "known", "meant"),
    [
        ("publicURL", SPELLINGS, "publicUrl"),
        ("pulbicUrl", SPELLINGS, "publicUrl"),
        ("httpsport", SPELLINGS, "httpsPort"),
        ("dockerHostAdress", SPELLINGS, "dockerHostAddress"),
        ("muc_modules", SPELLINGS, "xmppMucModules"),
        ("jwtSecret", SPELLINGS, "jwtAppSecret"),
        ("TURN_CREDENTIALS", SPELLINGS, "turnSecret"),
        ("close_rom", MODULES, "close_room"),
        ("close-room", MODULES, "close_room"),
        ("token_moderator", MODULES, "token_moderation"),
        ("token", ["apiToken", "apiKey"], "apiToken"),
        ("confg", ["config", "environment"], "config"),
    ],
)
def test_a_name_that_is_near_is_offered(written: str, known: Iterable[str], meant: str) -> None:
    assert nearest(written, known) == meant


@pytest.mark.parametrize(
    "written",
    [
        "ENABLE_HSTS",
        "ENABLE_RECORDING",
        "ENABLE_IPV6",
        "JVB_TCP_PORT",
        "LETSENCRYPT_DOMAIN",
        "XMPP_MODULES",
        "port",
        "tls",
        "secret",
        "qqqqqqqq",
        "",
        "-",
    ],
)
def test_a_name_that_only_looks_alike_is_not(written: str) -> None:
    known = {spelling: name for spelling, name in SPELLINGS.items() if spelling != written}
    assert nearest(written, known) is None


def test_of_two_names_that_are_equally_near_none_is_offered() -> None:
    assert nearest("abX", ["abc", "abd"]) is None
    assert nearest("abX", {"abc": "one", "abd": "one"}) == "one"


def test_the_table_of_the_projects_modules_is_its_plugins() -> None:
    folder = Path(__file__).resolve().parents[2] / "prosody" / "plugins"
    assert {path.stem.removeprefix("mod_") for path in folder.glob("mod_*.lua")} == prosody_modules.PROJECT
