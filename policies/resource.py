"""A resource and its stack as the rules see them: what the program asks of the engine, with every secret as `[secret]`.

Owns that form. The engine's analyzer, and the program run without an engine, both come to it by `shown`, so that a
rule judges the same in both and never meets a secret.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from policies import exceptions
from policies.exceptions import PolicyException

PROJECT: Final = "videobackend"
HIDDEN: Final = "[secret]"
UNKNOWN: Final = "[known after up]"
"""What only a running stack knows, such as a container's id."""
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Marks on the wire (pulumi, sdk/go/common/resource/properties.go and sdk/go/common/resource/plugin/rpc.go)."""
_DEFAULTS: Final = "__defaults"
"""Where a provider's check notes which inputs are its own."""
SECRET_NAME: Final = re.compile(
    r"(PASS|PASSWORD|PASSWD|SECRET|CREDENTIALS?|TOKEN|PRIVATE_?KEY|API_?KEY)$", re.IGNORECASE
)
"""Names of variables and labels that hold secrets."""
_ENVIRONMENT: Final = "envs"
"""Docker's lists of NAME=VALUE, in which the name is no secret."""
_LOCAL: Final = (".local", ".localdomain", ".lan", ".internal", ".test", ".home.arpa", ".intranet", ".localhost")


@dataclass(frozen=True)
class Resource:
    """One resource: its type, logical name, and inputs as plain values."""

    type: str
    name: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Stack:
    """The stack that a resource belongs to.

    Args:
        name: its name.
        config: the project's own plain keys, without namespace.
        today: the day on which it is judged.
    """

    name: str
    config: Mapping[str, str] = field(default_factory=dict)
    today: datetime.date = field(default_factory=datetime.date.today)

    @property
    def is_public(self) -> bool:
        """Whether people reach it by a name that public DNS serves."""
        host = urlsplit(self.config.get("publicUrl", "")).hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return "." in host and not host.endswith(_LOCAL)
        return False

    @functools.cached_property
    def exceptions(self) -> tuple[PolicyException, ...]:
        """Those of its file; none where their text is unsound, which the rule `exceptions` says."""
        text = self.config.get("policyExceptions")
        try:
            return exceptions.parse(text) if text else ()
        except ValueError:
            return ()


def _sealed(secret: Any, key: str) -> Any:
    if key == _ENVIRONMENT and isinstance(secret, str) and "=" in secret:
        return f"{secret.partition('=')[0]}={HIDDEN}"
    if key == _ENVIRONMENT and isinstance(secret, list):
        return [_unsealed(shown(one)) for one in secret]
    return HIDDEN


def _unsealed(assignment: Any) -> Any:
    """An item of an environment that is sealed as a whole: the provider's check does that where one item is secret."""
    name, sign, _ = str(assignment).partition("=")
    return f"{name}={HIDDEN}" if sign and SECRET_NAME.search(name) else assignment


def shown(value: Any, key: str = "") -> Any:
    """A property as it is on the wire, as plain values.

    Args:
        value: the property, or all of them as a map.
        key: its name.
    """
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _SECRET:
            return _sealed(value.get("value"), key)
        return {name: shown(item, name) for name, item in sorted(value.items()) if name != _DEFAULTS}
    if isinstance(value, list):
        return [shown(item, key) for item in value]
    if value == _UNKNOWN:
        return UNKNOWN
    return int(value) if isinstance(value, float) and value.is_integer() else value
