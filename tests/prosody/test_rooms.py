"""Who may open, enter and moderate a room."""

from __future__ import annotations

import asyncio
import secrets
import time
from xml.etree import ElementTree as ET

import pytest

from tests.prosody.configuration import DOMAIN, FOCUS, GUEST_DOMAIN, MUC_DOMAIN
from tests.prosody.people import MUC, RefusedError, ask, room_jid, token
from tests.prosody.servers import Prosody
from tests.prosody.stage import MakeProsody, Stage, until

pytestmark = pytest.mark.prosody


@pytest.fixture
def room() -> str:
    return secrets.token_hex(8)


async def refused(what: object, condition: str) -> RefusedError:
    """Awaits `what`, which must be refused with this XMPP condition."""
    with pytest.raises(RefusedError) as caught:
        await what  # type: ignore[misc]
    assert caught.value.condition == condition, caught.value
    return caught.value


@pytest.mark.parametrize(
    "shown",
    [
        token("a-room", "another-secret-of-more-than-32-bytes", moderator=True),
        token("a-room", moderator=True, exp=1),
        token("a-room", moderator=True, iss="somebody-else"),
    ],
    ids=["signed with another secret", "expired", "of another issuer"],
)
async def test_a_stranger_is_refused(shared_prosody: Prosody, shown: str) -> None:
    async with Stage(shared_prosody) as stage:
        await refused(stage.bearer(shown), "not-authorized")


async def test_an_asker_cannot_open_a_room(shared_prosody: Prosody, room: str) -> None:
    """Neither by asking the focus for the conference nor by entering, and the refusal says why."""
    async with Stage(shared_prosody) as stage:
        asker = await stage.person(room)
        error = await refused(asker.request_conference(room), "not-authorized")
        assert "moderator" in error.text, "the client can show why"
        assert not await asker.room_exists(room), "the focus was not even asked"
        await refused(asker.enter(room), "not-allowed")
        assert not await asker.room_exists(room)


@pytest.mark.parametrize(
    "place",
    [
        "jvbbrewery@internal-muc.meet.jitsi",
        "JVBBREWERY@Internal-MUC.meet.jitsi/nick",
        "a@lobby.meet.jitsi",
        "a@muc.tenant.meet.jitsi",
        f"a@{DOMAIN}",
        MUC_DOMAIN,
        f"a@breakout.{DOMAIN}",  # this stack has no breakout rooms
        "",
        "a b@",
    ],
)
async def test_nobody_makes_the_focus_enter_a_room_that_is_no_conference(
    shared_prosody: Prosody, room: str, place: str
) -> None:
    """In the bridges' own room it would lose them all: one request would end the service for everybody."""
    async with Stage(shared_prosody) as stage:
        for person in (await stage.person(room, moderator=True), await stage.person(room)):
            await refused(person.request_any(place), "not-allowed")


async def test_a_room_that_the_focus_made_is_not_open_yet(shared_prosody: Prosody, room: str) -> None:
    """However the focus was asked (by HTTP, say): without a moderator the room lets nobody in."""
    async with Stage(shared_prosody) as stage:
        await stage.focus.enter(room)
        asker = await stage.person(room)
        error = await refused(asker.enter(room), "not-allowed")
        assert "moderator" in error.text


async def test_a_moderator_opens_and_an_asker_enters_as_member(shared_prosody: Prosody, room: str) -> None:
    async with Stage(shared_prosody) as stage:
        moderator = await stage.moderator(room)
        asker = await stage.asker(room)
        await moderator.settle()
        assert moderator.standing(room) == ("owner", "moderator")
        assert moderator.standing(room, asker) == ("member", "participant")
        assert moderator.standing(room, stage.focus) == ("owner", "moderator")


@pytest.mark.parametrize("claim", [False, None, 0, "", "false", 1, "true", [True]])
async def test_only_the_claim_true_opens(shared_prosody: Prosody, room: str, claim: object) -> None:
    async with Stage(shared_prosody) as stage:
        asker = await stage.person(room, moderator=claim)
        await refused(asker.request_conference(room), "not-authorized")
        await refused(asker.enter(room), "not-allowed")


async def test_a_token_is_good_for_its_own_room_only(shared_prosody: Prosody, room: str) -> None:
    async with Stage(shared_prosody) as stage:
        stranger = await stage.person("another-room", moderator=True)
        await refused(stranger.request_conference(room), "not-authorized")
        await stage.moderator(room)
        await refused(stranger.request_conference(room), "not-authorized")
        await refused(stranger.enter(room), "not-allowed")


async def test_a_room_claim_may_be_written_in_capitals(shared_prosody: Prosody, room: str) -> None:
    async with Stage(shared_prosody) as stage:
        moderator = await stage.person(room.upper(), moderator=True)
        await moderator.join(room)
        assert moderator.standing(room) == ("owner", "moderator")


async def test_a_room_claim_that_only_looks_like_the_name_opens_nothing(shared_prosody: Prosody, room: str) -> None:
    """Neither what a browser or XMPP would make the name of, nor a pattern; only `*` alone is all rooms."""
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in room)
    spaced = (f" {room}", f"{room} ", f"{room}\n", f"{room}\0", f"{room}\u200b")
    patterns = ("", "**", ".*", "%2A", f"*{room}", f"{room}*", f"%{ord(room[0]):x}{room[1:]}")
    async with Stage(shared_prosody) as stage:
        for claim in (wide, *spaced, *patterns, f"{room}@{MUC_DOMAIN}", f"[tenant]{room}", f"tenant/{room}"):
            stranger = await stage.person(claim, moderator=True)
            await refused(stranger.request_conference(room), "not-authorized")
            await refused(stranger.enter(room), "not-allowed")


async def test_nobody_can_grant_ownership(shared_prosody: Prosody, room: str) -> None:
    """Neither the asker, nor the moderator, nor the focus; the moderator role is guarded likewise."""
    async with Stage(shared_prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        for actor in (asker, moderator, stage.focus):
            await refused(actor.administer(room, affiliation="owner", jid=asker.boundjid.bare), "not-allowed")
            await refused(actor.administer(room, role="moderator", nick=asker.nick), "not-allowed")
        await asker.settle()
        assert asker.standing(room) == ("member", "participant")


async def test_a_verified_moderator_may_be_made_owner_again(shared_prosody: Prosody, room: str) -> None:
    async with Stage(shared_prosody) as stage:
        first, second = await stage.moderator(room), await stage.moderator(room)
        await first.administer(room, affiliation="member", jid=second.boundjid.bare)
        await first.administer(room, affiliation="owner", jid=second.boundjid.bare)
        await second.settle()
        assert second.standing(room) == ("owner", "moderator")


async def test_the_focus_keeps_its_ownership(shared_prosody: Prosody, room: str) -> None:
    async with Stage(shared_prosody) as stage:
        moderator = await stage.moderator(room)
        for affiliation in ("member", "none", "outcast"):
            with pytest.raises(RefusedError):
                await moderator.administer(room, affiliation=affiliation, jid=FOCUS)
        await moderator.settle()
        assert moderator.standing(room, stage.focus) == ("owner", "moderator")


async def test_an_outcast_stays_out(shared_prosody: Prosody, room: str) -> None:
    """A moderator's token does not lift a ban either."""
    async with Stage(shared_prosody) as stage:
        moderator = await stage.moderator(room)
        for banned in (await stage.asker(room), await stage.moderator(room)):
            await moderator.administer(room, affiliation="outcast", jid=banned.boundjid.bare)
            await refused(banned.enter(room), "forbidden")


async def test_a_token_shown_on_the_guest_host_proves_nothing(shared_prosody: Prosody, room: str) -> None:
    """There Jitsi keeps the token from the URL unverified: even a good one must count for nothing, a forged one too."""
    async with Stage(shared_prosody) as stage:
        forged = token(room, "a-guessed-secret-of-more-than-32-bytes", moderator=True)
        for shown in (forged, token(room, moderator=True)):
            visitor = await stage.tokenless(shown)
            await refused(visitor.request_conference(room), "not-authorized")
            await refused(visitor.enter(room), "not-allowed")
        await stage.moderator(room)
        await visitor.join(room)
        await visitor.settle()
        assert visitor.boundjid.host == GUEST_DOMAIN
        assert visitor.standing(room) == ("none", "participant")


async def test_without_a_focus_the_same_rules_hold(make_prosody: MakeProsody, room: str) -> None:
    """Where Prosody lets people make rooms themselves, only a moderator's presence makes one."""
    prosody = make_prosody(focus_creates_rooms=False)
    async with Stage(prosody, focus=False) as stage:
        asker, moderator = await stage.person(room), await stage.person(room, moderator=True)
        await refused(asker.enter(room), "not-allowed")
        await moderator.enter(room)
        await asker.enter(room)
        await asker.settle()
        assert moderator.standing(room) == ("owner", "moderator")
        assert asker.standing(room) == ("member", "participant")


async def test_an_expired_token_opens_nothing_and_makes_nobody_moderator(shared_prosody: Prosody, room: str) -> None:
    """Whoever is in with it stays what they are: a call may last longer than its link."""
    async with Stage(shared_prosody) as stage:
        end = int(time.time()) + 7
        opener = await stage.person(f"{room}-closed", moderator=True, exp=end)
        late = await stage.person(room, moderator=True, exp=end)
        moderator = await stage.person(room, moderator=True, exp=end)
        await moderator.join(room)
        other = await stage.moderator(room)
        assert time.time() < end, "the machine is too slow for this test"
        await asyncio.sleep(end - time.time() + 1)
        await refused(opener.request_conference(f"{room}-closed"), "not-authorized")
        await refused(opener.enter(f"{room}-closed"), "not-allowed")
        await refused(late.enter(room), "not-allowed")
        await refused(other.administer(room, affiliation="owner", jid=late.boundjid.bare), "not-allowed")
        await moderator.settle()
        assert moderator.standing(room) == ("owner", "moderator")
        await moderator.leave(room)
        await moderator.enter(room)
        assert moderator.standing(room) == ("owner", "moderator"), "the same connection in the same call"


async def test_no_tenant_has_a_room(shared_prosody: Prosody, room: str) -> None:
    """Half a tenant is worse than none: its rooms would have another name in each event."""
    async with Stage(shared_prosody) as stage:
        for claim in (room, "*", f"[tenant]{room}"):
            person = await stage.person(claim, moderator=True)
            await refused(person.request_conference(f"[tenant]{room}"), "not-allowed")
            await refused(person.enter(f"[tenant]{room}"), "not-allowed")


async def test_a_nickname_is_not_taken_from_its_moderator(make_prosody: MakeProsody, room: str) -> None:
    """Not while the moderator is elsewhere in the call, and not by reserving it."""
    prosody = make_prosody(breakout_rooms=True)
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        other = await stage.person(room)
        breakout = await moderator.add_breakout_room(room)
        await moderator.move(room, breakout)
        await refused(asker.register(room, moderator.nick), "not-allowed")
        await refused(other.enter(room, moderator.nick), "conflict")
        await moderator.move(breakout, room)
        assert moderator.standing(room) == ("owner", "moderator")


async def test_a_moderator_comes_back_by_a_new_connection_under_the_same_nickname(
    make_prosody: MakeProsody, room: str
) -> None:
    """It is held for a connection that is there, elsewhere in the call; one that broke off holds nothing."""
    prosody = make_prosody(timeout=60)
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        place = f"{room_jid(room)}/{moderator.nick}"
        moderator.drop()
        await until(lambda: place not in asker.occupants or asker.occupants[place][1] == "none", "the moderator is out")
        back = await stage.person(room, moderator=True)
        await back.enter(room, moderator.nick)
        await asker.settle()
        assert asker.occupants[place] == ("owner", "moderator")


@pytest.mark.parametrize("nick", ["focus", "Focus", "x/focus"])
async def test_nobody_takes_the_nick_of_the_focus(shared_prosody: Prosody, room: str, nick: str) -> None:
    """Jitsi takes whoever has it for jicofo, and lets people in who wait for jicofo."""
    async with Stage(shared_prosody) as stage:
        await stage.moderator(room)
        await stage.focus.leave(room)
        newcomer, asker = await stage.person(room), await stage.asker(room)
        await refused(newcomer.enter(room, nick), "conflict")
        await refused(asker.enter(room, nick), "conflict")


async def test_nobody_is_removed_by_a_reservation(shared_prosody: Prosody, room: str) -> None:
    """Prosody frees a nickname that an item reserves before it looks at who asks."""
    async with Stage(shared_prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        for nick in (moderator.nick, "focus"):
            item = {"affiliation": "member", "jid": asker.boundjid.bare, "nick": nick}
            await refused(asker.administer(room, **item), "not-allowed")
            await refused(moderator.administer(room, **item), "not-allowed")
        await moderator.settle()
        assert moderator.standing(room) == ("owner", "moderator")
        assert moderator.standing(room, stage.focus) == ("owner", "moderator")


async def test_the_end_of_a_room_leads_nobody_elsewhere(shared_prosody: Prosody, room: str) -> None:
    """Jitsi's client follows the room that an end names."""
    async with Stage(shared_prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        ends: list[ET.Element] = []
        asker.add_event_handler("presence", lambda one: ends.extend(one.xml.iter(f"{{{MUC}#user}}destroy")))
        iq = moderator.make_iq_set(ito=room_jid(room))
        query = ET.SubElement(iq.xml, f"{{{MUC}#owner}}query")
        destroy = ET.SubElement(query, f"{{{MUC}#owner}}destroy", jid=f"elsewhere@{MUC_DOMAIN}")
        ET.SubElement(destroy, f"{{{MUC}#owner}}password").text = "a-password"
        await ask(iq)
        await until(lambda: ends, "the end")
        assert [(one.attrib, one.find(f"{{{MUC}#user}}password")) for one in ends] == [({}, None)]


async def test_no_moderator_changes_who_sees_whose_address(shared_prosody: Prosody, room: str) -> None:
    """Jitsi's client sends the field along, with the value that holds; another one would change every client's view."""
    async with Stage(shared_prosody) as stage:
        moderator = await stage.moderator(room)
        await moderator.configure(room, whois="anyone")
        await refused(moderator.configure(room, whois="moderators"), "not-allowed")


@pytest.mark.parametrize("deed", ["owner", "admin", "moderator"])
async def test_no_module_makes_a_moderator(make_prosody: MakeProsody, room: str, deed: str) -> None:
    prosody = make_prosody(meddler=True)
    async with Stage(prosody) as stage:
        moderator, asker = await stage.moderator(room), await stage.asker(room)
        await moderator.meddle(deed, room, asker)
        await moderator.settle()
        assert moderator.standing(room, asker) == ("member", "participant")
