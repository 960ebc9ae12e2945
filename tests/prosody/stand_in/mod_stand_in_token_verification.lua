-- Test stand-in for Jitsi's mod_token_verification: a token for one room enters no other.

local jid = require "util.jid"
local st = require "util.stanza"

local function check(event)
	local session, stanza = event.origin, event.stanza
	local room = session.jitsi_meet_room
	if not room or room == "*" or room:lower() == jid.node(stanza.attr.to) then return end
	module:log("error", "Token %s not allowed to join: %s", session.auth_token, stanza.attr.to) -- as Jitsi's does
	session.send(st.error_reply(stanza, "cancel", "not-allowed", "Room and token mismatched"))
	return true
end

module:hook("muc-room-pre-create", check, 99)
module:hook("muc-occupant-pre-join", check, 99)
