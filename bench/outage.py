"""How long a changed prosody is away: from its end until the containers that went with it are healthy again.

Read from Docker's own events while they happen (the daemon keeps the last 256), so that neither tool's way of waiting
counts.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from tests.engine.toolbox import DOCKER

OUTAGE: Final = ("prosody change, until prosody and jicofo are healthy / docker-compose", 1.0)
_ROLES: Final = ("prosody", "jicofo")
_LABELS: Final = ("videobackend.role", "com.docker.compose.service")
_SETTLING: Final = 1.0
"""Seconds for `docker events` to begin, and for the last event to arrive."""


def outage(change: Callable[[], object], label: str) -> float:
    """Seconds without a healthy prosody and jicofo while `change` runs; `label` is one that its containers have.

    `change` returns once all is healthy. Raises RuntimeError where it replaced no prosody.
    """
    wanted = ("type=container", f"label={label}", "event=die", "event=health_status")
    filters = [argument for one in wanted for argument in ("--filter", one)]
    with subprocess.Popen(
        [*DOCKER, "events", "--format", "{{json .}}", *filters], stdout=subprocess.PIPE, text=True
    ) as events:
        time.sleep(_SETTLING)
        try:
            change()
            time.sleep(_SETTLING)
        finally:
            events.terminate()
        lines = events.stdout.read() if events.stdout else ""
    return seconds_away(json.loads(line) for line in lines.splitlines())


def seconds_away(events: Iterable[dict[str, Any]]) -> float:
    """The same from Docker's events, in their order."""
    ours = [(_role(one), str(one["Action"]), one["timeNano"] / 1e9) for one in events]
    ends = [when for role, action, when in ours if role == "prosody" and action == "die"]
    if not ends:
        raise RuntimeError("the change did not replace prosody")
    back = [when for role, action, when in ours if role in _ROLES and action == "health_status: healthy"]
    if not back or back[-1] < ends[0]:
        raise RuntimeError("prosody did not come back healthy")
    return float(back[-1] - ends[0])


def _role(event: dict[str, Any]) -> str:
    attributes = event["Actor"]["Attributes"]
    return next((attributes[name] for name in _LABELS if name in attributes), "")
