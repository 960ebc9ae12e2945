"""What the program registers under the mocks, as the rules see it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pulumi.runtime import rpc

from policies.resource import HIDDEN, UNKNOWN, Resource
from tests.component.recorder import SCENARIOS, Recording, Sealed, scenario


def resources(name: str, stack: str = "dev") -> list[Resource]:
    """Those of one scenario, free to be changed."""
    return of_recording(scenario(name, stack))


def of_recording(recording: Recording) -> list[Resource]:
    """Every resource of a run."""
    return [Resource(one.type, one.name, copy.deepcopy(_shown(one.inputs))) for one in recording.resources]


def config(name: str) -> dict[str, str]:
    """The plain keys of a scenario that rules look at."""
    return {"publicUrl": "https://onlineberatung.local:8443", **SCENARIOS[name]}


def _shown(value: Any, key: str = "") -> Any:
    if isinstance(value, Sealed):
        return f"{value.value.partition('=')[0]}={HIDDEN}" if key == "envs" and "=" in value.value else HIDDEN
    if isinstance(value, Mapping):
        return {name: _shown(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_shown(item, key) for item in value]
    if value == rpc.UNKNOWN:
        return UNKNOWN
    return int(value) if isinstance(value, float) and value.is_integer() else value
