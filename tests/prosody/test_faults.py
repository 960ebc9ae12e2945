"""Rooms close and events arrive once, whatever becomes of the disk, of records, and of other plugins."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prosody.people import room_jid
from tests.prosody.servers import Prosody, RabbitMQ
from tests.prosody.stage import Consumer, MakeProsody, Stage, stop_event, until

pytestmark = pytest.mark.prosody

# Calls end soon, and what an earlier Prosody left is settled soon.
QUICK = {"conference_restart_grace": 1}


def new_room() -> str:
    return secrets.token_hex(8)


async def call_ends(prosody: Prosody, room: str) -> None:
    """Fails unless a room closes after its moderator left, with somebody in it."""
    async with Stage(prosody) as stage:
        await call_ends_on(stage, room)


async def call_ends_on(stage: Stage, room: str) -> None:
    moderator, asker = await stage.moderator(room), await stage.asker(room)
    await moderator.leave(room)
    await until(lambda: room_jid(room) in asker.destroyed, f"{room} is closed")


def record(record_id: str, room: str, **fields: object) -> str:
    return json.dumps({"id": record_id, "room": room, "room_jid": room_jid(room)} | fields)


def lay(prosody: Prosody, name: str, text: str | bytes) -> None:
    """Puts a file into the spool of a Prosody that is stopped."""
    prosody.spool.mkdir(exist_ok=True)
    (prosody.spool / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def mount(directory: Path, *options: str) -> None:
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("a file system of one's own needs root")


@pytest.fixture
def mounted(make_prosody: MakeProsody, rabbitmq: RabbitMQ) -> Iterator[Prosody]:
    """A Prosody whose spool is a file system of its own, of 64 kB."""
    prosody = make_prosody(rabbitmq.broker, timeout=1, options=QUICK)
    prosody.stop()
    prosody.spool.mkdir(exist_ok=True)
    mount(prosody.spool, "-o", "size=64k")
    try:
        prosody.start()
        yield prosody
    finally:
        prosody.stop()
        subprocess.run(["umount", str(prosody.spool)], check=False)


async def test_no_record_stops_anything_and_a_good_one_is_delivered(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    """What cannot be used is put aside, said once, and counted; what can be is delivered, with whatever time it has."""
    prosody = make_prosody(rabbitmq.broker, timeout=1, options=QUICK)
    prosody.stop()
    rooms = {name: f"{name}-{new_room()}" for name in ("timeless", "old", "far", "odd", "good", "both", "cut", "twice")}
    ids = {name: f"0000000000000{number}-a" for number, name in enumerate(rooms)}
    lay(prosody, f"{ids['timeless']}.event", record(ids["timeless"], rooms["timeless"]))
    lay(prosody, f"{ids['old']}.event", record(ids["old"], rooms["old"], left_at=1000))
    lay(prosody, f"{ids['far']}.event", record(ids["far"], rooms["far"], left_at=10**15))
    lay(prosody, f"{ids['odd']}.event", record(ids["odd"], rooms["odd"], left_at="yesterday"))
    lay(prosody, f"{ids['good']}.event", record(ids["good"], rooms["good"], left_at=1700000000.5))
    for kind in ("call", "event"):  # a crash between writing the one and removing the other
        lay(prosody, f"{ids['both']}.{kind}", record(ids["both"], rooms["both"], left_at=1700000000))
    for number in (1, 2):
        lay(
            prosody, f"0000000000001{number}-a.call", record(f"0000000000001{number}-a", rooms["twice"], left_at=number)
        )
    useless: dict[str, str | bytes] = {
        "1-a.event": "",
        "1-b.event": "{",
        "1-c.event": b"\x00\xff",
        "1-d.event": "[" * 100000,
        "1-e.event": "[1]",
        "1-f.event": record("another", "a-room"),
        "1-g.event": json.dumps({"id": "1-g", "room": 5, "room_jid": "a@b"}),
        "1-h.call": json.dumps({"id": "1-h", "room": "a", "room_jid": 5}),
        "1-i.call": json.dumps({"id": "1-i", "room": "a", "room_jid": "@"}),
    }
    for name, text in useless.items():
        lay(prosody, name, text)
    (prosody.spool / "1-j.event").mkdir()
    lay(prosody, "1-k.new", "a write that was cut off")
    lay(prosody, "1-l.call", "")  # and one before its last step
    lay(prosody, "1-l.new", record("1-l", rooms["cut"], left_at=1700000000))
    prosody.start()
    await call_ends(prosody, new_room())
    await until(lambda: all(consumer.of(room) for room in rooms.values()), "all good ones arrive")
    await until(lambda: prosody.backlog()["events"] == 0 and len(consumer.of(rooms["twice"])) == 2, "nothing waits")
    assert {name: len(consumer.of(room)) for name, room in rooms.items()} == dict.fromkeys(rooms, 1) | {"twice": 2}
    assert consumer.of(rooms["old"]) == [stop_event(rooms["old"], 1000)]
    assert consumer.of(rooms["good"]) == [stop_event(rooms["good"], 1700000000)]
    now = {stop_event(rooms["timeless"], time.time() - ago) for ago in range(60)}
    assert set(consumer.of(rooms["timeless"])) <= now, "when its file was renamed"
    assert prosody.backlog()["unreadable"] == len(useless) + 1
    for name in [*useless, "1-j.event"]:
        assert prosody.log.count(f"{name} cannot be used") == 1
        assert (prosody.spool / f"{name}.unreadable").exists()
    assert not list(prosody.spool.glob("*.new"))
    assert prosody.is_healthy()


async def test_a_spool_that_is_no_directory_stops_nothing_and_its_records_come_later(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    prosody, room, kept = make_prosody(rabbitmq.broker, timeout=1, options=QUICK), new_room(), new_room()
    prosody.stop()
    lay(prosody, "00000000000001-a.event", record("00000000000001-a", kept, left_at=1000))
    aside = prosody.spool.with_name("aside")
    prosody.spool.rename(aside)
    prosody.spool.write_text("")
    prosody.start()
    await call_ends(prosody, room)
    await until(lambda: consumer.of(room), "the event comes all the same")
    assert prosody.backlog()["unwritten"] == 1, "what is to be removed is remembered"
    prosody.spool.unlink()
    aside.rename(prosody.spool)
    await until(lambda: consumer.of(kept), "what was out of reach for a while", 20)
    await until(lambda: prosody.backlog()["unwritten"] == 0, "nothing is remembered any more")
    prosody.stop()
    prosody.start()
    await asyncio.sleep(2)
    assert (len(consumer.of(room)), len(consumer.of(kept))) == (1, 1)


async def test_a_spool_read_only_for_a_while_loses_and_doubles_nothing(mounted: Prosody, consumer: Consumer) -> None:
    """Calls that began before and that began meanwhile, whose events were delivered meanwhile, and a restart at once."""
    before, meanwhile = new_room(), new_room()
    async with Stage(mounted) as stage:
        moderator = await stage.moderator(before)
        subprocess.run(["mount", "-o", "remount,ro", str(mounted.spool)], check=True)
        await moderator.leave(before)
        await call_ends_on(stage, meanwhile)
        await until(lambda: consumer.of(before) and consumer.of(meanwhile), "the events")
        await stage.moderator(f"{meanwhile}-open")
        assert mounted.backlog()["unwritten"] >= 1
        subprocess.run(["mount", "-o", "remount,rw", str(mounted.spool)], check=True)
        await asyncio.to_thread(mounted.stop)
    await asyncio.to_thread(mounted.start)
    await consumer.just_one(f"{meanwhile}-open", mounted)
    assert (len(consumer.of(before)), len(consumer.of(meanwhile))) == (1, 1)
    assert not list(mounted.spool.glob("*.call"))


async def test_a_spool_full_for_a_while_loses_and_doubles_nothing(mounted: Prosody, consumer: Consumer) -> None:
    """The call that began before is over by a rename; the others wait in memory until there is room."""
    before, meanwhile = new_room(), new_room()
    async with Stage(mounted) as stage:
        moderator = await stage.moderator(before)
        filler = mounted.spool / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(b"x" * 10**6)
        await moderator.leave(before)
        await call_ends_on(stage, meanwhile)
        await until(lambda: consumer.of(before) and consumer.of(meanwhile), "the events")
        await stage.moderator(f"{meanwhile}-open")
        filler.unlink()
        await until(lambda: mounted.backlog()["unwritten"] == 0, "all is written once there is room")
        await asyncio.to_thread(mounted.stop, signal.SIGKILL)
    await asyncio.to_thread(mounted.start)
    await consumer.just_one(f"{meanwhile}-open", mounted)
    assert (len(consumer.of(before)), len(consumer.of(meanwhile))) == (1, 1)


@pytest.mark.parametrize("broken", ["statistics_calls", "statistics_queue", "room_lobby"])
async def test_rooms_close_without_the_modules_beside(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, broken: str
) -> None:
    prosody = make_prosody(rabbitmq.broker, timeout=1, broken=(broken,))
    await call_ends(prosody, new_room())
    assert f"Cannot load mod_{broken}" in prosody.log


async def test_no_other_plugin_stops_a_room_from_closing(
    make_prosody: MakeProsody, rabbitmq: RabbitMQ, consumer: Consumer
) -> None:
    """An error in a hook is logged once, health and backlog show it until a room was closed without, and the one event
    comes; other rooms close meanwhile as ever."""
    prosody = make_prosody(rabbitmq.broker, timeout=1, meddler=True)
    hooks = ["muc-occupant-left", "muc-room-destroyed", "muc-pre-room-destroy", "video-call"]
    rooms = [f"broken-{hook}-{new_room()}" for hook in hooks]
    async with Stage(prosody) as stage:
        people = [(await stage.moderator(room), await stage.asker(room), room) for room in rooms]
        for moderator, _, _ in people:
            moderator.drop()
        for _, asker, room in people:
            await until(lambda asker=asker, room=room: room_jid(room) in asker.destroyed, f"{room} closes", 20)  # type: ignore[misc]
            assert not await asker.room_exists(room)
        assert not prosody.is_healthy()
        assert "broken-" in prosody.backlog()["closing_problem"]
        for room in rooms:
            assert len(consumer.of(room)) <= 1
    lines = [line for line in prosody.log.splitlines() if "\terror\tCannot " in line]
    assert len(lines) == len(set(lines))
    await call_ends(prosody, new_room())
    assert prosody.is_healthy()
    assert "closing_problem" not in prosody.backlog()
    for room in rooms[:-1]:
        await consumer.just_one(room, prosody)
