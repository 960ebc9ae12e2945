"""Who loses the right to be in a call is out of all its rooms, by whatever connection, and reaches nobody in it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.prosody.conftest import running
from tests.prosody.people import Person, RefusedError, lobby_jid, room_jid
from tests.prosody.servers import Installation, Prosody
from tests.prosody.stage import Stage, until
from tests.prosody.test_lobby import FIELDS, admitted

pytestmark = pytest.mark.prosody

KNOWN = {"context": {"user": {"id": "u-1"}}}
MESSAGES: tuple[Any, ...] = ("chat", "normal", "headline", "groupchat", "error")
PRESENCES: tuple[Any, ...] = (None, "unavailable", "subscribe", "probe")
WAYS = ("removed", "membership taken", "banned")


@pytest.fixture(scope="module")
def prosody(installation: Installation) -> Iterator[Prosody]:
    yield from running(installation, None, FIELDS)


@pytest.fixture
def room() -> str:
    return secrets.token_hex(8)


async def expel(moderator: Person, room: str, person: Person, how: str) -> None:
    if how == "removed":
        await moderator.administer(room, role="none", nick=person.nick)
    else:
        affiliation = "outcast" if how == "banned" else "none"
        await moderator.administer(room, affiliation=affiliation, jid=person.boundjid.bare)


async def out(person: Person, place: str) -> None:
    """The person is told within seconds to be out of the place."""
    await until(lambda: person.standing(place)[1] == "none", f"out of {place}", 5)


async def refused(person: Person, place: str) -> None:
    with pytest.raises(RefusedError):
        await person.enter(place)


@pytest.mark.parametrize("lobby", ["lobby", "lobby switched off"])
@pytest.mark.parametrize("how", WAYS)
async def test_who_is_out_of_the_room_is_out_of_its_breakout_rooms(
    prosody: Prosody, room: str, how: str, lobby: str
) -> None:
    """Each connection of the person, in each room of the call; another person stays."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        first = await admitted(moderator, stage, room, **KNOWN)
        bystander = await admitted(moderator, stage, room, context={"user": {"id": "u-2"}})
        second, third = [await stage.person(room, **KNOWN) for _ in range(2)]
        breakout = await moderator.add_breakout_room(room)
        for one in (second, third):
            await one.enter(room)
        await second.move(room, breakout)
        await bystander.enter(breakout)
        if lobby == "lobby switched off":
            await moderator.configure(room, membersonly="false")
        await expel(moderator, room, first, how)
        for one, place in ((first, room), (second, breakout), (third, room)):
            await out(one, place)
        await bystander.settle()
        assert bystander.standing(breakout)[1] == "participant"
        assert bystander.standing(room)[1] == "participant"
        if how == "banned" or lobby == "lobby":
            for one in (first, second, await stage.person(room, **KNOWN)):
                await refused(one, room)
                await refused(one, breakout)


@pytest.mark.parametrize("how", ["membership taken", "banned"])
async def test_who_is_in_a_breakout_room_alone_is_out_of_it(prosody: Prosody, room: str, how: str) -> None:
    """Also without a user id, and where the moderator is in the main room."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        person = await admitted(moderator, stage, room)
        breakout = await moderator.add_breakout_room(room)
        await person.move(room, breakout)
        await expel(moderator, room, person, how)
        await out(person, breakout)
        await refused(person, breakout)


async def test_who_is_removed_in_a_breakout_room_is_out_of_the_others(prosody: Prosody, room: str) -> None:
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        first = await admitted(moderator, stage, room, **KNOWN)
        second, third = [await stage.person(room, **KNOWN) for _ in range(2)]
        places = [await moderator.add_breakout_room(room) for _ in range(2)]
        for one in (second, third):
            await one.enter(room)
        await first.move(room, places[0])
        await second.move(room, places[1])
        await moderator.move(room, places[0])
        await moderator.administer(places[0], role="none", nick=first.nick)
        for one, place in ((first, places[0]), (second, places[1]), (third, room)):
            await out(one, place)


async def test_who_is_banned_waits_no_longer(prosody: Prosody, room: str) -> None:
    """Neither by another connection in the lobby, nor by a new one."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        first, waiting = await stage.person(room, **KNOWN), await stage.person(room, **KNOWN)
        for one in (first, waiting):
            await one.knock(room)
        await moderator.administer(room, affiliation="outcast", jid=first.boundjid.bare)
        for one in (first, waiting):
            await out(one, lobby_jid(room))
        await refused(await stage.person(room, **KNOWN), lobby_jid(room))


async def test_two_tokens_of_one_person_with_different_rights(prosody: Prosody, room: str) -> None:
    """Removed or banned as a member, one is out as a moderator too; a ban holds against any token of the person."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        member = await admitted(moderator, stage, room, **KNOWN)
        other = await stage.person(room, moderator=True, **KNOWN)
        await other.join(room)
        await expel(moderator, room, member, "banned")
        for one in (member, other):
            await out(one, room)
        await refused(await stage.person(room, moderator=True, **KNOWN), room)


async def test_a_moderator_removes_an_own_connection_that_hangs(prosody: Prosody, room: str) -> None:
    """And stays in with the present one, and nobody takes them for removed."""
    async with Stage(prosody) as stage:
        hanging = await stage.person(room, moderator=True, **KNOWN)
        await hanging.join(room)
        present = await stage.person(room, moderator=True, **KNOWN)
        await present.join(room)
        await expel(present, room, hanging, "removed")
        await out(hanging, room)
        await present.settle()
        assert present.standing(room) == ("owner", "moderator")
        await (await stage.person(room, **KNOWN)).enter(room)


async def test_who_was_let_into_a_breakout_room_stays_as_the_lobby_goes_on(prosody: Prosody, room: str) -> None:
    """They are members as if they had come by the main room, and so can be put out as any member."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        await moderator.configure(room, membersonly="false")
        breakout = await moderator.add_breakout_room(room)
        person = await stage.person(room, **KNOWN)
        await person.enter(breakout)
        await moderator.configure(room, membersonly="true")
        await person.move(breakout, room)
        assert person.standing(room) == ("member", "participant")
        await person.move(room, breakout)
        await expel(moderator, room, person, "membership taken")
        await out(person, breakout)


async def test_nobody_writes_to_another_person_past_the_rooms(prosody: Prosody, room: str) -> None:
    """Neither a message nor a presence, of whatever type; by rooms they do. (Requests: test_attack.py.)"""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        inside, waiting = await admitted(moderator, stage, room), await stage.person(room)
        await waiting.knock(room)
        got: list[str] = []
        senders = {str(one.boundjid.full) for one in (inside, waiting)}

        def note(stanza: Any) -> None:
            if str(stanza["from"]) in senders:
                got.append(str(stanza))

        for one in (moderator, stage.focus):
            for kind in ("message", "presence"):
                one.add_event_handler(kind, note)
        for sender in (inside, waiting):
            for target in (moderator, stage.focus):
                for address in (target.boundjid.full, target.boundjid.bare):
                    for message in MESSAGES:
                        sender.make_message(mto=address, mbody="hello", mtype=message).send()
                    for presence in PRESENCES:
                        sender.make_presence(pto=address, ptype=presence).send()
            await sender.settle()
        for one in (moderator, stage.focus):
            await one.settle()
        assert got == []
        await inside.deliver(inside.make_message(mto=f"{room_jid(room)}/{moderator.nick}", mbody="hi", mtype="chat"))


async def test_who_is_removed_while_the_connection_hangs_is_not_in_once_it_is_resumed(
    prosody: Prosody, room: str
) -> None:
    """XEP-0198: the client takes up its session where it was, but none of the rooms of the call."""
    async with Stage(prosody) as stage:
        moderator = await stage.moderator(room)
        person = await admitted(moderator, stage, room, **KNOWN)
        hanging = await stage.person_who_resumes(room, **KNOWN)
        await hanging.enter(room)
        breakout = await moderator.add_breakout_room(room)
        await hanging.enter(breakout)
        resumed = asyncio.Event()
        hanging.add_event_handler("session_resumed", lambda _: resumed.set())
        hanging.drop()
        await moderator.settle()
        await expel(moderator, room, person, "removed")
        hanging.connect("127.0.0.1", prosody.setup.c2s_port)
        await asyncio.wait_for(resumed.wait(), 30)
        for place in (room, breakout):
            await out(hanging, place)
            await refused(hanging, place)
