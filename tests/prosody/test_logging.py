"""No token and no secret is in Prosody's log, at whatever level."""

from __future__ import annotations

import asyncio
import base64

import pytest

from tests.prosody.configuration import SECRET, Broker
from tests.prosody.people import RefusedError, token
from tests.prosody.stage import MakeProsody, Stage

pytestmark = pytest.mark.prosody


ENCODINGS = ("%20{}", "jwt%3D{}&room=a", "\\n{}", "_{}", "{encoded}", "%3D{encoded}%26", "{twice}")


async def test_a_token_is_known_in_whatever_stands_around_it(make_prosody: MakeProsody) -> None:
    """Percent-encoded, as an address in an address, or in a quoted text; and a header laid out in another way."""
    prosody = make_prosody(meddler=True)
    rest = token("a-room").split(".", 1)[1]
    async with Stage(prosody) as stage:
        person = await stage.person("a-room")
        for start in ('{"alg":"HS256"}', '{ "alg":"HS256"}', '{\n"alg":"HS256"}', '{\t "alg":"HS256"}', '{\r\n"a":1}'):
            shown = f"{base64.urlsafe_b64encode(start.encode()).decode().rstrip('=')}.{rest}"
            encoded = shown.replace(".", "%2E")
            for encoding in ENCODINGS:
                await person.say_to_meddler(encoding.format(shown, encoded=encoded, twice=encoded.replace("%", "%25")))
        await person.say_to_meddler("keyboard-of-a-long-word-indeed-so-long.meet.jitsi")
    said = [line.split("the meddler says ")[1] for line in prosody.log.splitlines() if "the meddler says " in line]
    assert len(said) == 5 * len(ENCODINGS) + 1
    assert [line for line in said[:-1] if "[token]" not in line] == []
    assert said[-1] == "keyboard-of-a-long-word-indeed-so-long.meet.jitsi"
    for part in rest.split("."):
        assert part not in prosody.log


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
