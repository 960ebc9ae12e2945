-- Test stand-in for Jitsi's mod_muc_lobby_rooms: the same two global events, the same data in the main room, the same
-- answers to who enters, and a lobby room on its own component whose affiliations are the main room's.

module:set_global()

local jid = require "util.jid"
local st = require "util.stanza"

local MAIN, LOBBY = "muc.meet.jitsi", "lobby.meet.jitsi"

local function muc_of(host) return prosody.hosts[host].modules.muc end

local function tell_of_change(room)
	room:broadcast_message(
		st.message({ type = "groupchat", from = room.jid })
			:tag("x", { xmlns = "http://jabber.org/protocol/muc#user" })
			:tag("status", { code = "104" })
	)
end

local function attach(room)
	local lobby_jid = jid.node(room.jid) .. "@" .. LOBBY
	if muc_of(LOBBY).get_room_from_jid(lobby_jid) then return false end
	muc_of(LOBBY).create_room(lobby_jid):set_persistent(true)
	room._data.lobbyroom = lobby_jid
	return true
end

local function detach(room, newjid, message)
	local lobby_room = room._data.lobbyroom and muc_of(LOBBY).get_room_from_jid(room._data.lobbyroom)
	if lobby_room then
		lobby_room:set_persistent(false)
		lobby_room:destroy(newjid, message or "Lobby room closed.")
	end
	room._data.lobbyroom, room._data.lobby_skip_display_name_check = nil, nil
end

module:hook("create-lobby-room", function(event)
	local room = event.room
	for _, occupant in room:each_occupant() do
		if (room:get_affiliation(occupant.bare_jid) or "none") == "none" then
			room:set_affiliation(true, occupant.bare_jid, "member")
		end
	end
	room:set_members_only(true)
	room._data.lobby_skip_display_name_check = event.skip_display_name_check
	tell_of_change(room)
	attach(room)
end)

module:hook("destroy-lobby-room", function(event)
	detach(event.room, event.newjid, event.message)
	tell_of_change(event.room)
end)

local function on_entry(event)
	local room, stanza = event.room, event.stanza
	if not room:get_members_only() or event.occupant.nick:match("/focus$") then return end
	local name = stanza:get_child_text("nick", "http://jabber.org/protocol/nick")
	if (name or "") == "" and not room._data.lobby_skip_display_name_check then
		event.origin.send(st.error_reply(stanza, "modify", "not-acceptable"))
		return true
	end
	if (room:get_affiliation(stanza.attr.from) or "none") == "none" then
		local reply = st.error_reply(stanza, "auth", "registration-required")
		reply:tag("lobbyroom", { xmlns = "http://jitsi.org/jitmeet" }):text(room._data.lobbyroom):up():up()
		event.origin.send(reply)
		return true
	end
end

local function on_configured(event)
	if jid.node(event.actor) == "focus" then return end
	if event.fields["muc#roomconfig_membersonly"] then
		attach(event.room)
	elseif event.room._data.lobbyroom then
		detach(event.room, event.room.jid)
	end
end

module:hook("server-started", function() -- the components are there by then
	local main = module:context(MAIN)
	main:hook("muc-occupant-pre-join", on_entry, -4)
	main:hook("muc-config-submitted", on_configured)
	main:hook("muc-room-destroyed", function(event) detach(event.room) end, 1)
	local room_mt = muc_of(LOBBY).room_mt
	function room_mt:get_affiliation(who)
		local room = muc_of(MAIN).get_room_from_jid(jid.node(self.jid) .. "@" .. MAIN)
		return room and room:get_affiliation(who) or "none"
	end
end)
