-- Test stand-in for Jitsi's mod_muc_meeting_id, of which it does one thing: it keeps everybody but jicofo out of rooms
-- that are called as jicofo's test rooms are.

local jid = require "util.jid"
local st = require "util.stanza"

local function keep_out(event)
	local room, _, nick = jid.split(event.stanza.attr.to)
	if room:sub(1, 21) ~= "__jicofo-health-check" or nick == "focus" then return end
	event.origin.send(st.error_reply(event.stanza, "cancel", "service-unavailable"))
	return true
end

module:hook("muc-room-pre-create", keep_out, 100)
module:hook("muc-occupant-pre-join", keep_out, 100)
