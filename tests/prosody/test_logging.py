"""No token and no secret is in Prosody's log, at whatever level."""

from __future__ import annotations

import asyncio

import pytest

from tests.prosody.configuration import SECRET, Broker
from tests.prosody.people import RefusedError, token
from tests.prosody.stage import MakeProsody, Stage

pytestmark = pytest.mark.prosody


async def test_neither_tokens_nor_secrets_are_logged(make_prosody: MakeProsody) -> None:
    """Not the token of who is refused, which Jitsi logs whole; not in an error's text; not after a reload."""
    broker = Broker(url="http://127.0.0.1:1/", username="publisher", password="a-pass.word%of+ours")
    prosody = make_prosody(broker, environment={"JWT_APP_SECRET": SECRET}, meddler=True)
    shown = [token("another-room", moderator=True), token("another-room")]
    async with Stage(prosody) as stage:
        await stage.moderator("a-room")
        for number, one in enumerate(shown):
            stranger = await stage.bearer(one)
            with pytest.raises(RefusedError):
                await stranger.enter("a-room")
            await stranger.say_to_meddler(f"{one} {SECRET} {broker.password}")
            if number == 0:
                await asyncio.to_thread(prosody.reload_modules, "log_masking")
                await asyncio.to_thread(prosody.ctl, "shell", "config", "reload")
    assert prosody.log.count("Token [token] not allowed to join") == len(shown)
    assert prosody.log.count("the meddler says [token] [secret] [secret]") == len(shown)
    for hidden in (*shown, *(one.split(".")[2] for one in shown), SECRET, broker.password):
        assert hidden not in prosody.log
