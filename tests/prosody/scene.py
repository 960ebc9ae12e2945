"""A call with everybody in it: moderators, members, somebody in a breakout room and somebody in the lobby.

Owns the people of the attack table, and how the rooms stand, as jicofo sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from xml.etree import ElementTree as ET

from tests.prosody.people import DATA, MUC, Person, RefusedError, ask, lobby_jid, room_jid, token
from tests.prosody.stage import Stage, until

ACTORS = ("stranger", "guest", "waiting", "member", "expired", "moderator")
LIFETIME = 7  # seconds of a token that is to expire: enough to log in on a busy machine


class Scene:
    """A room with `host` (who moderates), `victim` (inside), `sitter` (in `breakout`) and `knocker` (in the lobby)."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.room = secrets.token_hex(8)
        self.breakout = ""
        self.host: Person
        self.victim: Person
        self.sitter: Person
        self.knocker: Person

    async def play(self) -> Scene:
        self.host = await self._stage.moderator(self.room)
        self.breakout = await self.host.add_breakout_room(self.room)
        self.victim, self.sitter, self.knocker = [await self._stage.person(self.room) for _ in range(3)]
        for one in (self.victim, self.sitter):
            await self._let_in(one)
        await self.sitter.move(self.room, self.breakout)
        await self.knocker.knock(self.room)
        return self

    async def _let_in(self, person: Person) -> None:
        await person.knock(self.room)
        await self.host.admit(self.room, person.boundjid.full)
        await until(lambda: room_jid(self.room) in person.invitations, "the invitation")
        await person.leave(lobby_jid(self.room))
        await person.enter(self.room)

    async def actor(self, kind: str) -> Person:
        """Somebody of that kind, as docs/rooms.md describes it."""
        stage, room = self._stage, self.room
        if kind == "stranger":
            return await stage.person("another-room", moderator=True)
        if kind == "guest":
            return await stage.tokenless(token(room, "a-guessed-secret-of-more-than-32-bytes", moderator=True))
        if kind == "expired":
            end = int(time.time()) + LIFETIME
            person = await stage.person(room, moderator=True, exp=end)
            await asyncio.sleep(end - time.time() + 1)
            return person
        if kind == "moderator":
            return await stage.moderator(room)
        person = await stage.person(room)
        if kind == "member":
            await self._let_in(person)
        return person

    async def approach(self, actor: Person, where: str) -> None:
        """Has the actor go where they act, if they get in there."""
        place = {"lobby": lobby_jid(self.room), "breakout room": self.breakout}.get(where)
        if place and f"{place}/{actor.nick}" not in actor.occupants:
            with contextlib.suppress(RefusedError):
                await actor.enter(place)

    async def state(self) -> dict[str, object]:
        """How the three rooms stand: who is what in them, and their configuration."""
        places = (room_jid(self.room), lobby_jid(self.room), self.breakout)
        return dict(zip(places, await asyncio.gather(*map(self._state_of, places)), strict=True))

    async def _state_of(self, place: str) -> object:
        queries = [("affiliation", value) for value in ("owner", "admin", "member", "outcast")]
        queries += [("role", value) for value in ("moderator", "participant", "visitor")]
        try:
            answers = [await self._list(place, name, value) for name, value in queries]
            return [*answers, await self._form(place)]
        except RefusedError as error:
            return error.condition

    async def _list(self, place: str, name: str, value: str) -> list[tuple[str | None, ...]]:
        iq = self._stage.focus.make_iq_get(ito=place)
        query = ET.SubElement(iq.xml, f"{{{MUC}#admin}}query")
        ET.SubElement(query, f"{{{MUC}#admin}}item", {name: value})
        answer = await ask(iq)
        items = answer.xml.findall(f"{{{MUC}#admin}}query/{{{MUC}#admin}}item")
        return sorted((item.get("jid") or "", item.get("nick"), item.get("role")) for item in items)

    async def _form(self, place: str) -> list[tuple[str | None, str]]:
        iq = self._stage.focus.make_iq_get(ito=place)
        ET.SubElement(iq.xml, f"{{{MUC}#owner}}query")
        answer = await ask(iq)
        fields = answer.xml.findall(f"{{{MUC}#owner}}query/{{{DATA}}}x/{{{DATA}}}field")
        return [(field.get("var"), "".join(field.itertext())) for field in fields]
