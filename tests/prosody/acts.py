"""What a client can ask of the rooms of a call: one function for each row of the table in docs/rooms.md.

Each takes the scene and the actor, does the act, and raises RefusedError if it was refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from xml.etree import ElementTree as ET

from tests.prosody.configuration import BREAKOUT_DOMAIN, DOMAIN, END_DOMAIN, FOCUS, INTERNAL_DOMAIN, MUC_DOMAIN
from tests.prosody.people import CLIENT, DATA, MUC, Person, RefusedError, ask, lobby_jid, room_jid
from tests.prosody.scene import Scene

Act = Callable[[Scene, Person], Awaitable[None]]

ITEMS = "http://jabber.org/protocol/disco#items"
PUBSUB = "http://jabber.org/protocol/pubsub"
ELSEWHERE = f"somebody-else@{DOMAIN}"


async def _enter(person: Person, place: str, nick: str | None = None) -> None:
    if nick is None and f"{room_jid(place)}/{person.nick}" in person.occupants:
        await person.leave(place)
    await person.enter(place, nick)


def _enters(place: Callable[[Scene], str], nick: str | None = None) -> Act:
    return lambda scene, actor: _enter(actor, place(scene), nick)


def _asks_for(place: Callable[[Scene], str]) -> Act:
    return lambda scene, actor: actor.request_any(place(scene))


def _item(place: Callable[[Scene], str], **item: Callable[[Scene], str]) -> Act:
    return lambda scene, actor: actor.administer(place(scene), **{name: value(scene) for name, value in item.items()})


def _always(text: str) -> Callable[[Scene], str]:
    return lambda _: text


def _room(scene: Scene) -> str:
    return scene.room


def _lobby(scene: Scene) -> str:
    return lobby_jid(scene.room)


def _breakout(scene: Scene) -> str:
    return scene.breakout


def _victim(scene: Scene) -> str:
    return scene.victim.boundjid.bare


def _victims_nick(scene: Scene) -> str:
    return scene.victim.nick


def _knocker(scene: Scene) -> str:
    return scene.knocker.boundjid.bare


def _reserves(place: Callable[[Scene], str]) -> Act:
    return lambda scene, actor: actor.register(place(scene), "reserved")


def _invites(place: Callable[[Scene], str], whom: Callable[[Scene], str]) -> Act:
    return lambda scene, actor: actor.admit(place(scene), whom(scene))


def _configures(place: Callable[[Scene], str], **fields: str) -> Act:
    return lambda scene, actor: actor.configure(place(scene), **fields)


def _destroys(place: Callable[[Scene], str]) -> Act:
    return lambda scene, actor: actor.destroy(place(scene))


async def _change_nick_to_focus(scene: Scene, actor: Person) -> None:
    if f"{room_jid(scene.room)}/{actor.nick}" not in actor.occupants:
        raise RefusedError("not-acceptable", "not inside")
    await actor.enter(scene.room, "focus")


async def _read(scene: Scene, actor: Person, xmlns: str) -> None:
    iq = actor.make_iq_get(ito=room_jid(scene.room))
    query = ET.SubElement(iq.xml, f"{{{xmlns}}}query")
    if xmlns.endswith("#admin"):
        ET.SubElement(query, f"{{{xmlns}}}item", affiliation="member")
    await ask(iq)


async def _list_people(place: str, actor: Person) -> None:
    iq = actor.make_iq_get(ito=place)
    ET.SubElement(iq.xml, f"{{{ITEMS}}}query")
    await ask(iq)


async def _keep(xmlns: str, actor: Person) -> None:
    iq = actor.make_iq_set()
    ET.SubElement(ET.SubElement(iq.xml, f"{{{xmlns}}}query"), "{urn:test}data").text = "data"
    await ask(iq)


async def _block(actor: Person) -> None:
    iq = actor.make_iq_set()
    ET.SubElement(ET.SubElement(iq.xml, "{urn:xmpp:blocking}block"), "{urn:xmpp:blocking}item", jid=ELSEWHERE)
    await ask(iq)


async def _publish(actor: Person) -> None:
    iq = actor.make_iq_set()
    publish = ET.SubElement(ET.SubElement(iq.xml, f"{{{PUBSUB}}}pubsub"), f"{{{PUBSUB}}}publish", node="urn:test")
    ET.SubElement(ET.SubElement(publish, f"{{{PUBSUB}}}item"), "{urn:test}data").text = "data"
    await ask(iq)


async def _remove_jicofo_by_reserving(scene: Scene, actor: Person) -> None:
    """Prosody removes whoever has a nickname that is reserved for another one, and acts on an item of any name."""
    iq = actor.make_iq_set(ito=room_jid(scene.room))
    item = {"affiliation": "member", "jid": scene.victim.boundjid.bare, "nick": "focus"}
    ET.SubElement(ET.SubElement(iq.xml, f"{{{MUC}#admin}}query"), "{urn:test}item", item)
    await ask(iq)


async def _end_elsewhere(scene: Scene, actor: Person) -> None:
    iq = actor.make_iq_set(ito=room_jid(scene.room))
    query = ET.SubElement(iq.xml, f"{{{MUC}#owner}}query")
    ET.SubElement(query, "{urn:test}destroy", jid=f"elsewhere@{MUC_DOMAIN}")
    await ask(iq)


async def _invite_another(scene: Scene, actor: Person) -> None:
    message = _message(actor, room_jid(scene.room))
    x = ET.SubElement(message.xml, f"{{{MUC}#user}}x")
    ET.SubElement(x, f"{{{MUC}#user}}invite", to=scene.knocker.boundjid.full)
    ET.SubElement(x, "{urn:test}invite", to=ELSEWHERE)
    await actor.deliver(message)


async def _set_picture(scene: Scene, actor: Person) -> None:
    iq = actor.make_iq_set(ito=room_jid(scene.room))
    ET.SubElement(iq.xml, "{vcard-temp}vCard")
    await ask(iq)


def _message(actor: Person, to: str, kind: Any = "normal") -> Any:
    return actor.make_message(mto=to, mtype=kind)


async def _ask_for_voice(scene: Scene, actor: Person) -> None:
    message = _message(actor, room_jid(scene.room))
    form = ET.SubElement(message.xml, f"{{{DATA}}}x", type="submit")
    for name, value in (("FORM_TYPE", f"{MUC}#request"), ("muc#role", "participant")):
        ET.SubElement(ET.SubElement(form, f"{{{DATA}}}field", var=name), f"{{{DATA}}}value").text = value
    await actor.deliver(message)


async def _decline(scene: Scene, actor: Person) -> None:
    message = _message(actor, room_jid(scene.room))
    ET.SubElement(ET.SubElement(message.xml, f"{{{MUC}#user}}x"), f"{{{MUC}#user}}decline", to=ELSEWHERE)
    await actor.deliver(message)


async def _write(scene: Scene, actor: Person, to: str, kind: str) -> None:
    message = _message(actor, to, kind)
    message["body"] = "a word"
    await actor.deliver(message)


async def _ask_directly(actor: Person, address: str) -> None:
    await ask(actor.make_iq_get(queryxmlns="http://jabber.org/protocol/disco#info", ito=address))


async def _be_present(actor: Person, address: str, kind: Any) -> None:
    refused: list[object] = []
    actor.add_event_handler("presence_error", refused.append)
    actor.make_presence(pto=address, ptype=kind).send()
    await actor.settle()
    actor.del_event_handler("presence_error", refused.append)
    if refused:
        raise RefusedError("not-allowed", "presence")


async def _end_by_component(scene: Scene, actor: Person) -> None:
    message = _message(actor, END_DOMAIN)
    message.xml.append(ET.Element(f"{CLIENT}end_conference", room=room_jid(scene.room)))
    await actor.deliver(message)


async def _add_breakout_room(scene: Scene, actor: Person) -> None:
    message = _message(actor, BREAKOUT_DOMAIN)
    jid = f"{secrets.token_hex(8)}@{BREAKOUT_DOMAIN}"
    message.xml.append(ET.Element(f"{CLIENT}breakout_rooms", jid=jid, main=room_jid(scene.room)))
    await actor.deliver(message)
    await actor.request_any(jid)  # jicofo is not asked for a room that there is not


_owner, _admin, _member = _always("owner"), _always("admin"), _always("member")
_none, _outcast, _focus = _always("none"), _always("outcast"), _always(FOCUS)

ACTS: dict[tuple[str, str], Act] = {
    ("enter", "room"): _enters(_room),
    ("enter as `focus`", "room"): _enters(_room, "focus"),
    ("change the nickname to `focus`", "room"): _change_nick_to_focus,
    ("ask jicofo for it", "room"): _asks_for(lambda scene: room_jid(scene.room)),
    ("list who is in", "room"): lambda scene, actor: _list_people(room_jid(scene.room), actor),
    ("write to all", "room"): lambda scene, actor: _write(scene, actor, room_jid(scene.room), "groupchat"),
    ("write to one", "room"): lambda scene, actor: _write(
        scene, actor, f"{room_jid(scene.room)}/{scene.victim.nick}", "chat"
    ),
    ("admit by invitation", "room"): _invites(_room, _knocker),
    ("admit by membership", "room"): _item(_room, affiliation=_member, jid=_knocker),
    ("mute", "room"): _item(_room, role=_always("visitor"), nick=_victims_nick),
    ("remove", "room"): _item(_room, role=_none, nick=_victims_nick),
    ("ban", "room"): _item(_room, affiliation=_outcast, jid=_victim),
    ("switch the lobby off", "room"): _configures(_room, membersonly="false"),
    ("set a password", "room"): _configures(_room, roomsecret="a-password", passwordprotectedroom="true"),
    ("read the list of members", "room"): lambda scene, actor: _read(scene, actor, f"{MUC}#admin"),
    ("read the configuration", "room"): lambda scene, actor: _read(scene, actor, f"{MUC}#owner"),
    ("end it", "room"): _destroys(_room),
    ("end it by Jitsi's component", "room"): _end_by_component,
    ("end it and lead elsewhere", "room"): _end_elsewhere,
    ("make a breakout room", "room"): _add_breakout_room,
    ("ask to speak", "room"): _ask_for_voice,
    ("make an owner", "room"): _item(_room, affiliation=_owner, jid=_victim),
    ("make an admin", "room"): _item(_room, affiliation=_admin, jid=_victim),
    ("make a moderator", "room"): _item(_room, role=_always("moderator"), nick=_victims_nick),
    ("make a member of who is elsewhere", "room"): _item(_room, affiliation=_member, jid=_always(ELSEWHERE)),
    ("ban who is elsewhere", "room"): _item(_room, affiliation=_outcast, jid=_always(ELSEWHERE)),
    ("ban a whole host", "room"): _item(_room, affiliation=_outcast, jid=_always(DOMAIN)),
    ("invite who is elsewhere", "room"): _invites(_room, _always(ELSEWHERE)),
    ("invite who is elsewhere, besides", "room"): _invite_another,
    ("decline an invitation", "room"): _decline,
    ("remove jicofo", "room"): _item(_room, role=_none, nick=_always("focus")),
    ("remove jicofo by another's nickname", "room"): _remove_jicofo_by_reserving,
    ("demote jicofo", "room"): _item(_room, affiliation=_member, jid=_focus),
    ("reserve a nickname", "room"): _reserves(_room),
    ("reserve a moderator's nickname", "room"): _item(
        _room, affiliation=_member, jid=_victim, nick=lambda scene: scene.host.nick
    ),
    ("change another setting", "room"): _configures(_room, publicroom="true"),
    ("set its picture", "room"): _set_picture,
    ("enter", "lobby"): _enters(_lobby),
    ("enter as `focus`", "lobby"): _enters(_lobby, "focus"),
    ("remove", "lobby"): _item(_lobby, role=_none, nick=lambda scene: scene.knocker.nick),
    ("make an owner", "lobby"): _item(_lobby, affiliation=_owner, jid=_knocker),
    ("make a moderator", "lobby"): _item(_lobby, role=_always("moderator"), nick=lambda scene: scene.knocker.nick),
    ("admit by invitation", "lobby"): _invites(_lobby, _knocker),
    ("reserve a nickname", "lobby"): _reserves(_lobby),
    ("switch the lobby off", "lobby"): _configures(_lobby, membersonly="false"),
    ("end it", "lobby"): _destroys(_lobby),
    ("enter", "breakout room"): _enters(_breakout),
    ("enter as `focus`", "breakout room"): _enters(_breakout, "focus"),
    ("ask jicofo for it", "breakout room"): _asks_for(_breakout),
    ("list who is in", "breakout room"): lambda scene, actor: _list_people(scene.breakout, actor),
    ("remove", "breakout room"): _item(_breakout, role=_none, nick=lambda scene: scene.sitter.nick),
    ("make an owner", "breakout room"): _item(
        _breakout, affiliation=_owner, jid=lambda scene: scene.sitter.boundjid.bare
    ),
    ("make an admin", "breakout room"): _item(
        _breakout, affiliation=_admin, jid=lambda scene: scene.sitter.boundjid.bare
    ),
    ("make a moderator", "breakout room"): _item(
        _breakout, role=_always("moderator"), nick=lambda scene: scene.sitter.nick
    ),
    ("admit by invitation", "breakout room"): _invites(_breakout, _knocker),
    ("reserve a nickname", "breakout room"): _reserves(_breakout),
    ("switch the lobby off", "breakout room"): _configures(_breakout, membersonly="false"),
    ("end it", "breakout room"): _destroys(_breakout),
    ("ask jicofo for an invented breakout room", "service rooms"): _asks_for(_always(f"invented@{BREAKOUT_DOMAIN}")),
    ("ask jicofo for the bridges' room", "service rooms"): _asks_for(_always(f"jvbbrewery@{INTERNAL_DOMAIN}")),
    ("enter the bridges' room", "service rooms"): _enters(_always(f"jvbbrewery@{INTERNAL_DOMAIN}")),
    ("enter jicofo's test room", "service rooms"): _enters(_always("__jicofo-health-check-1")),
    ("write to a person's own address", "server"): lambda scene, actor: _write(
        scene, actor, scene.victim.boundjid.full, "chat"
    ),
    ("ask a person's own client", "server"): lambda scene, actor: _ask_directly(actor, scene.victim.boundjid.full),
    ("ask for a person's presence", "server"): lambda scene, actor: _be_present(
        actor, scene.victim.boundjid.bare, "subscribe"
    ),
    ("send a person its presence", "server"): lambda scene, actor: _be_present(actor, scene.victim.boundjid.full, None),
    ("write to jicofo's own address", "server"): lambda scene, actor: _write(scene, actor, f"{FOCUS}/focus", "chat"),
    ("ask jicofo for anything else", "server"): lambda scene, actor: _ask_directly(actor, f"{FOCUS}/focus"),
    ("keep data", "server"): lambda _, actor: _keep("jabber:iq:private", actor),
    ("keep a contact", "server"): lambda _, actor: _keep("jabber:iq:roster", actor),
    ("keep a list of blocked people", "server"): lambda _, actor: _block(actor),
    ("publish something", "server"): lambda _, actor: _publish(actor),
    ("keep a picture", "server"): lambda _, actor: _keep("vcard-temp", actor),
}
