-- The breakout rooms of a conference room, as Jitsi's mod_muc_breakout_rooms keeps them: the room's data names them.
-- They are rooms of another component, and come into being with the first to enter.
--
-- Owns: where that stands, and hearing who comes and goes there. Changes nothing. Without the setting no room has any.

local jid = require "util.jid"

local lib = {}

local function named(main_room) return main_room._data.breakout_rooms or {} end

local function find(room_jid)
	local host = prosody.hosts[jid.host(room_jid)]
	local muc = host and host.modules.muc
	return muc and muc.get_room_from_jid(room_jid)
end

-- True once a breakout room was made: from then on Jitsi's module keeps the main room in being, empty or not.
function lib.in_use(main_room) return main_room._data.breakout_rooms_active == true end

function lib.belongs(room_jid, main_room) return named(main_room)[room_jid] ~= nil end

-- The breakout rooms that somebody has entered.
function lib.rooms(main_room)
	local rooms = {}
	for room_jid in pairs(named(main_room)) do
		rooms[#rooms + 1] = find(room_jid)
	end
	return rooms
end

local watched = {}

-- Has handler(event) called whenever somebody came to or left a room of the component where this room's breakout rooms
-- are; further calls for the same component do nothing. Nobody gets there without leaving the main room: called at each
-- leaving, this is in time.
function lib.watch(main_room, handler)
	for room_jid in pairs(named(main_room)) do
		local host = jid.host(room_jid)
		if prosody.hosts[host] and not watched[host] then
			watched[host] = true
			local context = module:context(host)
			context:hook("muc-occupant-joined", handler, -1)
			context:hook("muc-occupant-left", handler, 1)
		end
	end
end

-- True if this leaving is a move to another room of the same call: Jitsi's clients say so as they go.
function lib.is_move(event, main_room)
	local stanza = event.stanza
	return lib.in_use(main_room) and stanza ~= nil and stanza:get_child_text("status") == "switch_room"
end

return lib
