-- Test stand-in for jicofo behind focus.<domain>: on a conference request it makes the room and says that it is ready.

local jid = require "util.jid"
local st = require "util.stanza"

if not module:get_option_boolean("stand_in_jicofo_runs", true) then return end

local XMLNS = "http://jitsi.org/protocol/focus"

module:hook("iq/host", function(event)
	local request = event.stanza:get_child("conference", XMLNS)
	if not request then return end
	local muc = prosody.hosts[jid.host(request.attr.room)].modules.muc
	if not muc.get_room_from_jid(request.attr.room) then muc.create_room(request.attr.room) end
	event.origin.send(st.reply(event.stanza):tag("conference", { xmlns = XMLNS, ready = "true" }))
	return true
end)
