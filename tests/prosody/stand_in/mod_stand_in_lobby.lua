-- Test stand-in for the two global events by which Jitsi's mod_muc_lobby_rooms is switched.

module:set_global()

module:hook("create-lobby-room", function(event)
	for _, occupant in event.room:each_occupant() do
		if (event.room:get_affiliation(occupant.bare_jid) or "none") == "none" then
			event.room:set_affiliation(true, occupant.bare_jid, "member")
		end
	end
	event.room:set_members_only(true)
	module:log("info", "lobby of %s opened", event.room.jid)
end)

module:hook("destroy-lobby-room", function(event) module:log("info", "lobby of %s closed", event.room.jid) end)
