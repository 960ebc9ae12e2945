"""The lobby: from the first moderator until the room ends nobody gets in unadmitted."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Iterator

import pytest

from tests.prosody.conftest import running
from tests.prosody.people import Person, RefusedError, lobby_jid, room_jid
from tests.prosody.servers import Installation, Prosody
from tests.prosody.stage import MakeProsody, Stage, until

pytestmark = pytest.mark.prosody

TIMEOUT = 8
LIFETIME = 10  # seconds of a token that is to expire: enough to be let in on a busy machine
FIELDS: dict[str, object] = {"lobby": True, "breakout_rooms": True, "meddler": True, "timeout": TIMEOUT}


@pytest.fixture(scope="module")
def prosody(installation: Installation) -> Iterator[Prosody]:
    yield from running(installation, None, FIELDS)


@pytest.fixture
def room() -> str:
    return secrets.token_hex(8)


async def waits(person: Person, room: str) -> None:
    """The person is sent to the lobby and not let in."""
    with pytest.raises(RefusedError) as caught:
        await person.enter(room)
    assert caught.value.condition == "registration-required"


async def admitted(moderator: Person, stage: Stage, room: str, **claims: object) -> Person:
    """Somebody who waited in the lobby and was let in."""
    person = await stage.person(room, **claims)
    await waits(person, room)
    await person.knock(room)
    await moderator.admit(room, person.boundjid.full)
    await until(lambda: room_jid(room) in person.invitations, "the invitation")
    await person.enter(room)
    return person


async def test_who_is_let_in_comes_in(prosody: Prosody, room: str) -> None:
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        person = await admitted(moderator, stage, room)
        second = await stage.moderator(room)
        await moderator.settle()
        assert moderator.standing(room, person) == ("member", "participant")
        assert moderator.standing(room, second) == ("owner", "moderator")


async def test_the_lobby_stays_shut_while_no_moderator_is_in(prosody: Prosody, room: str) -> None:
    """Nobody new, nobody who waits; and a moderator comes back in time, with a display name or without."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        waiting = await stage.person(room)
        await waiting.knock(room)
        inside = await admitted(moderator, stage, room)
        moderator.drop()
        await inside.settle()
        await waits(waiting, room)
        await waits(await stage.person(room), room)
        assert waiting.destroyed == {}, "the lobby is there still"
        back = await stage.person(room, moderator=True)
        back.display_name = ""
        await back.join(room)
        assert back.standing(room) == ("owner", "moderator")
        await waits(waiting, room)


async def test_who_waits_when_the_room_ends_is_told_and_not_led_in(make_prosody: MakeProsody, room: str) -> None:
    prosody = make_prosody(lobby=True, timeout=2)
    async with Stage(prosody) as stage:
        moderator, waiting = await stage.moderator(room), await stage.person(room)
        await waiting.knock(room)
        await moderator.leave(room)
        await until(lambda: lobby_jid(room) in waiting.destroyed, "the waiting person is told", 6)
        assert waiting.invitations == []
        with pytest.raises(RefusedError) as caught:
            await waiting.enter(room)
        assert caught.value.condition == "not-allowed", "nobody opens it by waiting"


async def test_the_lobby_stays_shut_while_a_moderator_moves(prosody: Prosody, room: str) -> None:
    async with Stage(prosody) as stage:
        moderator, waiting = await stage.moderator(room), await stage.person(room)
        places = [room, *[await moderator.add_breakout_room(room) for _ in range(2)]]
        for source, target in zip(places, (*places[1:], room), strict=True):
            await moderator.leave(source, "switch_room")
            await waits(waiting, room)
            await moderator.enter(target)
            await waits(waiting, room)


async def test_nobody_goes_round_the_lobby_by_a_breakout_room(prosody: Prosody, room: str) -> None:
    """Its name is secret, but who was removed from the call knows it."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        removed = await admitted(moderator, stage, room)
        breakout = await moderator.add_breakout_room(room)
        await removed.move(room, breakout)
        await moderator.move(room, breakout)
        await moderator.administer(breakout, role="none", nick=removed.nick)
        await waits(removed, breakout)
        await waits(removed, room)
        for stranger in (await stage.person(room), await stage.person("another-room")):
            with pytest.raises(RefusedError):
                await stranger.enter(breakout)


@pytest.mark.parametrize("how", ["removed", "banned"])
async def test_who_was_removed_is_so_on_all_connections(prosody: Prosody, room: str, how: str) -> None:
    """Also on one that is not in the room now, which would be a way back past the lobby."""
    async with Stage(prosody) as stage:
        moderator, known = await stage.moderator(room), {"context": {"user": {"id": "u-1"}}}
        first = await admitted(moderator, stage, room, **known)
        second, third = [await stage.person(room, **known) for _ in range(2)]
        for one in (second, third):
            await one.enter(room)
        await third.leave(room)
        await expel(moderator, room, first, how)
        await second.settle()
        assert second.standing(room)[1] == "none"
        for one in (first, second, third, await stage.person(room, **known)):
            with pytest.raises(RefusedError):
                await one.enter(room)


@pytest.mark.parametrize("how", ["removed", "banned"])
async def test_who_was_removed_waits_again_though_the_token_has_expired(prosody: Prosody, room: str, how: str) -> None:
    async with Stage(prosody) as stage:
        moderator, known = await stage.moderator(room), {"context": {"user": {"id": "u-1"}}}
        end = int(time.time()) + LIFETIME
        removed = await admitted(moderator, stage, room, exp=end, **known)
        await asyncio.sleep(end - time.time() + 1)
        await expel(moderator, room, removed, how)
        with pytest.raises(RefusedError):
            await (await stage.person(room, **known)).enter(room)


async def expel(moderator: Person, room: str, person: Person, how: str) -> None:
    """Removes somebody from the room, or bans them."""
    if how == "removed":
        await moderator.administer(room, role="none", nick=person.nick)
    else:
        await moderator.administer(room, affiliation="outcast", jid=person.boundjid.bare)


async def test_who_was_removed_waits_again(prosody: Prosody, room: str) -> None:
    """Removal in the room counts for the person as well where the token names one."""
    async with Stage(prosody) as stage:
        moderator, known = await stage.moderator(room), {"context": {"user": {"id": "u-1"}}}
        removed = await admitted(moderator, stage, room, **known)
        await moderator.administer(room, role="none", nick=removed.nick)
        await waits(removed, room)
        await waits(await stage.person(room, **known), room)


async def test_who_was_admitted_stays_so_if_the_token_names_them(prosody: Prosody, room: str) -> None:
    """A new connection of the same person gets in, with or without a moderator; of another one with the same name not."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        known = {"context": {"user": {"id": "u-1", "name": "Kim"}}}
        first = await admitted(moderator, stage, room, **known)
        first.drop()
        again = await stage.person(room, **known)
        await again.enter(room)
        for context in ({"user": {"id": "u-2", "name": "Kim"}}, {"user": {"name": "Kim"}}, {}, "u-1"):
            await waits(await stage.person(room, context=context), room)
        await moderator.leave(room)
        await (await stage.person(room, **known)).enter(room)


async def test_a_banned_person_does_not_come_back_by_a_new_connection(prosody: Prosody, room: str) -> None:
    async with Stage(prosody) as stage:
        moderator, known = await stage.moderator(room), {"context": {"user": {"id": "u-1"}}}
        banned = await admitted(moderator, stage, room, **known)
        await moderator.administer(room, affiliation="outcast", jid=banned.boundjid.bare)
        with pytest.raises(RefusedError) as caught:
            await (await stage.person(room, **known)).enter(room)
        assert caught.value.condition == "forbidden"


async def test_a_lobby_switched_off_by_hand_stays_off_until_it_is_switched_on(prosody: Prosody, room: str) -> None:
    """While no moderator is in, and as one comes back."""
    async with Stage(prosody) as stage:
        moderator, waiting = await stage.moderator(room), await stage.person(room)
        await waits(waiting, room)
        await moderator.configure(room, membersonly="false")
        await waiting.enter(room)
        await moderator.leave(room)
        await stage.asker(room)
        await moderator.join(room)
        await stage.asker(room)
        await moderator.configure(room, membersonly="true")
        await waits(await stage.person(room), room)
        await moderator.configure(room, roomsecret="a-password")
        await waits(await stage.person(room), room)


async def test_nobody_else_switches_it_off(prosody: Prosody, room: str) -> None:
    """Neither who is not a moderator, nor jicofo, which sends back the form it was shown, nor another plugin."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        inside = await admitted(moderator, stage, room)
        with pytest.raises(RefusedError):
            await inside.configure(room, membersonly="false")
        await stage.focus.configure(room, membersonly="false", whois="anyone")
        await waits(await stage.person(room), room)
        await moderator.meddle("open", room)
        await waits(await stage.person(room), room)


async def test_a_reload_opens_nothing(prosody: Prosody, room: str) -> None:
    async with Stage(prosody) as stage:
        moderator, waiting = await stage.moderator(room), await stage.person(room)
        free = await stage.moderator(f"{room}-free")
        await free.configure(f"{room}-free", membersonly="false")
        await moderator.leave(room)
        await asyncio.to_thread(prosody.reload_modules, "room_lobby", "close_room")
        await waits(waiting, room)
        await moderator.join(room)
        await waits(waiting, room)
        await stage.asker(f"{room}-free")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stop", "crash"])
async def test_a_restart_opens_nothing_and_forgets_nothing(
    make_prosody: MakeProsody, room: str, how: signal.Signals
) -> None:
    """The lobby is on again, one switched off by hand is off, and who was admitted gets in where the token says who."""
    prosody, free = make_prosody(**FIELDS), f"{room}-free"
    known = {"context": {"user": {"id": "u-1"}}}
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        await admitted(moderator, stage, room, **known)
        await (await stage.moderator(free)).configure(free, membersonly="false")
        await asyncio.to_thread(prosody.stop, how)
    await asyncio.to_thread(prosody.start)
    async with Stage(prosody) as stage:
        with pytest.raises(RefusedError):
            await (await stage.person(room)).join(room)
        await stage.moderator(room)
        await stage.moderator(free)
        await waits(await stage.person(room), room)
        await (await stage.person(room, **known)).enter(room)
        await stage.asker(free)


async def test_a_call_that_is_over_leaves_no_trace_on_disk(make_prosody: MakeProsody, room: str) -> None:
    prosody = make_prosody(lobby=True, timeout=2)
    kept = prosody.directory / "data" / "muc%2emeet%2ejitsi" / "lobby"
    async with Stage(prosody) as stage:
        moderator, known = await stage.moderator(room), {"context": {"user": {"id": "kim@example.org"}}}
        person = await admitted(moderator, stage, room, **known)
        files = list(kept.iterdir())
        assert len(files) == 1
        assert "kim" not in files[0].read_text(), "and no name while it goes on"
        await moderator.leave(room)
        await until(lambda: room_jid(room) in person.destroyed, "the room is closed", 6)
        assert list(kept.iterdir()) == []


async def test_without_a_lobby_nobody_waits(make_prosody: MakeProsody, room: str) -> None:
    prosody = make_prosody(timeout=10)
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        await stage.asker(room)
        await moderator.leave(room)
        await stage.asker(room)


async def test_the_lobby_goes_on_for_a_moderator_whom_no_token_makes(make_prosody: MakeProsody, room: str) -> None:
    """With close_room alone, where accounts sign in: there jicofo makes owners."""
    prosody = make_prosody(lobby=True, timeout=10, muc_modules="close_room")
    async with Stage(prosody) as stage:
        person = await stage.person(room)
        await person.join(room)
        await stage.focus.administer(room, affiliation="owner", jid=person.boundjid.bare)
        await waits(await stage.person(room), room)
        await person.leave(room)
        await waits(await stage.person(room), room)
