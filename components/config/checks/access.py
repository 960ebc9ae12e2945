"""Who gets in: tokens, passwords, accounts, the rooms' modules, the broker's user.

Owns the characters that the Jitsi images, Prosody, coturn, RabbitMQ and the VideoService can carry.
docs/values.md lists the places where each of them ends up.
"""

from __future__ import annotations

import re
from typing import Final

from components.config.checks.text import (
    CONTROL,
    Invalid,
    example_from,
    integer,
    is_off,
    items,
    one_of,
    removable,
    seconds_meant,
    unquoted,
)
from components.config.suggestions import nearest
from components.config.tables import prosody_modules

JWT_SECRET_MIN_BYTES: Final = 32
"""HS256 needs a key at least as long as its hash (RFC 7518, 3.2)."""
PASSWORD_MIN_LENGTH: Final = 12
PASSWORD_MAX_LENGTH: Final = 256
PASSWORD_CHARACTERS: Final = "A-Za-z0-9._~+/=:@%,-"
NOT_FIRST_IN_PASSWORD: Final = "-=:"
"""A hyphen begins an option, a colon a method of prosodyctl's shell; coturn drops an equals sign."""

_MODULES: Final = prosody_modules.PROJECT | prosody_modules.IMAGE | prosody_modules.PROSODY


def auth_type(text: str) -> str:
    """How users sign in; the images know more ways, whose own settings this program does not carry."""
    if is_off(text) or unquoted(text).lower() in ("anonymous", "guest", "open"):
        raise Invalid("jwt or internal; for rooms without sign-in enableAuth is false and authType unset", remove=True)
    return one_of(text, "jwt", "internal")


def modules(text: str) -> tuple[str, ...]:
    """Comma list of Prosody modules that the prosody container has."""
    return items(text, "module names", _module)


def _module_meant(text: str) -> list[str]:
    """Without the prefix, or the near name of an unknown one."""
    plain = text.strip().removeprefix("mod_").lower().replace("-", "_")
    return [plain, nearest(plain, _MODULES) or ""] if plain not in prosody_modules.ELSEWHERE else []


@example_from(_module_meant)
def _module(item: str) -> str:
    if not re.fullmatch(r"(?!mod_)[a-z0-9_]+", item):
        raise Invalid("module names of lower-case letters, digits and _, without the prefix mod_")
    if item in prosody_modules.ELSEWHERE:
        raise Invalid(f"modules of rooms; {item} belongs elsewhere in prosody, where it is loaded if it is needed")
    if item not in _MODULES:
        near = nearest(item, _MODULES)
        hint = f"did you mean {near}?" if near else "Prosody would only log that it is missing"
        raise Invalid(f"modules that the project or the prosody image has; no module {item}: {hint}")
    return item


@example_from()
def jwt_names(text: str) -> tuple[str, ...]:
    """Comma list of issuers or audiences; the first is handed to the VideoService."""
    return items(text, "names", _handed_over_name)


def _handed_over_name(text: str) -> str:
    jwt_name(text)
    _not_spring(text)
    return text


@example_from()
def jwt_name(text: str) -> str:
    """A name that the prosody image puts unescaped between Lua double quotes."""
    if not text or len(text) > 255 or text != text.strip() or re.search(r'["\\,]', text) or CONTROL.search(text):
        raise Invalid('1 to 255 characters without ", \\, comma, line break or space at an end')
    return text


def jwt_secret(text: str) -> str:
    """A shared HS256 key; the prosody image puts it unescaped between Lua double quotes."""
    if CONTROL.search(text) or re.search(r'["\\]', text) or text != text.strip():
        raise Invalid('no ", \\, line break, or space at an end: the prosody image cannot carry them')
    _not_spring(text)
    if len(text.encode()) < JWT_SECRET_MIN_BYTES:
        raise Invalid(f"at least {JWT_SECRET_MIN_BYTES} bytes (256 bits); this one has {len(text.encode())}")
    return text


def _not_spring(text: str) -> None:
    """Spring, which reads the VideoService's properties, evaluates both and has no escape for them."""
    if "${" in text or "#{" in text:
        raise Invalid("no ${ and no #{: the VideoService's Spring would put something else in their place")


def password(text: str) -> str:
    """A password of an XMPP account or TURN: through a shell unquoted, through HOCON and Lua quoted, in coturn's file."""
    if not re.fullmatch(f"[{PASSWORD_CHARACTERS}]*", text) or text.startswith(tuple(NOT_FIRST_IN_PASSWORD)):
        raise Invalid(
            "letters, digits and . _ ~ + / @ % , and, but not first, = : - (the images pass it through shells)"
        )
    if not PASSWORD_MIN_LENGTH <= len(text) <= PASSWORD_MAX_LENGTH:
        raise Invalid(f"{PASSWORD_MIN_LENGTH} to {PASSWORD_MAX_LENGTH} characters; this one has {len(text)}")
    return text


@removable
def turn(text: str) -> str:
    """Where the TURN server comes from."""
    return one_of(text, "embedded", "external")


@removable
def rabbit_mq(text: str) -> str:
    """Where the broker comes from."""
    allowed = "embedded, for a broker to try things out; unset for a broker of your own (rabbitUrl)"
    if unquoted(text).lower() in ("external", "own"):
        raise Invalid(allowed, remove=True)
    if text != "embedded":
        raise Invalid(
            allowed, example="embedded" if unquoted(text).lower() in ("embedded", "true", "yes", "on") else ""
        )
    return text


def rabbit_username(text: str) -> str:
    """A user name that HTTP basic authentication can carry (RFC 7617: no colon)."""
    if not text or ":" in text or CONTROL.search(text):
        given = "a value with a colon, maybe a password" if ":" in text else None
        raise Invalid("a user name without colon or control character", given=given, example="USER")
    return text


def service_password(text: str) -> str:
    """Any password that a line of text can hold."""
    if not text or CONTROL.search(text):
        raise Invalid("a password without control characters")
    return text


@example_from(seconds_meant)
def conference_timeout(text: str) -> int:
    """Seconds that a room lives on after its last moderator left."""
    return integer(text, 0, 3600)


@example_from()
def max_participants(text: str) -> int:
    """People who may be in a room at once."""
    return integer(text, 2, 1000)
