"""Events are delivered once, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.prosody.gate import ANSWERS, MALFORMED, Gate
from tests.prosody.servers import Prosody, RabbitMQ, http_get
from tests.prosody.stage import Consumer, MakeProsody, Stage, stop_event, until

pytestmark = pytest.mark.prosody

# Quick to try again, quick to give up.
EAGER = {"statistics_retry_min": 0.1, "statistics_retry_max": 0.5, "statistics_request_timeout": 1}
# What an earlier Prosody left is settled soon.
IMPATIENT = {"conference_restart_grace": 2}


@pytest.fixture
def gate(rabbitmq: RabbitMQ) -> Iterator[Gate]:
    one = Gate(rabbitmq)
    yield one
    one.close()


def new_room() -> str:
    return secrets.token_hex(8)


async def hold_call(stage: Stage, room: str) -> None:
    """A call that a moderator opens and leaves."""
    moderator = await stage.moderator(room)
    await moderator.leave(room)
    await moderator.leave_server()


async def hold_calls(prosody: Prosody, rooms: list[str]) -> None:
    """Calls that end one after the other; returns when all their events wait or are delivered."""
    before = await asyncio.to_thread(_ended, prosody)
    async with Stage(prosody) as stage:
        for room in rooms:
            await hold_call(stage, room)
        await until(lambda: _ended(prosody) == before + len(rooms), "all calls have ended")


def _ended(prosody: Prosody) -> int:
    backlog = prosody.backlog()
    return int(backlog["events"] + backlog["delivered"] + backlog["dropped"])


async def restart(prosody: Prosody, how: signal.Signals) -> None:
    await asyncio.to_thread(prosody.stop, how)
    await asyncio.to_thread(prosody.start)


async def test_whatever_goes_wrong_first_the_event_arrives_once(
    make_prosody: MakeProsody, gate: Gate, consumer: Consumer
) -> None:
    """No connection, a cut one, no answer in time, an error status, nonsense, not routed: each is tried again, after
    growing pauses, and the password is in no line of the log, not even at level debug."""
    prosody, room = make_prosody(gate.broker, timeout=1, options=EAGER), new_room()
    await hold_calls(prosody, [room])
    await until(lambda: "no connection" in prosody.log, "a refused connection")
    faults = ["cut", "hang", *ANSWERS, *MALFORMED]
    gate.faults = list(faults)
    gate.open()
    assert json.loads(await consumer.just_one(room, prosody, 60))["videoCallUuid"] == room
    assert gate.faulted == [*faults, ""]
    pauses = [float(pause) for pause in re.findall(r"next attempt in ([\d.]+) seconds", prosody.log)]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.5]
    assert set(pauses[4:]) == {0.5}, "and no longer than the longest"
    for problem in ("HTTP status 401", "HTTP status 404", "HTTP status 500", "no answer in 1 seconds", "not routed"):
        assert problem in prosody.log
    for hidden in (gate.broker.password, base64.b64encode(f"publisher:{gate.broker.password}".encode()).decode()):
        assert hidden not in prosody.log
    assert not list(prosody.spool.glob("*.event")), "nothing is left on disk"
    messages = {body.decode() for body in gate.bodies}
    assert len(messages) == 1, "each attempt says the same, so that a repetition can be recognised"
    properties = json.loads(messages.pop())["properties"]
    assert properties["delivery_mode"] == 2
    assert re.fullmatch(r"\d{14}-[\w-]{8,}", properties["message_id"])


async def test_every_event_arrives_once_after_a_broken_broker_and_restarts(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    """The real broker is down while calls end and Prosody is restarted, in good order and by a crash; and it is
    restarted itself before anybody has taken the events."""
    prosody = make_prosody(rabbitmq.broker, timeout=1, options=EAGER | IMPATIENT)
    rooms = [new_room() for _ in range(4)]
    consumer.take()
    rabbitmq.stop()
    try:
        await hold_calls(prosody, rooms[:2])
        await restart(prosody, signal.SIGTERM)
        assert prosody.backlog()["events"] == 2
        await hold_calls(prosody, rooms[2:])
        await restart(prosody, signal.SIGKILL)
        backlog = prosody.backlog()
        assert backlog["events"] == 4
        assert backlog["oldest_age_seconds"] >= 1
    finally:
        await asyncio.to_thread(rabbitmq.start)
    await until(lambda: prosody.backlog()["events"] == 0, "all are delivered")
    await asyncio.to_thread(rabbitmq.stop, signal.SIGTERM)
    await asyncio.to_thread(rabbitmq.start)
    await consumer.just_one(rooms[-1], prosody)
    arrived = [json.loads(payload)["videoCallUuid"] for payload in consumer.payloads]
    assert arrived == rooms, "each once, in the order in which the calls ended"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stop", "crash"])
async def test_a_call_that_prosodys_end_cut_off_leaves_one_event(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer, how: signal.Signals
) -> None:
    """Rooms live in memory only; the event has the time at which Prosody went."""
    prosody, room, leaving = make_prosody(rabbitmq.broker, options=IMPATIENT), new_room(), new_room()
    async with Stage(prosody) as stage:
        await stage.moderator(room)
        left = time.time()
        await hold_call(stage, leaving)  # its countdown runs when Prosody goes
        await asyncio.to_thread(prosody.stop, how)
        stopped = time.time()
        await asyncio.sleep(1.5)
        await asyncio.to_thread(prosody.start)
        await consumer.none(room, prosody)
    payload = await consumer.just_one(room, prosody)
    assert payload in {stop_event(room, second) for second in range(int(left) - 1, int(stopped) + 1)}
    payload = await consumer.just_one(leaving, prosody)
    assert payload in {stop_event(leaving, second) for second in range(int(left), int(stopped) + 1)}


async def test_a_call_goes_on_if_its_moderator_is_back_after_a_restart(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    """Jitsi's page waits up to 29 seconds before it tries again: longer than the countdown."""
    prosody, room = make_prosody(rabbitmq.broker, timeout=2), new_room()
    async with Stage(prosody) as stage:
        await stage.moderator(room)
        await asyncio.to_thread(prosody.stop)
    await asyncio.to_thread(prosody.start)
    await asyncio.sleep(3)
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        await asyncio.sleep(2.5)
        await consumer.none(room, prosody)
        left = time.time()
        await moderator.leave(room)
        payload = await consumer.just_one(room, prosody)
        assert payload in {stop_event(room, left), stop_event(room, left + 1)}
    records = [file.name for file in prosody.spool.iterdir() if file.suffix in (".call", ".event")]
    assert records == [], "nothing is left that another restart would make a second event of"


async def test_no_call_ends_while_prosody_stops(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    """Nobody can come back in a stop that takes longer than the countdown: after the restart it is still time."""
    options = {"stand_in_slow_stop": 4}
    prosody = make_prosody(rabbitmq.broker, timeout=2, meddler=True, options=options)
    inside, leaving = new_room(), new_room()
    async with Stage(prosody) as stage:
        await stage.moderator(inside)
        await hold_call(stage, leaving)  # its countdown runs when Prosody goes
        began = time.monotonic()
        await asyncio.to_thread(prosody.stop)
        assert time.monotonic() - began > 4, "the stop outlasts both countdowns"
    await asyncio.to_thread(prosody.start)
    async with Stage(prosody) as stage:
        for room in (inside, leaving):
            await consumer.none(room, prosody)
            await hold_call(stage, room)
        for room in (inside, leaving):
            await consumer.just_one(room, prosody)


async def test_an_event_that_no_queue_takes_waits_for_the_binding(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    prosody, room = make_prosody(rabbitmq.broker, timeout=1, options=EAGER), new_room()
    rabbitmq.bind(bound=False)
    try:
        await hold_calls(prosody, [room])
        await until(lambda: "not routed" in str(prosody.backlog().get("last_problem")), "the broker routes nowhere")
    finally:
        rabbitmq.bind(bound=True)
    await consumer.just_one(room, prosody)


@asynccontextmanager
async def delivery_under_way(make_prosody: MakeProsody, gate: Gate) -> AsyncIterator[tuple[Prosody, str]]:
    """Prosody and the room whose event a slow broker has got, but not answered."""
    prosody, room = make_prosody(gate.broker, timeout=1), new_room()
    gate.faults = ["slow"]
    gate.open()
    async with Stage(prosody) as stage:
        await hold_call(stage, room)
        await until(lambda: gate.faulted, "the delivery is under way")
        yield prosody, room


async def test_a_reload_during_a_delivery_sends_nothing_twice(
    make_prosody: MakeProsody, gate: Gate, consumer: Consumer
) -> None:
    async with delivery_under_way(make_prosody, gate) as (prosody, room):
        await asyncio.to_thread(prosody.reload_modules, "statistics_queue")
        await consumer.just_one(room, prosody)
    assert gate.faulted == ["slow"]


async def test_a_stop_during_a_delivery_sends_nothing_twice(
    make_prosody: MakeProsody, gate: Gate, consumer: Consumer
) -> None:
    """The broker has taken the message, or is about to: its answer is worth a moment."""
    async with delivery_under_way(make_prosody, gate) as (prosody, room):
        await restart(prosody, signal.SIGTERM)
    await consumer.just_one(room, prosody)
    assert gate.faulted == ["slow"]


async def test_each_delivery_has_the_whole_time_for_its_answer(
    make_prosody: MakeProsody, gate: Gate, consumer: Consumer
) -> None:
    """A slow broker is not asked again while it works: that would make a second message of one event."""
    options = EAGER | {"statistics_request_timeout": 1.5}
    prosody, rooms = make_prosody(gate.broker, timeout=1, options=options), [new_room() for _ in range(3)]
    gate.faults = ["slow"] * 3
    await hold_calls(prosody, rooms)
    gate.open()
    await consumer.just_one(rooms[-1], prosody)
    assert gate.faulted == ["slow"] * 3


async def test_the_backlog_is_bounded_in_number_and_says_so(
    make_prosody: MakeProsody, gate: Gate, consumer: Consumer
) -> None:
    """First a warning, then the oldest go, each named; the others arrive in order. The size is seen from outside."""
    prosody = make_prosody(gate.broker, timeout=1, options=EAGER | {"statistics_max_events": 5})
    rooms = [new_room() for _ in range(7)]
    await hold_calls(prosody, rooms)
    backlog = prosody.backlog()
    assert (backlog["events"], backlog["dropped"]) == (5, 2)
    metrics = http_get(f"http://127.0.0.1:{prosody.setup.http_port}/metrics") or ""
    assert "prosody_mod_statistics_queue__events 5" in metrics
    assert "prosody_mod_statistics_queue__oldest_age_seconds" in metrics
    log = prosody.log
    dropped = [log.index(f"dropped, the backlog is full: STOP_VIDEO_CALL of room {room}") for room in rooms[:2]]
    assert log.index("Statistics backlog: 4 events of at most 5") < min(dropped), "warned before anything is dropped"
    gate.open()
    await consumer.just_one(rooms[-1], prosody)
    assert [json.loads(payload)["videoCallUuid"] for payload in consumer.payloads if _is_of(payload, rooms)] == rooms[
        2:
    ]


def _is_of(payload: str, rooms: list[str]) -> bool:
    return json.loads(payload)["videoCallUuid"] in rooms


async def test_the_backlog_is_bounded_in_age_and_says_so(make_prosody: MakeProsody, gate: Gate) -> None:
    prosody = make_prosody(gate.broker, timeout=1, options=EAGER | {"statistics_max_age": 4})
    room = new_room()
    await hold_calls(prosody, [room])
    await until(lambda: prosody.backlog()["dropped"] == 1, "the event is too old")
    log = prosody.log
    gone = log.index(f"dropped, it is too old: STOP_VIDEO_CALL of room {room}")
    assert log.index("Statistics backlog: 1 events of at most 10000") < gone, "warned before anything is dropped"
    assert not list(prosody.spool.glob("*.event"))


async def test_two_calls_in_one_room_are_two_events_in_order(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    prosody, room = make_prosody(rabbitmq.broker, timeout=1), new_room()
    async with Stage(prosody) as stage:
        for count in (1, 2):
            await hold_call(stage, room)
            await until(lambda wanted=count: len(consumer.of(room)) == wanted, f"event {count}")  # type: ignore[misc]
    first, second = (json.loads(payload)["timestamp"] for payload in consumer.of(room))
    assert first < second
