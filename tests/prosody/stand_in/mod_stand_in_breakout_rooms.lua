-- Test stand-in for Jitsi's mod_muc_breakout_rooms, on the breakout rooms' component: the same data in the main room,
-- whose affiliations count; only rooms that were added come into being, and they end with the main room.

local jid = require "util.jid"

local muc = module:depends "muc"
local main_host = module:get_option_string("main_muc")

local main_of = {} -- breakout room JID -> main room JID

local function main_room(breakout_jid)
	local main_jid = main_of[breakout_jid]
	return main_jid and prosody.hosts[main_host].modules.muc.get_room_from_jid(main_jid)
end

function muc.room_mt:get_affiliation(who)
	local main = main_room(self.jid)
	return main and main:get_affiliation(who) or "none"
end

function muc.room_mt:get_members_only()
	local main = main_room(self.jid)
	return main and main:get_members_only()
end

module:hook("message/host", function(event)
	local add = event.stanza:get_child("breakout_rooms")
	local main = add and prosody.hosts[main_host].modules.muc.get_room_from_jid(jid.prep(add.attr.main))
	local occupant = main and main:get_occupant_by_real_jid(event.stanza.attr.from)
	if not occupant or occupant.role ~= "moderator" then return false end
	main_of[add.attr.jid] = main.jid
	main._data.breakout_rooms = main._data.breakout_rooms or {}
	main._data.breakout_rooms[add.attr.jid] = "a breakout room"
	main._data.breakout_rooms_active = true
	main:set_persistent(true)
	return true
end)

module:hook("muc-room-pre-create", function(event)
	if main_room(event.room.jid) then return end
	event.room:destroy(nil, "Not added")
	return true
end)

local function on_main_room_destroyed(event)
	for breakout_jid in pairs(event.room._data.breakout_rooms or {}) do
		local room = muc.get_room_from_jid(breakout_jid)
		if room then room:destroy(event.room.jid, event.reason) end
		event.room._data.breakout_rooms[breakout_jid] = nil
		main_of[breakout_jid] = nil
	end
end

module:hook_global("server-started", function() -- the other component is there by then
	-- Before Prosody forgets the room (0).
	module:context(main_host):hook("muc-room-destroyed", on_main_room_destroyed, 1)
end)
