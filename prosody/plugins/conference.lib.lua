-- Who is who in a Jitsi conference.
--
-- Owns: telling people from Jitsi's own accounts and moderators from others, real rooms from test rooms, and seeing
-- what jicofo is asked for. Changes nothing.

local jid = require "util.jid"

local call_rooms = module:require "call_rooms"

local FOCUS_XMLNS = "http://jitsi.org/protocol/focus"

local lib = {}

local service_accounts = module:get_option_inherited_set("admins", {})

-- jicofo (focus), the bridge, jibri and jigasi: the image lists their bare JIDs in the option `admins`.
function lib.is_service_account(any_jid) return service_accounts:contains(jid.bare(any_jid)) end

-- jicofo opens and closes rooms of this name to test the server; nobody else has a reason to be there.
function lib.is_health_check_room(room_jid) return room_jid:sub(1, 21) == "__jicofo-health-check" end

-- `make verify` plays a call of some seconds in rooms of this name.
function lib.is_verify_room(room_jid) return room_jid:sub(1, 20) == "videobackend-verify-" end

function lib.is_test_room(room_jid) return lib.is_health_check_room(room_jid) or lib.is_verify_room(room_jid) end

-- Jitsi takes whoever has this nickname for jicofo, also with something and a slash before it.
function lib.is_focus_nick(nick) return ("/" .. nick:lower()):sub(-6) == "/focus" end

-- True while an owner of the main room is in `place` that is not one of Jitsi's own accounts; `place` is the room
-- itself or one of its breakout rooms, which have no owners of their own.
function lib.has_moderator(main_room, place)
	for _, occupant in place:each_occupant() do
		if
			main_room:get_affiliation(occupant.bare_jid) == "owner"
			and not lib.is_service_account(occupant.bare_jid)
		then
			return true
		end
	end
	return false
end

-- True if that JID moderates the call now: an owner who is in the main room or one of its breakout rooms.
function lib.moderates(main_room, any_jid)
	local bare_jid = jid.bare(any_jid)
	return main_room:get_affiliation(bare_jid) == "owner"
		and not lib.is_service_account(bare_jid)
		and call_rooms.is_present(main_room, bare_jid)
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
