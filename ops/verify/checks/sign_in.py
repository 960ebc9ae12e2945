"""Whether Prosody lets in whoever has a right token, and nobody else; by BOSH and by WebSocket."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

from ops.verify import jwt
from ops.verify.context import NO_HTTPS, Context, new_room
from ops.verify.net import HttpError, Unreachable
from ops.verify.result import Result, failed, skipped
from ops.verify.result import ok as good
from ops.verify.streams import Bosh, Stream, WebSocket
from ops.verify.xmpp import Client, NotOffered, Refused

_HOUR: Final = 3600
"""So far ago has the expired token expired: more than clocks differ."""
_NOBODY_BEHIND: Final = (502, 503, 504)
"""What a proxy answers where it does not reach the server behind it."""
NO_TOKENS: Final = "this stack takes no tokens (enableAuth, authType)"

Open = Callable[[Context, str, str | None], Stream]
Outcome = Refused | Unreachable | None
"""What came of a sign-in; None where it was accepted."""


async def check_bosh(context: Context) -> Result:
    """Sign-in by POST /http-bind."""
    return await _check(context, Bosh, _pass_on(context, "POST /http-bind with its query"))


async def check_websocket(context: Context) -> Result:
    """Sign-in by wss://.../xmpp-websocket."""
    return await _check(
        context, WebSocket, _pass_on(context, "/xmpp-websocket with the headers Upgrade and Connection and its query")
    )


def _pass_on(context: Context, what: str) -> str:
    """What to do where requests do not get to prosody: the operator's own proxy is in the way only where there is one."""
    if context.stack.behind_proxy:
        return f"your proxy must pass {what} on to web; {context.stack.logs('web')}"
    return f"web must pass {what} on to prosody: bring the stack up; {context.stack.logs('web')}"


async def _check(context: Context, transport: Open, fix: str) -> Result:
    if not await context.has_https():
        return skipped(NO_HTTPS)
    if context.stack.tokens is None:
        return await _check_without_tokens(context, transport, fix)
    room = new_room()
    bad = wrong_tokens(context, room)
    attempts = [_attempt(context, transport, room, token) for token in bad.values()]
    right, *others = await asyncio.gather(_attempt(context, transport, room, context.token(room)), *attempts)
    return _judge(context, right, dict(zip(bad, others, strict=True)), fix)


async def _check_without_tokens(context: Context, transport: Open, fix: str) -> Result:
    """Anybody gets in where enableAuth is off; accounts are only seen to be asked for, as there is none to try."""
    stack = context.stack
    async with Client(context, transport(context, new_room(), None)) as client:
        try:
            if not stack.sign_in_required:
                await client.sign_in()
                return good("accepted: whoever comes, as configured (enableAuth)")
            offered = await client.mechanisms()
        except (Refused, Unreachable) as outcome:
            return _no_sign_in(context, outcome, fix)
    if "ANONYMOUS" in offered or not offered:
        return failed(
            "lets in whoever comes without an account" if offered else "no sign-in: no way to do so is offered",
            _other_users(context),
        )
    return good(f"asks for an account ({', '.join(offered)}); there is none to try it with")


def _no_sign_in(context: Context, outcome: Refused | Unreachable, fix: str) -> Result:
    if isinstance(outcome, HttpError) and outcome.status in _NOBODY_BEHIND:
        before = "your proxy does not reach web, or " if context.stack.behind_proxy else ""
        fix = f"{before}web does not reach prosody: does prosody run? {context.stack.logs('prosody')}"
    if isinstance(outcome, NotOffered):
        fix = _other_users(context)
    return failed(f"no sign-in: {outcome}", fix)


def _other_users(context: Context) -> str:
    log = context.stack.logs("prosody")
    return f"are prosody's enableAuth and authType those of the stack? bring the stack up; {log}"


def _judge(context: Context, right: Outcome, wrong: dict[str, Outcome], fix: str) -> Result:
    """The verdict on what came of a right token, and of the wrong ones by what is wrong with them."""
    closed = [right] if isinstance(right, Refused) and not right.condition else []
    for outcome in (right, *wrong.values(), *closed):
        if isinstance(outcome, Unreachable) or (outcome is not None and outcome in closed):
            return _no_sign_in(context, outcome, fix)
    let_in = [which for which, outcome in wrong.items() if outcome is None]
    if let_in:
        return failed(
            f"lets in whoever comes {', or '.join(let_in)}",
            "look at prosody's JWT settings (make outputs) and at XMPP_CONFIGURATION of your own; bring the stack up",
        )
    if right is not None:
        return failed(
            f"refuses a right token ({right})",
            "is prosody's JWT key the stack's (bring it up)? are the clocks here and there the same (timedatectl)? "
            + fix,
        )
    return good(f"refused: {', '.join(wrong)}; accepted: a right one")


def wrong_tokens(context: Context, room: str) -> dict[str, str | None]:
    """Tokens that must not do, by what is wrong with them."""
    found = {
        "without a token": None,
        "with a wrong signature": context.token(room, secret=context.keep_secret(secrets.token_hex(32))),
        "with a wrong issuer": context.token(room, iss=f"not-{secrets.token_hex(8)}"),
        "with a wrong audience": context.token(room, aud=f"not-{secrets.token_hex(8)}"),
        "with an expired token": context.token(room, exp=int(time.time()) - _HOUR),
    }
    # Jitsi's token/util takes every one where the list has "*".
    accepted = jwt.accepted_by(context.stack)
    for claim, names in (("issuer", accepted.issuers), ("audience", accepted.audiences)):
        if "*" in names:
            del found[f"with a wrong {claim}"]
    return found


async def _attempt(context: Context, transport: Open, room: str, token: str | None) -> Outcome:
    async with Client(context, transport(context, room, token)) as client:
        try:
            await client.sign_in()
        except (Refused, Unreachable) as outcome:
            return outcome
    return None
