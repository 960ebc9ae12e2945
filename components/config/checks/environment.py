"""Variables of the Jitsi images, as a map of services with a map of names each.

Owns the shape of the map, and the characters that templates of the images can carry: they put a value as it is between
quotes of Lua, HOCON, JavaScript and nginx. Which names there are is a rule, since that depends on the release
(`rules.environment`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from components.config.checks.text import CONTROL, Invalid
from components.config.suggestions import nearest
from components.config.tables.image_variables import SERVICES
from components.config.values import Variable

_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,79}")
_LONGEST: Final = 2000
_CODE: Final = frozenset(
    (
        "CHROME_EXTENSION_BANNER_JSON",
        "GLOBAL_CONFIG",
        "PROSODY_LOG_CONFIG",
        "XMPP_CONFIGURATION",
        "XMPP_MUC_CONFIGURATION",
    )
)
"""What the templates take for code and not for a text: quotes belong in it."""
_SHAPE: Final = f"a map of services ({', '.join(SERVICES)}), each with a map of variables"
_HINT: Final = '{"jvb": {"VIDEOBRIDGE_MAX_MEMORY": "2g"}}'


def environment(text: str) -> tuple[Variable, ...]:
    """The variables of all services, in their order. Raises Invalid, with a part for each that cannot be taken."""
    try:
        # A number stays the digits that stand there.
        given = json.loads(text, parse_float=str, parse_int=str) if text.startswith("{") else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Invalid(_SHAPE, example=_HINT)
    found: list[Variable] = []
    parts: list[tuple[str, Invalid]] = []
    for service, variables in given.items():
        if service not in SERVICES:
            near = nearest(service, SERVICES)
            reason = f"no such service; {f'did you mean {near}?' if near else f'there are {_list()}'}"
            parts.append((service, Invalid("", given="", reason=reason, remove=True)))
        elif not isinstance(variables, dict):
            parts.append((service, Invalid("a map of variables", given="", remove=True)))
        else:
            for name, value in variables.items():
                try:
                    found.append(_variable(service, name, value))
                except Invalid as invalid:
                    parts.append((f"{service}.{name}", invalid))
    if parts:
        raise Invalid(parts[0][1].allowed or parts[0][1].reason, example=_HINT, parts=tuple(parts))
    return tuple(found)


def _list() -> str:
    return ", ".join(SERVICES)


def _variable(service: str, name: str, value: Any) -> Variable:
    if not _NAME.fullmatch(name):
        raise Invalid("capitals, digits and _", given="", remove=True, reason="no name of a variable")
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str):
        raise Invalid("a text, a number, true or false", given="")
    for fault in _faults(name, value):
        raise Invalid(fault, given="")
    return Variable(service=service, name=name, value=value)


def _faults(name: str, value: str) -> Iterator[str]:
    """What of the value the images' templates and scripts would break on."""
    if not value:
        yield "a value; without one the variable is as good as unset: remove it"
    if CONTROL.search(value) or len(value) > _LONGEST:
        yield f"one line of at most {_LONGEST} characters, without tabs and control characters"
    if "{{" in value or "}}" in value:
        yield "no {{ and no }}, which the images' templates take for their own"
    if name not in _CODE and re.search(r"[\"'`\\]", value):
        yield "no quotes and no \\: the images' templates put the value between quotes as it is"
    if value != value.strip():
        yield "no blank at either end"
