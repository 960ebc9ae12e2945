-- Conference requests: jicofo is asked for conferences, and for no other room of this server.
-- Load globally: GLOBAL_MODULES=conference_requests.
--
-- jicofo makes a conference of whatever room it is asked for. Asked for the room in which it meets the bridges, it soon
-- leaves that room as an empty conference, and with it every bridge: no call begins until it is started anew. So a
-- request has to name a room where people meet: on the conference component or the one of breakout rooms. Reads the
-- image's own variables with the image's own defaults. Does not judge who may open a room: mod_create_room does.

module:set_global()

local jid = require "util.jid"
local st = require "util.stanza"

local conference = module:require "conference"
local environment = module:require("environment").get

local open = {
	[jid.prep(environment("XMPP_MUC_DOMAIN", "muc.meet.jitsi"))] = true,
	[jid.prep("breakout." .. environment("XMPP_DOMAIN", "meet.jitsi"))] = true,
}

conference.on_conference_request(function(session, stanza, room_jid)
	local user, host = jid.split(room_jid)
	if user and open[host] then return end
	module:log("warn", "%s asks jicofo for %s, which is no conference: refused", session.full_jid, room_jid)
	session.send(st.error_reply(stanza, "cancel", "not-allowed", "This is not the room of a conference."))
	return true
end, 60) -- before mod_create_room (50)
