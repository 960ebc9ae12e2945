"""Whether only a moderator can open a room."""

from __future__ import annotations

import contextlib
from typing import Final

from ops.verify.checks.sign_in import NO_TOKENS
from ops.verify.context import Context, new_room
from ops.verify.net import Unreachable
from ops.verify.result import Result, failed, ok, skipped
from ops.verify.streams import StreamClosed
from ops.verify.xmpp import Client, Refused, visit

_TEST_ROOM: Final = "__jicofo-health-check-"
"""Rooms of such names are test rooms to the stack's modules: their end is no event for the broker."""
_SEE_SIGN_IN: Final = "no sign-in (see bosh and websocket)"


async def check_guest(context: Context) -> Result:
    """A token without the moderator claim must not open a room."""
    if not context.stack.token_auth:
        return skipped(NO_TOKENS)
    if "create_room" not in context.stack.setting_list("prosody", "XMPP_MUC_MODULES"):
        return skipped("every token may open rooms: xmppMucModules lacks create_room")
    room = new_room()
    client = await _client(context, room, moderator=False)
    if client is None:
        return skipped(_SEE_SIGN_IN)
    async with client:
        try:
            with contextlib.suppress(Refused, Unreachable):  # jicofo's answer is the moderator's check
                await client.request_conference(room)
            await client.enter(room)
        except Refused as refused:
            return ok(f"a room stays closed to a token without the moderator claim ({refused.condition})")
        except (Unreachable, StreamClosed) as error:
            return failed(
                f"no answer to entering a room ({error})",
                f"look into prosody's log for its MUC component: {context.stack.logs('prosody')}",
            )
    return failed(
        "a token without the moderator claim opened a room",
        "is create_room loaded (XMPP_MUC_MODULES in the output settings)? bring the stack up; "
        f"{context.stack.logs('prosody')}",
    )


async def check_moderator(context: Context) -> Result:
    """A token with the moderator claim must open a room and moderate it; the room is gone afterwards."""
    if not context.stack.token_auth:
        return skipped(NO_TOKENS)
    room = new_room(_TEST_ROOM if context.stack.statistics else "")
    client = await _client(context, room, moderator=True)
    if client is None:
        return skipped(_SEE_SIGN_IN)
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
        return failed(
            f"no answer to entering a room ({error})",
            f"look into prosody's log for its MUC component: {context.stack.logs('prosody')}",
        )
    moderation = "token_moderation" in context.stack.setting_list("prosody", "XMPP_MUC_MODULES")
    if not moderation or (affiliation, role) == ("owner", "moderator"):
        return None
    return failed(
        f"a moderator's token opens a room, and its holder is {affiliation or 'nobody'} there, not owner",
        f"is token_moderation loaded (XMPP_MUC_MODULES in the output settings)? {context.stack.logs('prosody')}",
    )


def _no_focus(context: Context, said: str) -> Result:
    return failed(
        f"jicofo does not open a room ({said})",
        f"does jicofo run, signed in to prosody, with a bridge (see bridge)? {context.stack.logs('jicofo')}",
    )


async def _client(context: Context, room: str, *, moderator: bool) -> Client | None:
    """A signed-in client; None where there is no connection or no sign-in, which other checks judge."""
    try:
        await context.address()
        return await visit(context, room, context.token(room, moderator=moderator))
    except (Refused, Unreachable):
        return None
