"""Whether only a moderator can open a room."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

from ops.verify.checks.sign_in import NO_TOKENS
from ops.verify.context import NO_HTTPS, Context, new_room
from ops.verify.net import Unreachable
from ops.verify.result import Result, failed, ok, skipped
from ops.verify.streams import StreamClosed
from ops.verify.xmpp import Client, Refused, visit_if_let_in

TEST_ROOM: Final = "videobackend-"
"""With it a room is a test room to the stack's modules (conference.lib.lua): its end is no event for the broker."""
_NO_MODERATOR: Final = "a token without the moderator claim"
_ANONYMOUS: Final = "an anonymous guest (enableGuests)"
_OPENED: Final = "opened"
_OUTSIDE: Final = "outside"
SEE_SIGN_IN: Final = "no sign-in (see bosh and websocket)"


async def check_guest(context: Context) -> Result:
    """Neither a token without the moderator claim nor, with enableGuests, whoever has none must open a room."""
    stack = context.stack
    if stack.tokens is None:
        return skipped(NO_TOKENS)
    if "create_room" not in stack.room_modules:
        return skipped("every token may open rooms: xmppMucModules lacks create_room")
    if not await context.has_https():
        return skipped(NO_HTTPS)
    room = new_room()
    attempts = {_NO_MODERATOR: _open_in_vain(context, room, context.token(room), stack.domain)}
    if stack.guests:
        attempts[_ANONYMOUS] = _open_in_vain(context, new_room(), None, stack.guest_domain)
    return _judge_guests(context, dict(zip(attempts, await asyncio.gather(*attempts.values()), strict=True)))


async def _open_in_vain(context: Context, room: str, token: str | None, domain: str) -> Refused | Unreachable | str:
    """How opening a room was refused, or why that cannot be told; `_OPENED` where it was not, `_OUTSIDE` without sign-in."""
    client = await visit_if_let_in(context, room, token, domain)
    if client is None:
        return _OUTSIDE
    async with client:
        try:
            with contextlib.suppress(Refused, Unreachable):  # jicofo's answer is the moderator's check
                await client.request_conference(room)
            await client.enter(room)
        except (Refused, Unreachable) as outcome:
            return outcome
        except StreamClosed as closed:
            return Unreachable(f"the connection was closed {closed}".strip())
    return _OPENED


def _judge_guests(context: Context, outcomes: Mapping[str, Refused | Unreachable | str]) -> Result:
    log = context.stack.logs("prosody")
    let_in = [who for who, outcome in outcomes.items() if outcome == _OPENED]
    if let_in:
        return failed(
            f"{' and '.join(let_in)} opened a room",
            f"is create_room loaded (XMPP_MUC_MODULES in the output settings)? bring the stack up; {log}",
        )
    if outcomes[_NO_MODERATOR] == _OUTSIDE:
        return skipped(SEE_SIGN_IN)
    if outcomes.get(_ANONYMOUS) == _OUTSIDE:
        return failed("anonymous guests cannot sign in (enableGuests)", f"bring the stack up; {log}")
    for outcome in outcomes.values():
        if isinstance(outcome, Unreachable):
            return _no_answer(context, outcome)
    closed_to = "; ".join(
        f"{who} ({outcome.condition})" for who, outcome in outcomes.items() if isinstance(outcome, Refused)
    )
    return ok(f"a room stays closed to {closed_to}")


async def check_moderator(context: Context) -> Result:
    """A token with the moderator claim must open a room and moderate it; the room is gone afterwards."""
    if context.stack.tokens is None:
        return skipped(NO_TOKENS)
    if not await context.has_https():
        return skipped(NO_HTTPS)
    room = new_room(TEST_ROOM if context.stack.statistics or context.stack.video_service else "")
    client = await visit_if_let_in(context, room, context.token(room, moderator=True))
    if client is None:
        return skipped(SEE_SIGN_IN)
    async with client:
        problem = await opened(context, client, room)
        if problem is not None:
            return problem
        with contextlib.suppress(Refused, Unreachable, StreamClosed):  # else it leaves, and the room ends in its time
            await client.destroy_room()
    return ok("a moderator's token opens a room")


async def opened(context: Context, client: Client, room: str) -> Result | None:
    """Opens the room as a moderator; what went wrong, or None."""
    return await _conference(context, client, room) or await _entry(context, client, room)


async def _conference(context: Context, client: Client, room: str) -> Result | None:
    try:
        if await client.request_conference(room):
            return None
    except Refused as refused:
        if refused.condition == "not-authorized":
            return failed(
                f"a moderator's token is not allowed to open a room ({refused})",
                "does prosody run the stack's modules (XMPP_MUC_MODULES)? bring the stack up",
            )
        return _no_focus(context, str(refused))
    except (Unreachable, StreamClosed) as error:
        return _no_focus(context, str(error))
    return _no_focus(context, "the conference is not ready")


async def _entry(context: Context, client: Client, room: str) -> Result | None:
    try:
        affiliation, role = await client.enter(room)
    except Refused as refused:
        return failed(
            f"a moderator is kept out of the room ({refused})",
            f"look into prosody's log for that refusal: {context.stack.logs('prosody')}",
        )
    except (Unreachable, StreamClosed) as error:
        return _no_answer(context, error)
    moderation = "token_moderation" in context.stack.room_modules
    if not moderation or (affiliation, role) == ("owner", "moderator"):
        return None
    return failed(
        f"a moderator's token opens a room, and its holder is {affiliation or 'nobody'} there, not owner",
        f"is token_moderation loaded (XMPP_MUC_MODULES in the output settings)? {context.stack.logs('prosody')}",
    )


def _no_answer(context: Context, error: Exception) -> Result:
    return failed(
        f"no answer to entering a room ({error})",
        f"look into prosody's log for its MUC component: {context.stack.logs('prosody')}",
    )


def _no_focus(context: Context, answer: str) -> Result:
    return failed(
        f"jicofo does not open a room ({answer})",
        f"does jicofo run, signed in to prosody, with a bridge (see bridge)? {context.stack.logs('jicofo')}",
    )
