-- Token moderation: the token alone decides who moderates. Load on the conference MUC component.
--
-- A verified token with `moderator: true` for the room makes its holder owner, any other verified token member; a token
-- that has expired makes nobody anything, and takes nothing from who is in already. Nobody else can grant ownership or
-- the moderator role, in the room, its lobby or its breakout rooms: not an owner, not jicofo (which, left alone, makes
-- everybody with a login an owner), not another module. Nobody is ever admin, who could do nearly as much. Jitsi's own
-- accounts stay owners, an outcast stays out. A moderator in the call may admit, remove and mute who is in the room,
-- its lobby or its breakout rooms; nobody else may, and it reaches nobody else.
-- Loads mod_room_entry and mod_room_requests, the doors for presences and for the rest. Does not check tokens.

local jid = require "util.jid"

local call_rooms = module:require "call_rooms"
local claims = module:require "token_claims"
local conference = module:require "conference"
local load_companion = module:require "companions"

load_companion(module.host, "room_entry")
load_companion(module.host, "room_requests")

-- Before the lobby and members-only rules (-4 and -5), which must let an owner pass, and after token verification (99)
-- and jicofo's waiting queue (8).
module:hook("muc-occupant-pre-join", function(event)
	local room, occupant = event.room, event.occupant
	if room:get_affiliation(occupant.bare_jid) == "outcast" then return end
	if claims.is_moderator(event.origin, room.jid) then
		room:set_affiliation(true, occupant.bare_jid, "owner")
		-- The role was chosen before the affiliation; none at all in a room for members only.
		occupant.role = room:get_default_role("owner")
	end
end, 5)

-- Membership comes after entry: given earlier it would be a way round the lobby.
module:hook("muc-occupant-joined", function(event)
	local room, bare_jid = event.room, event.occupant.bare_jid
	if conference.is_service_account(bare_jid) then return end
	if not claims.admits(event.origin, room.jid) then return end
	local affiliation = claims.is_moderator_jid(bare_jid, room.jid) and "owner" or "member"
	if room:get_affiliation(bare_jid) ~= affiliation then room:set_affiliation(true, bare_jid, affiliation) end
end, 2)

-- Where the lobby is off, one may come to a breakout room without having been in the main room: with the same right.
local function on_breakout_joined(event)
	local main_room, bare_jid = call_rooms.main_of(event.room), event.occupant.bare_jid
	if not main_room or conference.is_service_account(bare_jid) then return end
	if not claims.admits(event.origin, main_room.jid) then return end
	if (main_room:get_affiliation(bare_jid) or "none") ~= "none" then return end
	local affiliation = claims.is_moderator_jid(bare_jid, main_room.jid) and "owner" or "member"
	main_room:set_affiliation(true, bare_jid, affiliation)
end

local function may_be_owner(main_room, bare_jid)
	return conference.is_service_account(bare_jid) or claims.is_moderator_jid(bare_jid, main_room.jid)
end

-- True where a moderator may not change this affiliation: of a whole host, or of somebody who is not here.
local function is_out_of_reach(main_room, actor, bare_jid, known)
	if not jid.node(bare_jid) or not conference.moderates(main_room, actor) then return true end
	return not known and not call_rooms.is_present(main_room, bare_jid, true)
end

local function is_refused(event)
	local main_room, actor = call_rooms.main_of(event.room), event.actor
	local bare_jid, affiliation, previous = event.jid, event.affiliation, event.previous_affiliation
	if not main_room then return true end
	if event.data and event.data.reserved_nickname then return true end
	if conference.is_service_account(bare_jid) then return affiliation ~= "owner" end
	if affiliation == "admin" then return true end
	if affiliation == "owner" and not may_be_owner(main_room, bare_jid) then return true end
	if not actor then
		return previous == "outcast" and affiliation ~= "outcast" -- only a moderator lifts a ban, no module by the way
	end
	return not conference.is_service_account(actor)
		and is_out_of_reach(main_room, actor, bare_jid, previous ~= "none")
end

local function on_affiliation(event)
	if not is_refused(event) then return end
	event.allowed = false
	event.error = { type = "cancel", condition = "not-allowed" }
end

local function is_moderator_of(room, bare_jid)
	local main_room = call_rooms.main_of(room)
	return main_room ~= nil and main_room:get_affiliation(bare_jid) == "owner"
end

local function on_role(event)
	local main_room, actor, bare_jid = call_rooms.main_of(event.room), event.actor, event.occupant.bare_jid
	if
		not main_room
		or (event.role == "moderator" and not is_moderator_of(event.room, bare_jid))
		or (conference.is_service_account(bare_jid) and not conference.is_service_account(actor))
		or not (conference.is_service_account(actor) or conference.moderates(main_room, actor))
	then
		event.allowed, event.error, event.condition = false, "cancel", "not-allowed"
	end
end

-- A module that sets a role is asked nothing by Prosody, so its way is watched as well.
local guarded = {} -- metatable of a component's rooms -> { original, ours }

local function guard_set_role(host)
	local muc = prosody.hosts[host].modules.muc
	local room_mt = muc and muc.room_mt
	if not room_mt or guarded[room_mt] then return end
	local original = room_mt.set_role
	local function set_role(room, actor, nick, role, reason)
		local occupant = actor == true and role == "moderator" and room:get_occupant_by_nick(nick)
		if occupant and not is_moderator_of(room, occupant.bare_jid) then
			return nil, "cancel", "not-allowed"
		end
		return original(room, actor, nick, role, reason)
	end
	room_mt.set_role = set_role
	guarded[room_mt] = { original = original, ours = set_role }
end

call_rooms.on_each_component(function(context, host, kind)
	if kind == "breakout" then context:hook("muc-occupant-joined", on_breakout_joined, 2) end
	context:hook("muc-pre-set-affiliation", on_affiliation, 100)
	context:hook("muc-pre-set-role", on_role, 100)
	context:hook("module-loaded", function(event)
		if event.module == "muc" then guard_set_role(host) end
	end)
	guard_set_role(host)
end)

function module.unload()
	for room_mt, entry in pairs(guarded) do
		if room_mt.set_role == entry.ours then room_mt.set_role = entry.original end
	end
end
