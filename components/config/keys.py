"""Declaring a configuration key: default, check and description in one place, as a field of a dataclass.

Owns what is known of a key and how a secret of the operator's own is carried. Does not own which keys there are
(`settings`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pulumi

T = TypeVar("T")


@dataclass(frozen=True)
class Secret:
    """A secret of the operator's own; never shows itself."""

    _value: str | None = dataclasses.field(repr=False)

    @property
    def readable(self) -> bool:
        """False where it was not decrypted."""
        return self._value is not None

    def reveal(self) -> str:
        """The plain text; of a value that was not decrypted a placeholder, which only a plan can meet."""
        return "[secret]" if self._value is None else self._value

    def output(self) -> pulumi.Output[str]:
        """The value as an Output marked secret."""
        return pulumi.Output.secret(self.reveal())

    def __repr__(self) -> str:
        return "[secret]"


@dataclass(frozen=True, kw_only=True)
class Key:
    """What is known of one configuration key."""

    name: str
    env: str
    """The name in the .env file of the docker-compose set-up, or of the images; empty where there was none."""
    default: str
    """As `pulumi config set` takes it; empty where the key is off or computed unless set."""
    example: str
    """A value for the command that fixes a wrong one; the default where there is one."""
    check: Callable[[str], Any]
    secret: bool
    doc: str


METADATA: Final = "key"


def key(check: Callable[[str], T], default: str, doc: str, *, env: str = "") -> T:
    """A field of Settings with a default."""
    return _field(check, default, doc, env)  # type: ignore[no-any-return]


def optional(check: Callable[[str], T], doc: str, *, example: str, env: str = "") -> T | None:
    """A field of Settings that is None unless set."""
    return _field(check, "", doc, env, example=example)  # type: ignore[no-any-return]


def own_secret(check: Callable[[str], str], doc: str, *, env: str = "") -> Secret | None:
    """A secret field of Settings: None where it is generated or not needed."""
    return _field(check, "", doc, env, secret=True)  # type: ignore[no-any-return]


def _field(
    check: Callable[[str], Any], default: str, doc: str, env: str, *, example: str = "", secret: bool = False
) -> Any:
    value = check(default) if default else None
    about = {
        "check": check,
        "default": default,
        "example": example or default,
        "doc": doc,
        "env": env,
        "secret": secret,
    }
    return dataclasses.field(default=value, metadata={METADATA: about})
