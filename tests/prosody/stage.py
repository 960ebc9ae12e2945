"""What a test needs to play a scene: the people on a Prosody, and the consumer at the other end of the queue."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from tests.prosody.people import Focus, Person, guest, person, token
from tests.prosody.servers import Prosody, RabbitMQ

FOCUS_PASSWORD = "focus-password"

MakeProsody = Callable[..., Prosody]
AnyPerson = TypeVar("AnyPerson", bound=Person)


async def until(holds: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Returns when `holds` does; fails naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:g} seconds: {what}"
        await asyncio.sleep(0.05)


async def at_a_whole_second() -> float:
    """Waits for the start of a second, so that what follows at once bears its timestamp."""
    await asyncio.sleep(1.02 - time.time() % 1)
    return time.time()


class Stage:
    """People on one Prosody, with the focus logged in; leaving the block disconnects them all."""

    def __init__(self, prosody: Prosody, *, focus: bool = True) -> None:
        self._port = prosody.setup.c2s_port
        self._people: list[Person] = []
        self._wants_focus = focus
        self.focus: Focus

    async def __aenter__(self) -> Stage:
        if self._wants_focus:
            self.focus = await self._enter(lambda: Focus(self._port, FOCUS_PASSWORD))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(one.leave_server() for one in self._people), return_exceptions=True)

    async def _enter(self, make: Callable[[], AnyPerson]) -> AnyPerson:
        # On a busy machine slixmpp loses a connection now and then, before it has logged in: then another one is made.
        for attempt in range(3):
            one = make()
            self._people.append(one)
            try:
                await one.arrive()
                break
            except TimeoutError:
                one.drop()
                if attempt == 2:
                    raise
        return one

    async def person(self, room: str, **claims: object) -> Person:
        """Somebody logged in with a token for the room."""
        return await self.bearer(token(room, **claims))

    async def bearer(self, shown: str) -> Person:
        """Somebody logged in with this token."""
        return await self._enter(lambda: person(self._port, shown))

    async def person_who_resumes(self, room: str, **claims: object) -> Person:
        """The same, who takes up a session whose connection broke (XEP-0198)."""

        def make() -> Person:
            one = person(self._port, token(room, **claims))
            one.register_plugin("xep_0198")
            return one

        return await self._enter(make)

    async def moderator(self, room: str) -> Person:
        """Somebody in the room whose token has `moderator: true`."""
        one = await self.person(room, moderator=True)
        await one.join(room)
        return one

    async def asker(self, room: str) -> Person:
        """Somebody in the room whose token is an ordinary one."""
        one = await self.person(room)
        await one.join(room)
        return one

    async def tokenless(self, shown: str) -> Person:
        """Somebody on the anonymous guest host, showing `shown` as a token nobody verifies."""
        return await self._enter(lambda: guest(self._port, shown))


class Consumer:
    """Takes the events from the queue and keeps them by room."""

    def __init__(self, rabbitmq: RabbitMQ) -> None:
        self._rabbitmq = rabbitmq
        self._messages: list[tuple[str, str]] = []  # id and payload

    def take(self) -> None:
        self._messages += self._rabbitmq.take_messages()

    @property
    def payloads(self) -> list[str]:
        return [payload for _, payload in self._messages]

    def of(self, room: str) -> list[str]:
        """The payloads for this room so far, in the order they came."""
        self.take()
        return [payload for payload in self.payloads if json.loads(payload)["videoCallUuid"] == room]

    def ids_of(self, room: str) -> list[str]:
        """The message ids for this room so far; two that are the same are one event and its repetition."""
        self.take()
        return [one for one, payload in self._messages if json.loads(payload)["videoCallUuid"] == room]

    async def none(self, room: str, prosody: Prosody, seconds: float = 0.5) -> None:
        """Fails if an event for the room has come or is under way."""
        await asyncio.sleep(seconds)
        assert self.of(room) == [], f"no event for {room}"
        assert prosody.backlog()["events"] == 0, "nothing under way"

    async def just_one(self, room: str, prosody: Prosody, seconds: float = 15.0) -> str:
        """The one event for the room; fails if none comes, or a second one."""
        await until(lambda: self.of(room), f"an event for {room}", seconds)
        await until(lambda: prosody.backlog()["events"] == 0, "the backlog is empty", seconds)
        await asyncio.sleep(0.3)
        payloads = self.of(room)
        assert len(payloads) == 1, f"exactly one event for {room}"
        return payloads[0]


def stop_event(room: str, at: float) -> str:
    """The payload, to the letter, for a call whose last moderator left at `at` (seconds since the epoch)."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return f'{{"eventType":"STOP_VIDEO_CALL","videoCallUuid":"{room}","timestamp":"{stamp}"}}'
