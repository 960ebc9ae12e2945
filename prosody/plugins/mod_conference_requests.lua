-- Conference requests: jicofo is asked for conferences of the asker's, and for no other room of this server.
-- Load globally: GLOBAL_MODULES=conference_requests.
--
-- jicofo makes a conference of whatever room it is asked for. Asked for the room in which it meets the bridges, it soon
-- leaves that room as an empty conference, and with it every bridge: no call begins until it is started anew. So a
-- request has to name a room on the conference component that the asker's token admits, or a breakout room that an
-- existing conference has and the asker may enter now. Who has no token (a guest, or where accounts sign in) is judged
-- by mod_create_room. Reads the image's own variables with the image's own defaults. Does not judge who may open a
-- room: mod_create_room does. Loads mod_client_data and mod_direct_stanzas.

module:set_global()

local jid = require "util.jid"
local st = require "util.stanza"

local call_rooms = module:require "call_rooms"
local claims = module:require "token_claims"
local conference = module:require "conference"

local load_companion = module:require "companions"

load_companion("*", "client_data")
load_companion("*", "direct_stanzas")

local function is_in_the_call(session, main_room)
	local affiliation = main_room and main_room:get_affiliation(jid.bare(session.full_jid))
	return affiliation == "owner" or affiliation == "member"
end

local function may_ask_for_main(session, room_jid)
	return not claims.has_token(session)
		or claims.admits(session, room_jid)
		or is_in_the_call(session, call_rooms.main(room_jid)) -- the token has expired since
end

local function may_ask_for_breakout(session, room_jid)
	local main_room = call_rooms.main_of_breakout(room_jid)
	if not main_room then return false end
	return is_in_the_call(session, main_room)
		or (not main_room:get_members_only() and may_ask_for_main(session, main_room.jid))
end

local function is_allowed(session, room_jid)
	local node, host = jid.split(room_jid)
	if not node or node:sub(1, 1) == "[" then return false end
	if conference.is_service_account(session.full_jid) then
		return host == call_rooms.main_host or host == call_rooms.breakout_host
	end
	if host == call_rooms.main_host then return may_ask_for_main(session, room_jid) end
	return host == call_rooms.breakout_host and may_ask_for_breakout(session, room_jid)
end

conference.on_conference_request(function(session, stanza, room_jid)
	if is_allowed(session, room_jid) then return end
	module:log(
		"warn",
		"%s asks jicofo for %s, which is no conference of theirs: refused",
		session.full_jid,
		room_jid
	)
	local node, host = jid.split(room_jid)
	local is_conference = node and node:sub(1, 1) ~= "[" and host == call_rooms.main_host
	-- Jitsi's client knows not-authorized: no way in with this token.
	local kind, condition = "cancel", "not-allowed"
	if is_conference then
		kind, condition = "auth", "not-authorized"
	end
	session.send(st.error_reply(stanza, kind, condition, "This is not the room of a conference of yours."))
	return true
end, 60) -- before mod_create_room (50)
