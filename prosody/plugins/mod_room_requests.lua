-- Room requests: what a client may ask of a room besides being in it. mod_token_moderation loads it on the conference
-- MUC component; it watches the lobby and the breakout rooms as well.
--
-- Lets through what Jitsi's clients send, from those who may send it, and refuses the rest before Prosody acts on it:
--   the affiliation and role of somebody, and their lists: from a moderator in the call, and never with a nickname to
--     reserve, for which Prosody removes whoever has that nickname, before it looks at who asks;
--   the configuration (lobby and password) and the end of the main room: from a moderator in the call;
--   an invitation, with which a moderator lets in who waits in the lobby: from a moderator, and to nobody who is not in
--     the lobby or the call, as a room would else send mail to the whole server;
--   a request to speak, and for the list of who is in: from an occupant;
--   reserved nicknames, declined invitations, a room's picture: from nobody.
-- Jitsi's own accounts may everything. What becomes of an affiliation or a role, mod_token_moderation judges.

local jid = require "util.jid"
local st = require "util.stanza"

local call_rooms = module:require "call_rooms"
local conference = module:require "conference"

local ADMIN = "http://jabber.org/protocol/muc#admin"
local OWNER = "http://jabber.org/protocol/muc#owner"
local USER = "http://jabber.org/protocol/muc#user"
local DATA = "jabber:x:data"
local ITEMS = "http://jabber.org/protocol/disco#items"
-- All that Jitsi's client ever sets: the lobby and the password. (`whois` it sends along, with the value that holds.)
local FIELDS = {
	["FORM_TYPE"] = true,
	["muc#roomconfig_membersonly"] = true,
	["muc#roomconfig_roomsecret"] = true,
	["muc#roomconfig_passwordprotectedroom"] = true,
	["muc#roomconfig_whois"] = true,
}

local function room_of(event, host)
	local muc = prosody.hosts[host].modules.muc
	return muc and muc.get_room_from_jid(jid.bare(event.stanza.attr.to)) or nil
end

local function may_administer(kind, query)
	if #query.tags == 0 then return false end
	for _, item in ipairs(query.tags) do -- Prosody and Jitsi act on each, whatever its name
		if item.name ~= "item" or item.attr.xmlns ~= ADMIN then return false end
		if item.attr.affiliation and (kind ~= "main" or item.attr.nick) then return false end
	end
	return true
end

local function may_configure(kind, query, is_set)
	local child = query.tags[1]
	if kind ~= "main" then return false end
	if not is_set then return true end
	if not child or #query.tags > 1 then return false end
	if child.name == "destroy" and child.attr.xmlns ~= OWNER then return false end
	if child.name == "destroy" then return true end
	if child.name ~= "x" or child.attr.xmlns ~= DATA then return false end
	for field in child:childtags("field") do
		if not FIELDS[field.attr.var] then return false end
		if field.attr.var == "muc#roomconfig_whois" and field:get_child_text("value") ~= "anyone" then
			return false
		end
	end
	return true
end

-- True if the query may reach Prosody.
local function may_query(kind, room, from, query, is_set)
	local xmlns = query.attr.xmlns
	if xmlns == "jabber:iq:register" then return false end
	if xmlns == ITEMS and room and not room:get_occupant_by_real_jid(from) then return false end
	if xmlns ~= ADMIN and xmlns ~= OWNER then return not is_set end
	local main_room = room and call_rooms.main_of(room)
	if not main_room or not conference.moderates(main_room, from) then return false end
	if xmlns == ADMIN then return may_administer(kind, query) end
	return may_configure(kind, query, is_set)
end

local function refuse(event)
	local stanza = event.stanza
	module:log("info", "%s may not ask that of %s: refused", stanza.attr.from, stanza.attr.to)
	event.origin.send(st.error_reply(stanza, "cancel", "not-allowed", nil, jid.bare(stanza.attr.to)))
	return true
end

-- An end leads nobody to another room.
local function strip_destroy(query)
	local destroy = query:get_child("destroy")
	if not destroy then return end
	destroy.attr.jid = nil
	destroy:maptags(function(tag) return tag.name ~= "password" and tag or nil end)
end

local function on_iq(host, kind)
	return function(event)
		local stanza = event.stanza
		local is_set, query = stanza.attr.type == "set", stanza.tags[1]
		if not (is_set or stanza.attr.type == "get") or conference.is_service_account(stanza.attr.from) then
			return
		end
		if not may_query(kind, room_of(event, host), stanza.attr.from, query, is_set) then
			return refuse(event)
		end
		if query.attr.xmlns == OWNER then strip_destroy(query) end
	end
end

local function may_invite(kind, main_room, from, x)
	if kind ~= "main" or not main_room or not conference.moderates(main_room, from) then return false end
	for _, invite in ipairs(x.tags) do -- Jitsi sends each, whatever its namespace
		if invite.name ~= "invite" or invite.attr.xmlns ~= USER then return false end
		local invitee = jid.prep(invite.attr.to)
		if not invitee or not call_rooms.is_present(main_room, jid.bare(invitee), true) then return false end
	end
	return true
end

local function on_message(host, kind)
	return function(event)
		local stanza = event.stanza
		if conference.is_service_account(stanza.attr.from) then return end
		local kind_of_message = stanza.attr.type or "normal"
		if kind_of_message ~= "normal" then return end
		local room = room_of(event, host)
		local x = stanza:get_child("x", USER)
		if x then
			local is_invitation = x:get_child("invite") ~= nil and x:get_child("decline") == nil
			local main_room = room and call_rooms.main_of(room)
			if is_invitation and may_invite(kind, main_room, stanza.attr.from, x) then return end
			return refuse(event)
		end
		local is_occupant = room and room:get_occupant_by_real_jid(stanza.attr.from) ~= nil
		if stanza:get_child("x", DATA) and not is_occupant then return refuse(event) end
	end
end

call_rooms.on_each_component(function(context, host, kind)
	-- Before Jitsi's lobby (1) and Prosody's MUC (-2).
	for _, target in ipairs { "bare", "host" } do
		context:hook("iq/" .. target, on_iq(host, kind), 50)
		context:hook("message/" .. target, on_message(host, kind), 50)
	end
end)
