"""A call whose people are in breakout rooms: it goes on while a moderator is in one of them, and ends as ever."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from tests.prosody.configuration import BREAKOUT_DOMAIN
from tests.prosody.conftest import running
from tests.prosody.people import Person, RefusedError, room_jid
from tests.prosody.servers import Installation, Prosody, RabbitMQ
from tests.prosody.stage import Consumer, Stage, at_a_whole_second, stop_event, until

pytestmark = pytest.mark.prosody

TIMEOUT = 2


@pytest.fixture(scope="module")
def prosody(installation: Installation, rabbitmq: RabbitMQ) -> Iterator[Prosody]:
    yield from running(installation, rabbitmq.broker, {"breakout_rooms": True, "timeout": TIMEOUT})


@pytest.fixture
def room() -> str:
    return secrets.token_hex(8)


async def closed(person: Person, room: str) -> None:
    """Returns when the person was told that the room has ended because of its moderator."""
    await until(lambda: room_jid(room) in person.destroyed, f"{room} is closed", TIMEOUT + 1)
    assert "moderator" in person.destroyed[room_jid(room)]


async def test_a_moderator_in_a_breakout_room_keeps_the_call(prosody: Prosody, consumer: Consumer, room: str) -> None:
    """Both rooms go on, the empty main room too, and back in it is the same call with its one event."""
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        breakout = await moderator.add_breakout_room(room)
        await asker.move(room, breakout)
        await moderator.move(room, breakout)
        await asyncio.sleep(TIMEOUT + 0.5)
        assert asker.destroyed == {}
        assert await asker.room_exists(room)
        await consumer.none(room, prosody)
        await asker.move(breakout, room)
        await moderator.move(breakout, room)
        await asyncio.sleep(TIMEOUT + 0.5)
        assert asker.destroyed == {}
        left = await at_a_whole_second()
        await moderator.leave(room)
        await closed(asker, room)
        assert await consumer.just_one(room, prosody) == stop_event(room, left)


async def test_the_call_ends_after_its_last_moderator_left_a_breakout_room(
    prosody: Prosody, consumer: Consumer, room: str
) -> None:
    """In every room of the call, and with the time at which the last one left."""
    async with Stage(prosody) as stage:
        first, second = await stage.moderator(room), await stage.moderator(room)
        askers = [await stage.asker(room) for _ in range(3)]
        places = [await first.add_breakout_room(room), await first.add_breakout_room(room)]
        for person, place in zip((first, second, *askers), (*places, *places), strict=False):
            await person.move(room, place)
        await first.leave(places[0])
        await asyncio.sleep(TIMEOUT + 0.5)
        assert askers[0].destroyed == {}, "the second one is in"
        left = await at_a_whole_second()
        second.drop()
        for asker, place in zip(askers, (*places, room), strict=True):
            await closed(asker, place)
        assert not await askers[0].room_exists(room)
        assert await consumer.just_one(room, prosody) == stop_event(room, left)


async def test_a_moderator_who_sets_out_and_does_not_arrive_has_left(
    prosody: Prosody, consumer: Consumer, room: str
) -> None:
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        await moderator.add_breakout_room(room)
        left = await at_a_whole_second()
        await moderator.leave(room, "switch_room")
        await closed(asker, room)
        assert await consumer.just_one(room, prosody) == stop_event(room, left)


async def test_a_moderator_may_be_in_before_leaving_the_main_room(
    prosody: Prosody, consumer: Consumer, room: str
) -> None:
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        breakout = await moderator.add_breakout_room(room)
        await moderator.enter(breakout)
        await moderator.leave(room)
        await asyncio.sleep(TIMEOUT + 0.5)
        assert asker.destroyed == {}
        left = await at_a_whole_second()
        await moderator.leave(breakout)
        await closed(asker, room)
        assert await consumer.just_one(room, prosody) == stop_event(room, left)


async def test_nobody_else_in_a_breakout_room_keeps_the_call(prosody: Prosody, consumer: Consumer, room: str) -> None:
    """Neither an asker nor the focus, which is owner everywhere, nor the moderator of another call."""
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        other = await stage.moderator(f"{room}-other")
        breakout = await moderator.add_breakout_room(room)
        elsewhere = await other.add_breakout_room(f"{room}-other")
        await asker.move(room, breakout)
        await stage.focus.enter(breakout)
        await other.move(f"{room}-other", elsewhere)
        with pytest.raises(RefusedError):
            await other.enter(breakout)
        left = await at_a_whole_second()
        await moderator.leave(room)
        await closed(asker, breakout)
        assert await consumer.just_one(room, prosody) == stop_event(room, left)
        assert elsewhere not in other.destroyed
        await consumer.none(f"{room}-other", prosody)


async def test_a_call_ended_while_its_moderators_are_in_breakout_rooms(
    prosody: Prosody, consumer: Consumer, room: str
) -> None:
    """The breakout rooms end with it, which is when the last moderator left."""
    async with Stage(prosody) as stage:
        moderators = [await stage.moderator(room) for _ in range(3)]
        places = [await moderators[0].add_breakout_room(room) for _ in range(2)]
        for moderator, place in zip(moderators, places, strict=False):
            await moderator.move(room, place)
        left = await at_a_whole_second()
        await moderators[2].destroy(room)
        await until(lambda: places[0] in moderators[0].destroyed, "the first breakout room ends", 1)
        await until(lambda: places[1] in moderators[1].destroyed, "the second one ends", 1)
        assert await consumer.just_one(room, prosody) == stop_event(room, left)


async def test_a_reload_forgets_no_breakout_room(prosody: Prosody, consumer: Consumer, room: str) -> None:
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        breakout = await moderator.add_breakout_room(room)
        await moderator.move(room, breakout)
        await asyncio.to_thread(prosody.reload_modules, "close_room")
        await asyncio.sleep(TIMEOUT + 0.5)
        assert asker.destroyed == {}
        left = await at_a_whole_second()
        await moderator.leave(breakout)
        await closed(asker, room)
        assert await consumer.just_one(room, prosody) == stop_event(room, left)


async def test_jicofo_is_asked_for_breakout_rooms_of_the_askers_own_call_alone(
    prosody: Prosody, consumer: Consumer, room: str
) -> None:
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        other = await stage.moderator(f"{room}-other")
        breakout = await moderator.add_breakout_room(room)
        await asker.request_any(breakout)
        for person, place in ((asker, f"invented@{BREAKOUT_DOMAIN}"), (other, breakout)):
            with pytest.raises(RefusedError) as caught:
                await person.request_any(place)
            assert caught.value.condition == "not-allowed"
