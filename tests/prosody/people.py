"""XMPP clients for the tests: people with tokens, and a small focus that does jicofo's part.

Everything speaks plain c2s to a local Prosody; a token goes in as the SASL password (see stand_in/).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any
from xml.etree import ElementTree as ET

import jwt
import slixmpp
from slixmpp.exceptions import IqError

from tests.prosody.configuration import (
    AUDIENCE,
    BREAKOUT_DOMAIN,
    DOMAIN,
    FOCUS,
    GUEST_DOMAIN,
    ISSUER,
    LOBBY_DOMAIN,
    MUC_DOMAIN,
    SECRET,
)

FOCUS_XMLNS = "http://jitsi.org/protocol/focus"
MUC = "http://jabber.org/protocol/muc"
DATA = "jabber:x:data"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
CLIENT = "{jabber:client}"

PATIENCE = 30  # seconds for an answer: a busy machine is slow, and no test waits for none


class RefusedError(Exception):
    """An XMPP error: its condition and text."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(f"{condition}: {text}")
        self.condition = condition
        self.text = text


def token(room: str, secret: str = SECRET, /, **claims: object) -> str:
    """An HS256 JWT as the VideoService mints it; `claims` change or add to the usual ones."""
    usual: dict[str, object] = {
        "aud": AUDIENCE,
        "iss": ISSUER,
        "sub": DOMAIN,
        "room": room,
        "exp": int(time.time()) + 3600,
    }
    return jwt.encode(usual | claims, secret, algorithm="HS256")


def room_jid(room: str) -> str:
    """The JID of the room of that name; what is a JID, as a breakout room's, is taken as it is."""
    return room if "@" in room else f"{room}@{MUC_DOMAIN}"


def lobby_jid(room: str) -> str:
    """The JID of the room's lobby."""
    return f"{room}@{LOBBY_DOMAIN}"


class Person(slixmpp.ClientXMPP):
    """One client connection. `seen` holds, by room occupant JID, the last affiliation and role it was told."""

    def __init__(self, port: int, jid: str, password: str) -> None:
        super().__init__(jid, password)
        self.port = port
        self.enable_starttls = False
        self.enable_direct_tls = False
        self.enable_plaintext = True
        self.whitespace_keepalive = False
        mechanisms = self.plugin["feature_mechanisms"]
        mechanisms.unencrypted_plain = mechanisms.unencrypted_scram = True
        self.occupants: dict[str, tuple[str, str]] = {}
        self.destroyed: dict[str, str] = {}
        self.invitations: list[str] = []
        self.display_name = "Somebody"
        self._joins: dict[str, asyncio.Future[None]] = {}
        self.add_event_handler("presence", self._on_presence)
        self.add_event_handler("message", self._on_message)

    async def arrive(self) -> None:
        """Connects and logs in; raises RefusedError when the login fails."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def settle(success: bool) -> None:
            if not done.done():
                done.set_result(success)

        self.add_event_handler("session_start", lambda _: settle(True))
        self.add_event_handler("failed_all_auth", lambda _: settle(False))
        self.connect("127.0.0.1", self.port)
        if not await asyncio.wait_for(done, PATIENCE):
            await self.leave_server()
            raise RefusedError("not-authorized", "login failed")
        self.send_presence()

    async def leave_server(self) -> None:
        await self.disconnect(wait=0.5)

    def drop(self) -> None:
        """Cuts the connection without a word."""
        self.abort()

    def _on_presence(self, presence: Any) -> None:
        xml, sender = presence.xml, str(presence["from"])
        room = presence["from"].bare
        user = xml.find(f"{{{MUC}#user}}x")
        if presence["type"] == "error":
            if (waiting := self._joins.get(room)) and not waiting.done():
                waiting.set_exception(_refusal(xml))
        elif user is not None:
            item = user.find(f"{{{MUC}#user}}item")
            if item is not None:
                self.occupants[sender] = (item.get("affiliation", "none"), item.get("role", "none"))
            destroy = user.find(f"{{{MUC}#user}}destroy")
            if destroy is not None:
                self.destroyed[room] = destroy.findtext(f"{{{MUC}#user}}reason", "")
            codes = {status.get("code") for status in user.findall(f"{{{MUC}#user}}status")}
            here = "110" in codes and presence["type"] != "unavailable"
            if here and (waiting := self._joins.get(room)) and not waiting.done():
                waiting.set_result(None)

    def _on_message(self, message: Any) -> None:
        if message.xml.find(f"{{{MUC}#user}}x/{{{MUC}#user}}invite") is not None:
            self.invitations.append(str(message["from"]))

    @property
    def nick(self) -> str:
        return str(self.boundjid.user)[:8]

    async def enter(self, room: str, nick: str | None = None) -> None:
        """Sends the join presence and waits for the answer; raises RefusedError."""
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._joins[room_jid(room)] = joined
        presence = self.make_presence(pto=f"{room_jid(room)}/{nick or self.nick}")
        presence.xml.append(ET.Element(f"{{{MUC}}}x"))
        if self.display_name:
            ET.SubElement(presence.xml, "{http://jabber.org/protocol/nick}nick").text = self.display_name
        presence.send()
        await asyncio.wait_for(joined, PATIENCE)

    async def knock(self, room: str) -> None:
        """Goes to wait in the room's lobby, as Jitsi's client does when the room says that it has one."""
        await self.enter(lobby_jid(room))

    async def request_conference(self, room: str) -> None:
        """What every Jitsi client does first: asks the focus to be in the room. Raises RefusedError."""
        await self.request_any(room_jid(room))

    async def request_any(self, text: str) -> None:
        """The same for whatever `text` names."""
        iq = self.make_iq_set(ito=f"{FOCUS}/focus")
        iq.xml.append(ET.Element(f"{{{FOCUS_XMLNS}}}conference", room=text))
        await ask(iq)

    async def join(self, room: str) -> None:
        """The conference request and the join, as a Jitsi client does them."""
        await self.request_conference(room)
        await self.enter(room)

    async def leave(self, room: str, status: str | None = None) -> None:
        self.make_presence(pto=f"{room_jid(room)}/{self.nick}", ptype="unavailable", pstatus=status).send()
        await self.settle()

    async def add_breakout_room(self, room: str) -> str:
        """Makes a breakout room of the room and returns its JID; nobody is in it yet."""
        jid = f"{secrets.token_hex(8)}@{BREAKOUT_DOMAIN}"
        message = self.make_message(mto=BREAKOUT_DOMAIN)
        message.xml.append(ET.Element(f"{CLIENT}breakout_rooms", jid=jid, main=room_jid(room)))
        message.send()
        await self.settle()
        return jid

    async def move(self, source: str, target: str) -> None:
        """From one room of a call to another one, as a Jitsi client does it: out first, saying why, then in."""
        await self.leave(source, "switch_room")
        await self.enter(target)

    async def settle(self) -> None:
        """Returns when the server has handled all that was sent."""
        await ask(self.make_iq_get(queryxmlns="jabber:iq:version", ito=DOMAIN))

    async def admit(self, room: str, *others: str) -> None:
        """Invites these JIDs into the room, with which a moderator lets in who waits in the lobby; returns when handled.

        Raises RefusedError if the room refused.
        """
        message = self.make_message(mto=room_jid(room))
        x = ET.SubElement(message.xml, f"{{{MUC}#user}}x")
        for other in others:
            ET.SubElement(x, f"{{{MUC}#user}}invite", to=other)
        await self.deliver(message)

    async def deliver(self, message: Any) -> None:
        """Sends a message; raises RefusedError if it comes back as an error before the server has handled what follows."""
        refused: list[RefusedError] = []

        def on_error(stanza: Any) -> None:
            if stanza["id"] == message["id"]:
                refused.append(_refusal(stanza.xml))

        message["id"] = secrets.token_hex(4)
        self.add_event_handler("message_error", on_error)
        try:
            message.send()
            await self.settle()
        finally:
            self.del_event_handler("message_error", on_error)
        if refused:
            raise refused[0]

    async def meddle(self, deed: str, room: str, other: Person | None = None) -> None:
        """Has the meddling plugin of the tests do this deed (see stand_in/)."""
        message = self.make_message(mto=MUC_DOMAIN)
        attributes = {"do": deed, "room": room_jid(room), "jid": other.boundjid.bare if other else ""}
        message.xml.append(ET.Element(f"{CLIENT}meddle", attributes))
        await self.deliver(message)

    async def say_to_meddler(self, text: str) -> None:
        """Has the meddling plugin log this text."""
        message = self.make_message(mto=MUC_DOMAIN)
        message.xml.append(ET.Element(f"{CLIENT}meddle", {"do": "say", "jid": text}))
        await self.deliver(message)

    async def configure(self, room: str, **fields: str) -> None:
        """Submits the room's configuration with these fields (muc#roomconfig_ before each); raises RefusedError."""
        iq = self.make_iq_set(ito=room_jid(room))
        form = ET.SubElement(ET.SubElement(iq.xml, f"{{{MUC}#owner}}query"), f"{{{DATA}}}x", type="submit")
        values = {"FORM_TYPE": f"{MUC}#roomconfig"} | {f"muc#roomconfig_{name}": fields[name] for name in fields}
        for name, value in values.items():
            ET.SubElement(ET.SubElement(form, f"{{{DATA}}}field", var=name), f"{{{DATA}}}value").text = value
        await ask(iq)

    async def register(self, room: str, nick: str) -> None:
        """Reserves a nickname in the room (XEP-0045, 7.10); raises RefusedError."""
        iq = self.make_iq_set(ito=room_jid(room))
        form = ET.SubElement(ET.SubElement(iq.xml, "{jabber:iq:register}query"), f"{{{DATA}}}x", type="submit")
        for name, value in (("FORM_TYPE", f"{MUC}#register"), ("muc#register_roomnick", nick)):
            ET.SubElement(ET.SubElement(form, f"{{{DATA}}}field", var=name), f"{{{DATA}}}value").text = value
        await ask(iq)

    async def administer(self, room: str, **item: str) -> None:
        """Sends a muc#admin item, such as affiliation="owner" jid=...; raises RefusedError."""
        iq = self.make_iq_set(ito=room_jid(room))
        query = ET.SubElement(iq.xml, f"{{{MUC}#admin}}query")
        ET.SubElement(query, f"{{{MUC}#admin}}item", dict(item))
        await ask(iq)

    async def destroy(self, room: str) -> None:
        """Ends the room as its owner."""
        iq = self.make_iq_set(ito=room_jid(room))
        ET.SubElement(ET.SubElement(iq.xml, f"{{{MUC}#owner}}query"), f"{{{MUC}#owner}}destroy")
        await ask(iq)

    async def room_exists(self, room: str) -> bool:
        iq = self.make_iq_get(queryxmlns="http://jabber.org/protocol/disco#info", ito=room_jid(room))
        try:
            await ask(iq)
        except RefusedError as error:
            if error.condition != "item-not-found":
                raise
            return False
        return True

    def standing(self, room: str, other: Person | None = None) -> tuple[str, str]:
        """Affiliation and role of `other` (or of oneself) in the room, as this client was last told."""
        return self.occupants[f"{room_jid(room)}/{(other or self).nick}"]


async def ask(iq: Any) -> Any:
    """Sends an IQ and returns the answer; raises RefusedError."""
    try:
        return await iq.send(timeout=PATIENCE)
    except IqError as error:
        raise _refusal(error.iq.xml) from None


def _refusal(xml: ET.Element) -> RefusedError:
    error = xml.find(f"{CLIENT}error")
    assert error is not None
    conditions = [child.tag.removeprefix(STANZAS) for child in error if child.tag != f"{STANZAS}text"]
    return RefusedError(conditions[0], error.findtext(f"{STANZAS}text", ""))


class Focus(Person):
    """Does what jicofo does: on a conference request it enters the room; it leaves when it is alone there."""

    def __init__(self, port: int, password: str) -> None:
        super().__init__(port, f"{FOCUS}/focus", password)
        self._inside: dict[str, set[str]] = {}
        self.register_handler(
            slixmpp.xmlstream.handler.CoroutineCallback(
                "conference request",
                slixmpp.xmlstream.matcher.MatchXPath(f"{CLIENT}iq/{{{FOCUS_XMLNS}}}conference"),
                self._on_request,
            )
        )

    @property
    def nick(self) -> str:
        return "focus"

    async def _on_request(self, iq: Any) -> None:
        room = slixmpp.JID(iq.xml.find(f"{{{FOCUS_XMLNS}}}conference").get("room")).user
        if room_jid(room) not in self._inside:
            self._inside[room_jid(room)] = set()
            await self.enter(room)
        reply = iq.reply()
        reply.xml.append(ET.Element(f"{{{FOCUS_XMLNS}}}conference", ready="true", focusjid=FOCUS))
        reply.send()

    def _on_presence(self, presence: Any) -> None:
        super()._on_presence(presence)
        room, nick = presence["from"].bare, presence["from"].resource
        others = self._inside.get(room)
        if others is None:
            return
        if nick == self.nick:
            if presence["type"] == "unavailable":
                del self._inside[room]
        elif presence["type"] == "unavailable":
            others.discard(nick)
            if not others:
                self.make_presence(pto=f"{room}/{self.nick}", ptype="unavailable").send()
        elif presence["type"] != "error":
            others.add(nick)


def person(port: int, shown: str) -> Person:
    """A client that logs in with the token `shown`."""
    return Person(port, f"{secrets.token_hex(8)}@{DOMAIN}", shown)


def guest(port: int, password: str) -> Person:
    """A client of the anonymous guest host that shows `password` as its token."""
    return Person(port, f"{secrets.token_hex(8)}@{GUEST_DOMAIN}", password)
