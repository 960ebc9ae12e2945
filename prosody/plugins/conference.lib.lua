-- Who is who in a Jitsi conference room.
--
-- Owns: telling people from Jitsi's own accounts, and real rooms from jicofo's test rooms. Changes nothing.

local jid = require "util.jid"

local lib = {}

local service_accounts = module:get_option_inherited_set("admins", {})

-- jicofo (focus), the bridge, jibri and jigasi: the image lists their bare JIDs in the option `admins`.
function lib.is_service_account(any_jid) return service_accounts:contains(jid.bare(any_jid)) end

-- jicofo opens and closes rooms of this name to test the server.
function lib.is_health_check(room_jid) return room_jid:sub(1, 21) == "__jicofo-health-check" end

-- True while an owner is in the room that is not one of Jitsi's own accounts.
function lib.has_moderator(room)
	for _, occupant in room:each_occupant() do
		if
			room:get_affiliation(occupant.bare_jid) == "owner" and not lib.is_service_account(occupant.bare_jid)
		then
			return true
		end
	end
	return false
end

return lib
