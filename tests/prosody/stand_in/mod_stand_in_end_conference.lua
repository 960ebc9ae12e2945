-- Test stand-in for Jitsi's mod_end_conference: a moderator in the room ends it by a message to this component.

module:hook("message/host", function(event)
	local request = event.stanza:get_child("end_conference")
	local muc = prosody.hosts["muc.meet.jitsi"].modules.muc
	local room = request and muc.get_room_from_jid(request.attr.room)
	local occupant = room and room:get_occupant_by_real_jid(event.stanza.attr.from)
	if not occupant or occupant.role ~= "moderator" then return false end
	room:destroy(nil, "The meeting has been terminated")
	return true
end)
