-- Direct stanzas: nobody who takes part in a call reaches another person past the rooms. mod_conference_requests loads
-- it globally.
--
-- Prosody delivers whatever one account sends to another one's address, and in a Jitsi room everybody sees everybody's:
-- somebody who waits in the lobby, or was removed, could write to those inside. Jitsi's front end writes to rooms,
-- occupants and components alone; its visitors and its proxied screen sharing would not, and are not used here. So
-- messages, IQs and presences of a client to an account of this server are refused, but for
--   the client's own account;
--   what a client asks jicofo about conferences, and the answers to Jitsi's own accounts.
-- Those may everything. Does not look at what goes to rooms: mod_room_entry and mod_room_requests do.

module:set_global()

local jid = require "util.jid"
local st = require "util.stanza"

local conference = module:require "conference"

local FOCUS = "http://jitsi.org/protocol/focus"

-- True where the address is an account of this server, and no room or component.
local function is_account(any_jid)
	local node, host = jid.split(any_jid)
	return node ~= nil and prosody.hosts[host] ~= nil and prosody.hosts[host].type == "local"
end

local function is_answer(stanza)
	return stanza.attr.type == "error" or (stanza.name == "iq" and stanza.attr.type == "result")
end

local function is_allowed(session, stanza)
	local to = stanza.attr.to
	if session.type ~= "c2s" or not is_account(to) then return true end
	if conference.is_service_account(session.full_jid) or jid.bare(to) == jid.bare(session.full_jid) then
		return true
	end
	if not conference.is_service_account(to) then return false end
	local query = stanza.tags[1]
	return stanza.name == "iq" and (is_answer(stanza) or (query ~= nil and query.attr.xmlns == FOCUS))
end

local function on_stanza(event)
	local session, stanza = event.origin, event.stanza
	if is_allowed(session, stanza) then return end
	module:log("info", "%s may not write to %s past the rooms: refused", session.full_jid, stanza.attr.to)
	if not is_answer(stanza) then session.send(st.error_reply(stanza, "cancel", "not-allowed")) end
	return true
end

local function watch(host)
	if prosody.hosts[host].type ~= "local" then return end
	local context = module:context(host)
	for _, name in ipairs { "message", "iq", "presence" } do
		for _, target in ipairs { "bare", "full" } do
			context:hook(("pre-%s/%s"):format(name, target), on_stanza, 70)
		end
	end
end

for host in pairs(prosody.hosts) do
	watch(host)
end
module:hook_global("host-activated", watch)
