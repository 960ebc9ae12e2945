-- Test stand-in for Jitsi's mod_muc_filter_access: only accounts of the auth domain enter the service rooms.

local jid = require "util.jid"
local st = require "util.stanza"

local function check(event)
	if jid.host(event.stanza.attr.from) == "auth.meet.jitsi" then return end
	event.origin.send(st.error_reply(event.stanza, "cancel", "service-unavailable"))
	return true
end

for _, name in ipairs { "message", "presence", "iq" } do
	for _, target in ipairs { "bare", "full", "host" } do
		module:hook(name .. "/" .. target, check, 100)
	end
end
