-- Room entry: who may come to a room of the conference, its lobby or its breakout rooms, and under which nickname.
-- mod_token_moderation loads it on the conference MUC component; it watches the other two as well.
--
-- Jitsi's token verification looks at the main room alone: without this anybody who knows the name of a breakout room,
-- such as one who was removed from the call, enters it past the lobby, and a stranger knocks at every lobby. So:
--   a token is good for its own room and what belongs to that, and for no more once it has expired;
--   into a breakout room comes who could come into its main room now;
--   rooms with a tenant ([tenant]room) are nobody's, and jicofo's test rooms are jicofo's;
--   the nickname of jicofo, or of a moderator who is connected still, is taken.
-- Does not decide who opens a room (mod_create_room) nor who waits in the lobby (mod_room_lobby).

local jid = require "util.jid"
local st = require "util.stanza"

local call_rooms = module:require "call_rooms"
local claims = module:require "token_claims"
local conference = module:require "conference"

-- Main room -> nickname -> bare JID of the moderator who goes by it.
local held_nicks = setmetatable({}, { __mode = "k" })

local function is_held(main_room, nick, bare_jid)
	local holder = (held_nicks[main_room] or {})[nick]
	return holder ~= nil and holder ~= bare_jid and prosody.bare_sessions[holder] ~= nil
end

local function is_in_the_call(main_room, bare_jid)
	local affiliation = main_room:get_affiliation(bare_jid)
	return affiliation == "member" or affiliation == "owner"
end

local function is_taken(main_room, nick, bare_jid)
	return conference.is_focus_nick(nick) or is_held(main_room, nick, bare_jid)
end

-- The XMPP condition and text with which an entry is refused, or nil.
local function refusal(event, main_room, kind)
	local session, bare_jid = event.origin, jid.bare(event.stanza.attr.from)
	if (jid.node(event.room.jid) or ""):sub(1, 1) == "[" then return "not-allowed", "Tenants are off." end
	if not main_room then return "item-not-found", "There is no such conference." end
	if conference.is_health_check_room(main_room.jid) then return "not-allowed", "This room is for tests." end
	if is_taken(main_room, jid.resource(event.stanza.attr.to) or "", bare_jid) then
		return "conflict", "This nickname is taken."
	end
	if main_room:get_affiliation(bare_jid) == "outcast" then return "forbidden" end
	local is_inside = is_in_the_call(main_room, bare_jid)
	if claims.has_token(session) and not is_inside and not claims.admits(session, main_room.jid) then
		return "not-allowed", "The token is not good for this conference, or not any more."
	end
	if kind ~= "breakout" or is_inside then return nil end
	if main_room:get_members_only() then return "registration-required", "The moderator has to let you in." end
	if not main_room._data.opened_by_moderator then return "not-allowed", "This conference is not open yet." end
end

local function refuse(event, condition, text)
	local stanza, room_jid = event.stanza, event.room.jid
	local is_for_lack_of_rights = condition == "registration-required" or condition == "forbidden"
	local kind = is_for_lack_of_rights and "auth" or "cancel"
	module:log("info", "%s may not enter %s: %s", stanza.attr.from, room_jid, text or condition)
	event.origin.send(st.error_reply(stanza, kind, condition, text, room_jid))
	return true
end

local function on_entry(kind)
	return function(event)
		if conference.is_service_account(event.stanza.attr.from) then return end
		local condition, text = refusal(event, call_rooms.main_of(event.room), kind)
		if condition then return refuse(event, condition, text) end
	end
end

local function on_change(event)
	local from, nick = event.stanza.attr.from, event.dest_occupant.nick
	if nick == event.orig_occupant.nick or conference.is_service_account(from) then return end
	local main_room = call_rooms.main_of(event.room)
	if not main_room or is_taken(main_room, jid.resource(nick) or "", jid.bare(from)) then
		return refuse(event, "conflict", "This nickname is taken.")
	end
end

local function on_joined(event)
	local bare_jid = event.occupant.bare_jid
	local main_room = call_rooms.main_of(event.room)
	if not main_room or conference.is_service_account(bare_jid) then return end
	if main_room:get_affiliation(bare_jid) ~= "owner" then return end
	held_nicks[main_room] = held_nicks[main_room] or {}
	held_nicks[main_room][jid.resource(event.occupant.nick)] = bare_jid
end

call_rooms.on_each_component(function(context, _, kind)
	-- After Jitsi's token verification (99), before everything that opens (50), queues (8) or changes (5) a room.
	context:hook("muc-room-pre-create", on_entry(kind), 60) -- who is refused leaves no empty room behind
	context:hook("muc-occupant-pre-join", on_entry(kind), 60)
	context:hook("muc-occupant-pre-change", on_change, 60)
	context:hook("muc-occupant-joined", on_joined, 1)
end)
