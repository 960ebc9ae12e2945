-- The rooms of one call: the main room, its lobby, and its breakout rooms, each on a component of its own.
--
-- Owns: which room belongs to which call, as Jitsi's mod_muc_lobby_rooms and mod_muc_breakout_rooms keep it in the main
-- room's data. Changes nothing. What is switched off has no component: then a call has no such rooms. The components'
-- names are the image's: lobby.<domain> and breakout.<domain>.

local jid = require "util.jid"

local environment = module:require("environment").get

local domain = environment("XMPP_DOMAIN", "meet.jitsi")

local lib = {
	main_host = jid.prep(environment("XMPP_MUC_DOMAIN", "muc.meet.jitsi")),
	lobby_host = jid.prep("lobby." .. domain),
	breakout_host = jid.prep("breakout." .. domain),
}

local function find(room_jid)
	local host = room_jid and prosody.hosts[jid.host(room_jid)]
	local muc = host and host.modules and host.modules.muc
	return muc and muc.get_room_from_jid(room_jid) or nil
end

local function breakout_jids(main_room) return main_room._data.breakout_rooms or {} end

-- The main room with this JID, or nil.
function lib.main(room_jid) return jid.host(room_jid) == lib.main_host and find(room_jid) or nil end

-- The lobby of a main room, or nil where it has none.
function lib.lobby(main_room) return find(main_room._data.lobbyroom) end

-- The breakout rooms that somebody has entered; a breakout room comes into being with the first to enter.
function lib.breakout_rooms(main_room)
	local rooms = {}
	for room_jid in pairs(breakout_jids(main_room)) do
		rooms[#rooms + 1] = find(room_jid)
	end
	return rooms
end

-- True once a breakout room was made: from then on Jitsi's module keeps the main room in being, empty or not.
function lib.has_breakout_rooms(main_room) return main_room._data.breakout_rooms_active == true end

-- The main room that has a breakout room of this JID, entered or not, or nil.
function lib.main_of_breakout(room_jid)
	local host = prosody.hosts[lib.main_host]
	local muc = host and host.modules.muc
	if not muc or not prosody.hosts[lib.breakout_host] then return nil end
	for room in muc.live_rooms() do
		if breakout_jids(room)[room_jid] ~= nil then return room end
	end
end

-- The main room of the call that a room of any of the three components belongs to, or nil.
function lib.main_of(room)
	local node, host = jid.split(room.jid)
	if host == lib.main_host then return room end
	if host == lib.lobby_host then return node and find(node .. "@" .. lib.main_host) end
	if host == lib.breakout_host then return lib.main_of_breakout(room.jid) end
end

-- True if that JID is an occupant of the main room or of a breakout room, and of the lobby if asked for.
function lib.is_present(main_room, bare_jid, lobby_too)
	local rooms = lib.breakout_rooms(main_room)
	rooms[#rooms + 1] = main_room
	rooms[#rooms + 1] = lobby_too and lib.lobby(main_room) or nil
	for _, room in ipairs(rooms) do
		for _, occupant in room:each_occupant() do
			if occupant.bare_jid == bare_jid then return true end
		end
	end
	return false
end

-- Calls handler(context, host, kind) for each of the three components that there is, now or once it comes; kind is
-- "main", "lobby" or "breakout".
function lib.on_each_component(handler)
	local kinds = { [lib.main_host] = "main", [lib.lobby_host] = "lobby", [lib.breakout_host] = "breakout" }
	local seen = {}
	local function look(host)
		if not kinds[host] or not prosody.hosts[host] or seen[host] then return end
		seen[host] = true
		handler(module:context(host), host, kinds[host])
	end
	for host in pairs(kinds) do
		look(host)
	end
	module:hook_global("host-activated", look)
end

return lib
