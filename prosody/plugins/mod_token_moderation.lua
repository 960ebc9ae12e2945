-- Token moderation: the token alone decides who moderates. Load on the conference MUC component.
--
-- A verified token with `moderator: true` for the room makes its holder owner, any other verified token member.
-- Nobody else can grant ownership or the moderator role: not an owner, not jicofo (which, left alone, makes everybody
-- with a login an owner), not another module. Jitsi's own accounts stay owners, an outcast stays out.
-- Does not decide who may enter (mod_token_verification, mod_create_room, the lobby) nor check tokens.

local claims = module:require "token_claims"
local conference = module:require "conference"

local function deny(event)
	event.allowed = false
	event.error = { type = "cancel", condition = "not-allowed" }
end

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

module:hook("muc-pre-set-affiliation", function(event)
	local bare_jid, affiliation = event.jid, event.affiliation
	if conference.is_service_account(bare_jid) then
		if affiliation ~= "owner" then deny(event) end
	elseif affiliation == "owner" then
		if not claims.is_moderator_jid(bare_jid, event.room.jid) then deny(event) end
	elseif event.previous_affiliation == "outcast" and not event.actor then
		deny(event) -- only a moderator lifts a ban, no module does it by the way
	end
end, 100)

module:hook("muc-pre-set-role", function(event)
	if event.role == "moderator" and event.room:get_affiliation(event.occupant.bare_jid) ~= "owner" then
		event.allowed, event.error, event.condition = false, "cancel", "not-allowed"
	end
end, 100)
