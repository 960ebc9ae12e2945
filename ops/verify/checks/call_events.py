"""Whether the end of a call reaches the broker and the VideoService."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ops.verify.checks.rooms import opened
from ops.verify.context import NO_DOCKER, NO_HTTPS, Context, NoDocker, new_room
from ops.verify.net import Unreachable
from ops.verify.result import Result, failed, ok, skipped, warning
from ops.verify.streams import StreamClosed
from ops.verify.xmpp import Refused, visit

_GRACE: Final = 4.0
"""Seconds for the delivery itself."""
_PAUSE: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class _Receiver:
    """Whom prosody tells of a call's end, in words for the lines."""

    name: str
    backlog: str
    """Of the module that tells it; open inside prosody's container only."""
    waiting: str
    fix: str


_BROKER: Final = _Receiver(
    name="the broker",
    backlog="http://127.0.0.1:5280/statistics_backlog",
    waiting="events wait for the broker",
    fix="look at rabbitUrl, the broker's exchange and queue, and the permissions of rabbitUsername",
)
_VIDEO_SERVICE: Final = _Receiver(
    name="the VideoService",
    backlog="http://127.0.0.1:5280/video_service_backlog",
    waiting="ended calls wait for the VideoService",
    fix="look at videoServiceUrl and keycloakUrl, and at the password and the role of videoServiceUsername",
)


async def check_statistics(context: Context) -> Result:
    """With leave to do so, holds a test call and waits for its event; else looks at the backlog alone."""
    if not context.stack.statistics:
        return skipped("statistics are off (enableStatistics)")
    return await _check(context, _BROKER)


async def check_video_service(context: Context) -> Result:
    """The same for the stop call."""
    if not context.stack.video_service:
        return skipped("the VideoService is not told of a call's end (videoServiceUrl)")
    return await _check(context, _VIDEO_SERVICE)


async def _check(context: Context, receiver: _Receiver) -> Result:
    try:
        before = await context.curl_json("prosody", receiver.backlog)
    except NoDocker as error:
        return skipped(f"prosody cannot be asked: {error}", NO_DOCKER)
    except Unreachable as error:
        return failed(
            f"prosody does not tell its backlog ({error})",
            f"does it run, with close_room in XMPP_MUC_MODULES? {context.stack.logs('prosody')}",
        )
    if not context.statistics:
        return _judge_backlog(before, receiver)
    return await _try_out(context, before, receiver)


async def _try_out(context: Context, before: Mapping[str, Any], receiver: _Receiver) -> Result:
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
    if context.test_call is None:
        context.test_call = asyncio.ensure_future(_hold_call(context))
    return await asyncio.shield(context.test_call) or await _delivered(context, before, needed, receiver)


def _judge_backlog(found: Mapping[str, Any], receiver: _Receiver) -> Result:
    waiting = f"{_count(found, 'events')} {receiver.waiting}"
    if found.get("events") and found.get("last_problem"):
        return warning(f"{waiting}: {found['last_problem']}", receiver.fix)
    return skipped(waiting, "--statistics holds a test call, whose end is told like any other's")


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


async def _delivered(context: Context, before: Mapping[str, Any], seconds: float, receiver: _Receiver) -> Result:
    """Waits until one more was delivered and none more waits than before."""
    end = time.monotonic() + seconds
    found: Mapping[str, Any] = before
    while time.monotonic() < end:
        await asyncio.sleep(_PAUSE)
        with contextlib.suppress(NoDocker, Unreachable):
            found = await context.curl_json("prosody", receiver.backlog)
        if _count(found, "delivered") > _count(before, "delivered") and _count(found, "events") <= _count(
            before, "events"
        ):
            if _count(found, "unknown") > _count(before, "unknown"):
                return ok(
                    f"{receiver.name} answered the end of a test call (HTTP status {found.get('unknown_status')}): it "
                    "does not know that room, rightly unless videoServiceUrl leads elsewhere"
                )
            return ok(f"the end of a test call reached {receiver.name}")
        if _count(found, "events") > _count(before, "events") and found.get("last_problem"):
            break
    reason = found.get("last_problem") or f"nothing within {seconds:g} seconds of the call's end"
    return failed(f"the end of a test call does not reach {receiver.name}: {reason}", receiver.fix)


def _count(found: Mapping[str, Any], name: str) -> int:
    value = found.get(name)
    return value if isinstance(value, int) else 0
