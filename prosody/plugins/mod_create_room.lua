-- Create room: only a moderator's token opens a room. Load on the conference MUC component.
--
-- In Jitsi a client first asks jicofo for the conference, and jicofo, a server administrator, makes the room; only then
-- the client enters. So "who made the room" says nothing. The rule is therefore: a room is open once somebody whose
-- token makes a moderator has entered. Until then nobody else but Jitsi's own accounts gets in, whoever made the room
-- and by whatever way jicofo was asked. For a room that is not open, the request to jicofo is refused as well, so that
-- jicofo does not make it in vain; the client takes not-authorized for "wait for the moderator" and asks again.
-- Does not check tokens, nor who may enter an open room: Jitsi's mod_auth_token and our mod_room_entry do.

local jid = require "util.jid"
local st = require "util.stanza"

local claims = module:require "token_claims"
local conference = module:require "conference"
local muc = module:depends "muc"

local REFUSAL = "This conference is not open yet. Only a moderator can open it."

local function may_enter(session, from, room_jid, room)
	return conference.is_service_account(from)
		or (room and room._data.opened_by_moderator)
		or claims.is_moderator(session, room_jid)
end

local function check_presence(event)
	local session, stanza, room = event.origin, event.stanza, event.room
	if may_enter(session, stanza.attr.from, room.jid, room) then return end
	module:log("info", "%s may not open the room %s", stanza.attr.from, room.jid)
	session.send(st.error_reply(stanza, "cancel", "not-allowed", REFUSAL, module.host))
	return true
end

-- After token verification (99), before jicofo's waiting queue (8) and everything that changes the room.
module:hook("muc-room-pre-create", check_presence, 50)
module:hook("muc-occupant-pre-join", check_presence, 50)

module:hook("muc-occupant-joined", function(event)
	if claims.is_moderator(event.origin, event.room.jid) then event.room._data.opened_by_moderator = true end
end, 10)

conference.on_conference_request(function(session, stanza, room_jid)
	if jid.host(room_jid) ~= module.host then return end
	local from = stanza.attr.from or session.full_jid
	if may_enter(session, from, room_jid, muc.get_room_from_jid(room_jid)) then return end
	module:log("info", "%s may not ask jicofo to open the room %s", from, room_jid)
	session.send(st.error_reply(stanza, "auth", "not-authorized", REFUSAL, module.host))
	return true
end, 50)
