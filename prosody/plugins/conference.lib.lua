-- Who is who in a Jitsi conference room.
--
-- Owns: telling people from Jitsi's own accounts, and real rooms from test rooms, and seeing what jicofo is asked for.
-- Changes nothing.

local jid = require "util.jid"

local FOCUS_XMLNS = "http://jitsi.org/protocol/focus"

local lib = {}

local service_accounts = module:get_option_inherited_set("admins", {})

-- jicofo (focus), the bridge, jibri and jigasi: the image lists their bare JIDs in the option `admins`.
function lib.is_service_account(any_jid) return service_accounts:contains(jid.bare(any_jid)) end

-- jicofo opens and closes rooms of the first name to test the server. `make verify` uses the second, because Jitsi's
-- mod_muc_meeting_id keeps everybody but jicofo out of the first.
function lib.is_test_room(room_jid)
	return room_jid:sub(1, 21) == "__jicofo-health-check" or room_jid:sub(1, 20) == "videobackend-verify-"
end

-- True while an owner of the room is in `place` that is not one of Jitsi's own accounts; `place` is the room itself or
-- one of its breakout rooms, which have no owners of their own.
function lib.has_moderator(room, place)
	for _, occupant in place:each_occupant() do
		if
			room:get_affiliation(occupant.bare_jid) == "owner" and not lib.is_service_account(occupant.bare_jid)
		then
			return true
		end
	end
	return false
end

-- Calls handler(session, stanza, room_jid) for each conference that a client of any host asks jicofo for, before the
-- request is passed on; true from it ends the matter. room_jid is nil where the request names no valid room.
function lib.on_conference_request(handler, priority)
	local function on_iq(event)
		local session, stanza = event.origin, event.stanza
		local request = stanza:get_child("conference", FOCUS_XMLNS)
		if not request or stanza.attr.type == "error" or stanza.attr.type == "result" then return end
		return handler(session, stanza, jid.prep(jid.bare(request.attr.room)))
	end
	local function watch(host)
		if prosody.hosts[host].type ~= "local" then return end
		local context = module:context(host)
		context:hook("pre-iq/host", on_iq, priority)
		context:hook("pre-iq/bare", on_iq, priority)
		context:hook("pre-iq/full", on_iq, priority)
	end
	for host in pairs(prosody.hosts) do
		watch(host)
	end
	module:hook_global("host-activated", watch)
end

return lib
