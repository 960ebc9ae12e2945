"""Whether the end of a call reaches the broker."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any, Final

from ops.verify.checks.rooms import opened
from ops.verify.context import NO_DOCKER, NO_HTTPS, Context, NoDocker, new_room
from ops.verify.net import Unreachable
from ops.verify.result import Result, failed, ok, skipped, warning
from ops.verify.streams import StreamClosed
from ops.verify.xmpp import Refused, visit

_BACKLOG: Final = "http://127.0.0.1:5280/statistics_backlog"
"""mod_statistics_queue's own; open inside prosody's container only."""
_GRACE: Final = 4.0
"""Seconds for the delivery itself."""
_PAUSE: Final = 0.5


async def check(context: Context) -> Result:
    """With leave to do so, holds a test call and waits for its event; else looks at the backlog alone."""
    stack = context.stack
    if not stack.statistics:
        return skipped("statistics are off (enableStatistics)")
    try:
        before = await context.curl_json("prosody", _BACKLOG)
    except NoDocker as error:
        return skipped(f"prosody cannot be asked: {error}", NO_DOCKER)
    except Unreachable as error:
        return failed(
            f"prosody does not tell its backlog ({error})",
            f"does it run, with close_room in XMPP_MUC_MODULES? {stack.logs('prosody')}",
        )
    if not context.statistics:
        return _judge_backlog(before)
    return await _try_out(context, before)


async def _try_out(context: Context, before: Mapping[str, Any]) -> Result:
    stack = context.stack
    if stack.tokens is None:
        return skipped("a test call needs a stack that takes tokens")
    needed = stack.conference_timeout + _GRACE
    if needed >= context.time_limit:
        return skipped(
            f"a room ends {stack.conference_timeout} seconds after its moderator left (conferenceTimeout), so the "
            f"time limit of {context.time_limit:g} seconds is too short",
            f"--time-limit {needed + 10:g}",
        )
    return await _hold_call(context) or await _delivered(context, before, needed)


def _judge_backlog(found: Mapping[str, Any]) -> Result:
    waiting = int(found.get("events") or 0)
    if waiting and found.get("last_problem"):
        return warning(
            f"{waiting} events wait for the broker: {found['last_problem']}",
            "look at rabbitUrl and the broker's permissions",
        )
    return skipped(f"{waiting} events wait for the broker", "--statistics holds a test call; its event is a real one")


async def _hold_call(context: Context) -> Result | None:
    if not await context.has_https():
        return skipped(f"no test call: {NO_HTTPS}")
    room = new_room()
    try:
        async with await visit(context, room, context.token(room, moderator=True)) as client:
            problem = await opened(context, client, room)
            if problem is None:
                with contextlib.suppress(Refused, Unreachable, StreamClosed):
                    await client.destroy_room()
    except (Refused, Unreachable):
        return skipped("no test call (see bosh and websocket)")
    return skipped("no test call (see moderator)") if problem is not None else None


async def _delivered(context: Context, before: Mapping[str, Any], seconds: float) -> Result:
    """Waits until an event more was delivered and none more waits than before."""
    end = time.monotonic() + seconds
    found: Mapping[str, Any] = before
    while time.monotonic() < end:
        await asyncio.sleep(_PAUSE)
        with contextlib.suppress(NoDocker, Unreachable):
            found = await context.curl_json("prosody", _BACKLOG)
        if _count(found, "delivered") > _count(before, "delivered") and _count(found, "events") <= _count(
            before, "events"
        ):
            return ok("the end of a test call reached the broker")
        if _count(found, "events") > _count(before, "events") and found.get("last_problem"):
            break
    reason = found.get("last_problem") or f"no event within {seconds:g} seconds of the call's end"
    return failed(
        f"the end of a test call does not reach the broker: {reason}",
        "look at rabbitUrl, the broker's exchange and queue, and the permissions of rabbitUsername",
    )


def _count(found: Mapping[str, Any], name: str) -> int:
    value = found.get(name)
    return value if isinstance(value, int) else 0
