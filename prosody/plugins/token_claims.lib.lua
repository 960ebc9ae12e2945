-- What a session's token says about a room.
--
-- Owns: reading the claims of a token that the authentication module of the session's host has verified, and whether it
-- is still valid now. Does not verify: that is Jitsi's mod_auth_token. It leaves the raw JWT in session.auth_token and,
-- only after the signature, issuer, audience and times were found good, the room claim in session.jitsi_meet_room.
-- auth_token alone proves nothing: it is copied from the connection's URL on every host, the anonymous guest host
-- included. Tenants are off: a room called [tenant]room is no room that a token could name.

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

-- A room claim names one room, in any case, or all of them with "*".
local function is_for_room(claims, room_jid)
	if type(claims.room) ~= "string" then return false end
	local name, claimed = jid.node(room_jid), claims.room:lower()
	if not name or name:sub(1, 1) == "[" then return false end
	return claimed == "*" or claimed == name
end

local function is_valid_now(claims)
	local now = os.time()
	if claims.exp ~= nil and not (type(claims.exp) == "number" and now < claims.exp) then return false end
	return claims.nbf == nil or (type(claims.nbf) == "number" and claims.nbf <= now)
end

local function valid_claims(session, room_jid)
	local claims = claims_of(session)
	return claims and is_for_room(claims, room_jid) and is_valid_now(claims) and claims or nil
end

local lib = {}

-- True when the session has shown a verified token, for whatever room, valid still or not.
function lib.has_token(session) return claims_of(session) ~= nil end

-- True when the session has a verified token for this room that has not expired, whatever else it claims.
function lib.admits(session, room_jid) return valid_claims(session, room_jid) ~= nil end

-- True when the token makes its holder a moderator of the room, who may open it: the claim is the boolean true.
function lib.is_moderator(session, room_jid)
	local claims = valid_claims(session, room_jid)
	return claims ~= nil and claims.moderator == true
end

local function sessions_of(bare_jid)
	local user = prosody.bare_sessions[bare_jid]
	return user and user.sessions or {}
end

-- is_moderator for any connected session of a bare JID.
function lib.is_moderator_jid(bare_jid, room_jid)
	for _, session in pairs(sessions_of(bare_jid)) do
		if lib.is_moderator(session, room_jid) then return true end
	end
	return false
end

-- Whom the token names (context.user.id), or nil: a token without it may be shared, as a link for guests is.
function lib.user_id(session, room_jid)
	local claims = valid_claims(session, room_jid)
	local context = claims and claims.context
	local user = type(context) == "table" and context.user
	local id = type(user) == "table" and user.id
	return type(id) == "string" and id ~= "" and id or nil
end

-- user_id for any connected session of a bare JID.
function lib.user_id_of_jid(bare_jid, room_jid)
	for _, session in pairs(sessions_of(bare_jid)) do
		local id = lib.user_id(session, room_jid)
		if id then return id end
	end
end

return lib
