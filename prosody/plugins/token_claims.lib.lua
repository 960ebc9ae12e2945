-- What a session's token says about a room.
--
-- Owns: reading the claims of a token that the authentication module of the session's host has verified.
-- Does not verify: that is Jitsi's mod_auth_token. It leaves the raw JWT in session.auth_token and, only after the
-- signature, issuer, audience and times were found good, the room claim in session.jitsi_meet_room. auth_token alone
-- proves nothing: it is copied from the connection's URL on every host, the anonymous guest host included.

local base64 = require "util.encodings".base64
local jid = require "util.jid"
local json = require "util.json"

local function decode(token)
	local payload = token:match("^[^.]+%.([^.]+)%.[^.]+$")
	if not payload then return nil end
	payload = payload:gsub("-", "+"):gsub("_", "/")
	local text = base64.decode(payload .. ("="):rep(-#payload % 4))
	local claims = text and json.decode(text)
	return type(claims) == "table" and claims or nil
end

-- The verified claims of a session, or nil.
local function claims_of(session)
	if not (session and type(session.auth_token) == "string" and session.jitsi_meet_room) then return nil end
	local claims = decode(session.auth_token)
	return claims and claims.room == session.jitsi_meet_room and claims or nil
end

-- A room claim names one room, in any case, or all of them with "*". Jitsi writes a tenant before it: [tenant]room.
local function is_for_room(claims, room_jid)
	if type(claims.room) ~= "string" then return false end
	local name, claimed = jid.node(room_jid), claims.room:lower()
	if not name then return false end
	return claimed == "*" or claimed == name or claimed == name:match("^%[[^%]]+%](.+)$")
end

local function is_truthy(value)
	return value == true
		or (type(value) == "number" and value ~= 0)
		or (type(value) == "string" and value ~= "" and value ~= "0" and value:lower() ~= "false")
end

local lib = {}

-- True when the session has a verified token for this room, whatever else it claims.
function lib.admits(session, room_jid)
	local claims = claims_of(session)
	return claims ~= nil and is_for_room(claims, room_jid)
end

-- True when the token may bring the room into being: a truthy moderator claim.
function lib.may_open(session, room_jid)
	local claims = claims_of(session)
	return claims ~= nil and is_for_room(claims, room_jid) and is_truthy(claims.moderator)
end

-- True when the token makes its holder an owner of the room: the moderator claim is the boolean true.
function lib.is_moderator(session, room_jid)
	local claims = claims_of(session)
	return claims ~= nil and is_for_room(claims, room_jid) and claims.moderator == true
end

-- is_moderator for any connected session of a bare JID.
function lib.is_moderator_jid(bare_jid, room_jid)
	local user = prosody.bare_sessions[bare_jid]
	for _, session in pairs(user and user.sessions or {}) do
		if lib.is_moderator(session, room_jid) then return true end
	end
	return false
end

return lib
