"""The checks: one file each with `async def check(context) -> Result`, or a few that belong together.

Owns their list and order. A check judges what it sees on its own, so that one fault is named once: where it cannot
look because of another's fault it is skipped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from ops.verify.checks import (
    bridge,
    call_events,
    certificate,
    config_js,
    media,
    name,
    plain_http,
    rooms,
    sign_in,
    turn,
)
from ops.verify.context import Context
from ops.verify.result import Result

Check = Callable[[Context], Awaitable[Result]]

CHECKS: Final[Mapping[str, Check]] = {
    "name": name.check,
    "certificate": certificate.check,
    "http": plain_http.check,
    "config.js": config_js.check,
    "bosh": sign_in.check_bosh,
    "websocket": sign_in.check_websocket,
    "guest": rooms.check_guest,
    "moderator": rooms.check_moderator,
    "bridge": bridge.check,
    "media": media.check,
    "turn": turn.check,
    "statistics": call_events.check_statistics,
    "videoservice": call_events.check_video_service,
}
"""By the name that is shown, in the order in which they are."""
