"""Declaring a setting: its key, default, check and description in one place, as a field of a dataclass.

Owns what is known of a key. Does not own which keys there are (`settings`) nor finding one by its name (`keys`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from components.config.secret import Secret

T = TypeVar("T")
U = TypeVar("U")

_DECLARATION: Final = "declaration"


@dataclass(frozen=True, kw_only=True)
class Key:
    """What is known of one configuration key."""

    name: str
    attribute: str
    """The field that it becomes."""
    env: str
    """The name in the .env file of the docker-compose set-up, or of the images; empty where there was none."""
    default: str
    """As `pulumi config set` takes it; empty where the key is off or computed unless set."""
    example: str
    """A value for the command that fixes a wrong one; the default where there is one."""
    check: Callable[[str], Any]
    secret: bool
    doc: str
    structured: bool = False
    """The value is a map, of which single parts may be encrypted."""


def setting(check: Callable[[str], T], default: str, doc: str, *, env: str = "", key: str = "") -> T:
    """A field with a default. `key` is the configuration key where it is not the camelCase of the attribute."""
    return _field(check, doc, env, key, default=default)  # type: ignore[no-any-return]


def optional_setting(
    check: Callable[[str], T],
    doc: str,
    *,
    example: str,
    env: str = "",
    key: str = "",
    unset: U = None,  # type: ignore[assignment]
    structured: bool = False,
) -> T | U:
    """A field that is `unset` unless its key is set."""
    return _field(check, doc, env, key, example=example, unset=unset, structured=structured)  # type: ignore[no-any-return]


def secret_setting(check: Callable[[str], str], doc: str, *, env: str = "") -> Secret | None:
    """A field for a secret: None where it is generated or not needed."""
    return _field(check, doc, env, "", secret=True)  # type: ignore[no-any-return]


def declared(settings: type) -> Iterator[Key]:
    """The keys of a dataclass whose fields were declared here."""
    for field in dataclasses.fields(settings):
        if _DECLARATION in field.metadata:
            about = dict(field.metadata[_DECLARATION])
            name = about.pop("key") or camel_case(field.name)
            yield Key(name=name, attribute=field.name, **about)


def camel_case(attribute: str) -> str:
    """`http_port` → `httpPort`."""
    head, *tail = attribute.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _field(
    check: Callable[[str], Any],
    doc: str,
    env: str,
    key: str,
    *,
    default: str = "",
    example: str = "",
    unset: Any = None,
    secret: bool = False,
    structured: bool = False,
) -> Any:
    about = {
        "key": key,
        "check": check,
        "default": default,
        "example": example or default,
        "doc": doc,
        "env": env,
        "secret": secret,
        "structured": structured,
    }
    return dataclasses.field(default=check(default) if default else unset, metadata={_DECLARATION: about})
