"""When a room closes, and the one event that its call leaves."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from tests.prosody.configuration import Broker
from tests.prosody.people import RefusedError, room_jid
from tests.prosody.servers import Prosody, RabbitMQ
from tests.prosody.stage import Consumer, MakeProsody, Stage, at_a_whole_second, stop_event, until

pytestmark = pytest.mark.prosody

TIMEOUT = 2


def new_room() -> str:
    return secrets.token_hex(8)


@pytest.fixture
def room() -> str:
    return new_room()


async def test_the_event_names_any_room_to_the_letter(shared_prosody: Prosody, consumer: Consumer, room: str) -> None:
    """Also one whose name has what JSON, a shell or a format string knows; what XMPP has no names of is no room."""
    names = [f"{room}{odd}" for odd in ("\\b\\u0022", "-\u00fc\u65e5", "%22%0a%s", "{}$(x)`", "..")]
    async with Stage(shared_prosody) as stage:
        for name in names:
            moderator = await stage.moderator(name)
            await moderator.leave(name)
        await until(lambda: all(consumer.of(name) for name in names), "an event for each")
        assert [len(consumer.of(name)) for name in names] == [1] * len(names)


async def test_a_room_closes_after_its_last_moderator_left(
    shared_prosody: Prosody, consumer: Consumer, room: str
) -> None:
    """The asker inside is told why, the room is gone, and the event is exactly what the consumer expects."""
    async with Stage(shared_prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        left = await at_a_whole_second()
        await moderator.leave(room)
        await asyncio.sleep(TIMEOUT - 0.5)
        assert await asker.room_exists(room), "it lives on for the timeout"
        await until(lambda: room_jid(room) in asker.destroyed, "the room is closed", 2)
        assert "moderator" in asker.destroyed[room_jid(room)]
        assert not await asker.room_exists(room)
        assert await consumer.just_one(room, shared_prosody) == stop_event(room, left)
        await asyncio.sleep(0.2)
        with pytest.raises(RefusedError):
            await asker.join(room)


async def test_a_moderator_back_in_time_keeps_the_room(shared_prosody: Prosody, consumer: Consumer, room: str) -> None:
    """No event then; the one event at the end has the time when the moderator left for good."""
    async with Stage(shared_prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        await moderator.leave(room)
        await asyncio.sleep(TIMEOUT / 2)
        await moderator.join(room)
        await asyncio.sleep(TIMEOUT + 0.5)
        assert room_jid(room) not in asker.destroyed
        await consumer.none(room, shared_prosody)
        left = await at_a_whole_second()
        await moderator.leave(room)
        assert await consumer.just_one(room, shared_prosody) == stop_event(room, left)


async def test_a_moderator_alone_may_come_back_to_the_empty_room(
    shared_prosody: Prosody, consumer: Consumer, room: str
) -> None:
    """Even with the focus gone the room waits, and it is one call."""
    async with Stage(shared_prosody) as stage:
        moderator = await stage.moderator(room)
        await moderator.leave(room)
        await stage.focus.settle()
        await asyncio.sleep(TIMEOUT / 2)
        assert await moderator.room_exists(room)
        await moderator.join(room)
        await asyncio.sleep(TIMEOUT)
        await consumer.none(room, shared_prosody)
        left = await at_a_whole_second()
        await moderator.leave(room)
        assert await consumer.just_one(room, shared_prosody) == stop_event(room, left)


async def test_one_event_however_many_leave_in_whatever_order(
    shared_prosody: Prosody, consumer: Consumer, room: str
) -> None:
    """Its time is that of the last moderator, not of the askers who leave before, between and after."""
    async with Stage(shared_prosody) as stage:
        first, second = await stage.moderator(room), await stage.moderator(room)
        askers = [await stage.asker(room) for _ in range(4)]
        await askers[0].leave(room)
        await first.leave(room)
        await askers[1].leave(room)
        left = await at_a_whole_second()
        second.drop()  # a lost connection is a leaving too
        await asyncio.sleep(0.7)
        await askers[2].leave(room)
        await asyncio.sleep(0.7)
        await askers[3].leave(room)
        assert await consumer.just_one(room, shared_prosody) == stop_event(room, left)


async def test_the_room_stays_while_one_of_two_moderators_is_in(
    shared_prosody: Prosody, consumer: Consumer, room: str
) -> None:
    async with Stage(shared_prosody) as stage:
        first, second = await stage.moderator(room), await stage.moderator(room)
        await first.leave(room)
        await asyncio.sleep(TIMEOUT + 0.5)
        assert await second.room_exists(room)
        await consumer.none(room, shared_prosody)


async def test_a_room_ended_by_its_moderator_leaves_one_event(
    shared_prosody: Prosody, consumer: Consumer, room: str
) -> None:
    """The event of a room destroyed on purpose does not come twice, either."""
    async with Stage(shared_prosody) as stage:
        moderator = await stage.moderator(room)
        left = await at_a_whole_second()
        await moderator.destroy(room)
        assert await consumer.just_one(room, shared_prosody) == stop_event(room, left)


async def test_a_room_of_verify_is_no_call_and_ends_by_itself(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    """No lobby, no countdown, no event; so it must not be a place where a call could be held unseen."""
    prosody = make_prosody(rabbitmq.broker, options={"verify_room_seconds": 4})
    room = f"videobackend-verify-{new_room()}"
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        asker = await stage.asker(room)
        await moderator.leave(room)
        await asyncio.sleep(TIMEOUT + 0.5)
        assert await asker.room_exists(room)
        await until(lambda: room_jid(room) in asker.destroyed, "the test is over", 5)
        await consumer.none(room, prosody)


async def test_jicofos_test_rooms_are_jicofos(shared_prosody: Prosody, room: str) -> None:
    async with Stage(shared_prosody) as stage:
        moderator = await stage.person("*", moderator=True)
        with pytest.raises(RefusedError):
            await moderator.join(f"__jicofo-health-check-{room}")


async def test_the_modules_survive_a_reload(shared_prosody: Prosody, consumer: Consumer, room: str) -> None:
    """During the call and during the countdown: rules, countdown and event stay."""
    names = ["token_moderation", "create_room", "room_entry", "room_requests", "room_lobby", "close_room"]
    names += ["statistics_calls", "statistics_queue"]
    async with Stage(shared_prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        await asyncio.to_thread(shared_prosody.reload_modules, *names)
        with pytest.raises(RefusedError):
            await moderator.administer(room, affiliation="owner", jid=asker.boundjid.bare)
        other = await stage.person("never-opened")
        with pytest.raises(RefusedError):
            await other.join("never-opened")
        left = await at_a_whole_second()
        await moderator.leave(room)
        await asyncio.to_thread(shared_prosody.reload_modules, "close_room", "statistics_calls")
        await until(lambda: room_jid(room) in asker.destroyed, "the room is closed", 3)
        assert await consumer.just_one(room, shared_prosody) == stop_event(room, left)


async def test_with_statistics_off_nothing_is_recorded(make_prosody: MakeProsody, room: str) -> None:
    prosody = make_prosody(timeout=1)
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        await moderator.leave(room)
        await until(lambda: room_jid(room) in asker.destroyed, "the room is closed", 3)
    assert not prosody.spool.exists()
    assert "traceback" not in prosody.log.lower()


async def test_with_a_missing_rabbit_value_nothing_fails(
    make_prosody: MakeProsody, consumer: Consumer, room: str
) -> None:
    """The log names what is missing, the room closes all the same."""
    prosody = make_prosody(Broker(url="http://127.0.0.1:1/", username="", password=""), timeout=1)
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        await moderator.leave(room)
        await until(lambda: room_jid(room) in asker.destroyed, "the room is closed", 3)
    assert "rabbit_username, rabbit_password is missing or empty" in prosody.log
    assert not prosody.spool.exists()
    assert "traceback" not in prosody.log.lower()
    assert consumer.of(room) == []
