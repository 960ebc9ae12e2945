"""A call played at random: people come, go, are dropped, move, are banned, and the room is ended; and what must hold.

Owns one sequence in one room, and its model of how many calls there were. After each step nobody unadmitted gets in;
once nobody moderates any more the room is gone in time; in the end there was one event for each call.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

from tests.prosody.people import Person, RefusedError, lobby_jid, room_jid
from tests.prosody.stage import Stage, until

TIMEOUT = 4
IN_TIME = 1.2  # seconds after the last moderator left within which one still sets out to come back
LATE = 1.5  # seconds by which a busy Prosody may end a call after its countdown
SLACK = 20.0  # seconds more than the countdown that a busy machine may take


class Sequence:
    """One room, two moderators (one without a display name), a member and an outsider."""

    def __init__(self, room: str, seed: int) -> None:
        self.room = room
        self.calls = 0  # how many events there must be once all is over
        self.is_unsure = False  # whether a slow machine left it open if a moderator was in time; then no step follows
        self.steps: list[str] = []
        self._random = random.Random(seed)
        self._places: dict[str, str] = {}  # name of a moderator inside -> the room they are in
        # If a call is open and no moderator in: it does not end before, and no room keeps it from ending after.
        self._ends_from = self._ends_by = 0.0
        self._is_open = False
        self._is_ended = False  # by hand: the room is gone at once, its call only with the countdown
        self._people: dict[str, Person] = {}
        self._breakout = ""
        self._is_admitted = self._is_inside = False

    async def _person(self, name: str) -> Person:
        if name not in self._people:
            claims: dict[str, object] = {"moderator": True} if name in ("one", "two") else {}
            person = await self._stage.person(self.room, **claims)
            person.display_name = "" if name == "two" else "Somebody"
            self._people[name] = person
        return self._people[name]

    async def play(self, stage: Stage, steps: int) -> None:
        """So many steps; connections of an earlier play are gone."""
        self._stage, self._people, self._places, self._breakout = stage, {}, {}, ""
        self._is_admitted = self._is_inside = False
        choices: list[Callable[[], Awaitable[None]]] = [
            *[self._come] * 4,
            *[self._go] * 3,
            *[self._move] * 2,
            *[self._member] * 2,
            self._drop,
            self._ban,
            self._end,
            self._pause,
        ]
        for _ in range(steps):
            if self.is_unsure:
                break
            step = self._random.choice(choices)
            self.steps.append(step.__name__.strip("_"))
            await step()
            await self._nobody_gets_in()

    async def come_back(self, stage: Stage, grace_ends: float) -> None:
        """After a restart: a moderator comes back, in time for the call to go on, if there was one."""
        self._stage, self._people, self._places, self._breakout = stage, {}, {}, ""
        if self._is_open:
            self.steps.append("come back")
            self._ends_from = grace_ends
            await self._enter(self._random.choice(["one", "two"]))

    def cut_off(self, before: float, after: float) -> None:
        """Prosody was stopped between these times: a countdown that was over before was over."""
        if not self._is_open or self._places:
            return
        if before > self._ends_by:
            self._is_open = False
        elif after > self._ends_from:
            self.is_unsure = True

    def is_given_up(self) -> bool:
        """At random: whether nobody comes back after the restart; then that call is over."""
        given_up = self._random.random() < 0.3
        if given_up:
            self.steps.append("given up")
            self._is_open = False
        return given_up

    async def finish(self) -> None:
        """All moderators leave, and the room is gone in time."""
        for name in list(self._places):
            await self._leave(name)
        await self._until_closed()

    async def _nobody_gets_in(self) -> None:
        outsider = await self._person("outsider")
        for place in filter(None, (self.room, self._breakout)):
            with contextlib.suppress(RefusedError):
                await outsider.enter(place)
                raise AssertionError(f"somebody unadmitted got into {place} after {self.steps}")

    async def _until_closed(self) -> None:
        if not self._is_open:
            return
        outsider, closed = await self._person("outsider"), False
        end = max(self._ends_by, time.monotonic()) + SLACK
        while not closed:
            assert time.monotonic() < end, f"{self.room} is not gone in time after {self.steps}"
            await asyncio.sleep(max(0.2, self._ends_from + 0.3 - time.monotonic()))
            closed = not await outsider.room_exists(self.room)
        if self._is_ended:
            await asyncio.sleep(max(0.0, self._ends_by - time.monotonic()))
        self._is_open = self._is_inside = self._is_admitted = self._is_ended = False
        self._breakout = ""

    async def _come(self) -> None:
        name = self._random.choice(["one", "two"])
        if name in self._places:
            return
        await self._person(name)  # to log in takes its time
        if self._is_open and not self._places and time.monotonic() > self._ends_from - TIMEOUT + IN_TIME:
            await self._until_closed()
        await self._enter(name)

    async def _enter(self, name: str) -> None:
        person = await self._person(name)
        try:
            await person.join(self.room)
        except RefusedError:
            if self._places:
                raise
            await asyncio.sleep(1)  # nobody kept the room, and it ended between the request to the focus and the entry
            await person.join(self.room)
        if not self._is_open:
            self.calls += 1
        elif not self._places and time.monotonic() > self._ends_from:
            self.is_unsure = True
        self._is_open, self._is_ended = True, False
        self._places[name] = self.room

    def _leaves(self) -> None:
        self._ends_from = time.monotonic() + TIMEOUT

    def _has_left(self) -> None:
        self._ends_by = time.monotonic() + TIMEOUT + LATE

    async def _leave(self, name: str) -> None:
        self._leaves()
        await self._people[name].leave(self._places.pop(name))
        self._has_left()

    async def _go(self) -> None:
        if self._places:
            await self._leave(self._random.choice(sorted(self._places)))

    async def _drop(self) -> None:
        if self._places:
            name = self._random.choice(sorted(self._places))
            self._leaves()
            self._people.pop(name).drop()
            self._places.pop(name)
            self._has_left()

    async def _move(self) -> None:
        if not self._places:
            return
        name = self._random.choice(sorted(self._places))
        person, source = self._people[name], self._places[name]
        if source == self.room and not self._breakout:
            self._breakout = await person.add_breakout_room(self.room)
        target = self._breakout if source == self.room else self.room
        self._leaves()
        try:
            await person.move(source, target)
        except RefusedError:
            if len(self._places) > 1 or time.monotonic() < self._ends_from:
                raise
            self._places.clear()  # the only one, and so slow that the call ended on the way
            self._has_left()
            return
        self._places[name] = target

    async def _member(self) -> None:
        """The member comes, let in if need be, or goes."""
        member = await self._person("member")
        if self._is_inside:
            await member.leave(self.room)
            self._is_inside = False
            return
        admitting = [name for name, place in self._places.items() if place == self.room]
        if not self._is_admitted and admitting:
            await member.knock(self.room)
            await self._people[admitting[0]].admit(self.room, member.boundjid.full)
            await member.leave(lobby_jid(self.room))
            self._is_admitted = True
        if self._is_admitted and self._places:
            await member.enter(self.room)
            self._is_inside = True

    async def _ban(self) -> None:
        moderators = [name for name, place in self._places.items() if place == self.room]
        if self._is_inside and moderators:
            banned = self._people.pop("member")
            await self._people[moderators[0]].administer(self.room, affiliation="outcast", jid=banned.boundjid.bare)
            try:
                await banned.enter(self.room)
                raise AssertionError(f"a banned person got in after {self.steps}")
            except RefusedError:
                self._is_inside = self._is_admitted = False

    async def _end(self) -> None:
        """A moderator ends the room: the call is over unless one is back in time."""
        moderators = [name for name, place in self._places.items() if place == self.room]
        if not moderators or self._random.random() < 0.5:
            return
        person = self._people[moderators[0]]
        self._leaves()
        await person.destroy(self.room)
        await until(lambda: room_jid(self.room) in person.destroyed, "the room is ended")
        person.destroyed.clear()
        self._has_left()
        self._places, self._breakout, self._is_ended = {}, "", True
        self._is_inside = self._is_admitted = False

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.random())
