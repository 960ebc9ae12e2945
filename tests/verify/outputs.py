"""Outputs of a stack as the program gives them, for tests that ask no engine."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from components.config.ports import held_ports
from components.stack import services
from components.stack.facts import facts
from tests.prosody.configuration import AUDIENCE, ISSUER, SECRET
from tests.values import load

HOST: Final = "video.verify.test"
_SETTINGS: Final = load(
    publicUrl=f"https://{HOST}:8443",
    dockerHostAddress="192.0.2.10",
    jwtAcceptedIssuers=f"{ISSUER},other",
    jwtAcceptedAudiences=AUDIENCE,
)
_FACTS: Final = facts(_SETTINGS, held_ports(_SETTINGS), services.specs(_SETTINGS))
_HERE: Final[Mapping[str, Mapping[str, Any]]] = {"http": {"redirects": False}, "media": {"addresses": ["127.0.0.1"]}}
"""What a stack on loopback ports has otherwise."""


def outputs(
    port: int = 8443, host: str = HOST, facts: Mapping[str, Mapping[str, Any]] | None = None, **changes: Any
) -> dict[str, Any]:
    """The outputs of a healthy stack.

    Args:
        port: publicUrl's.
        host: publicUrl's.
        facts: changes of the output facts, by section and entry.
        changes: by output name, None to leave one out.
    """
    facts_now = copy.deepcopy(_FACTS)
    for section, entries in [*_HERE.items(), *(facts or {}).items()]:
        facts_now[section] = (facts_now[section] or {}) | dict(entries)
    found: dict[str, Any] = {
        "publicUrl": f"https://{host}:{port}",
        "hostsEntry": f"127.0.0.1 {host}",
        "facts": facts_now,
        "containers": {role: f"videobackend-test-{role}" for role in ("web", "prosody", "jicofo", "jvb")},
        "credentials": {"jwt_app_secret": SECRET, "jvb_auth_password": "a-password"},
    }
    return {name: value for name, value in (found | changes).items() if value is not None}


def accepting(**changes: Any) -> dict[str, dict[str, Any]]:
    """A change of the facts about accepted tokens."""
    return {"auth": {"token": _FACTS["auth"]["token"] | changes}}
