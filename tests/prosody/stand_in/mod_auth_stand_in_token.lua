-- Test stand-in for Jitsi's mod_auth_token: verifies an HS256 JWT and sets the same session fields.
-- The token comes as the SASL PLAIN password instead of the connection's URL, as the test clients speak plain c2s.

local base64 = require "util.encodings".base64
local hmac_sha256 = require "util.hashes".hmac_sha256
local json = require "util.json"
local new_sasl = require "util.sasl".new

local secret = module:get_option_string("app_secret")
local issuers = module:get_option_set("asap_accepted_issuers", {})
local audiences = module:get_option_set("asap_accepted_audiences", {})

local function from_base64url(text)
	return base64.decode((text:gsub("-", "+"):gsub("_", "/")) .. ("="):rep(-#text % 4))
end

local function verify(token)
	local header, payload, signature = token:match("^([^.]+)%.([^.]+)%.([^.]+)$")
	if not header then return nil, "not a JWT" end
	local head, claims = json.decode(from_base64url(header)), json.decode(from_base64url(payload))
	if not head or head.alg ~= "HS256" then return nil, "wrong algorithm" end
	if from_base64url(signature) ~= hmac_sha256(secret, header .. "." .. payload) then
		return nil, "wrong signature"
	end
	if not claims or not claims.exp or claims.exp <= os.time() then return nil, "expired" end
	if not issuers:contains(claims.iss) then return nil, "wrong issuer" end
	if not audiences:contains(claims.aud) then return nil, "wrong audience" end
	if not claims.room then return nil, "no room claim" end
	return claims
end

local provider = {}

function provider.get_sasl_handler(session)
	return new_sasl(module.host, {
		plain_test = function(_, _, token)
			local claims, problem = verify(token)
			if not claims then
				module:log("info", "token refused: %s", problem)
				return false, true
			end
			session.auth_token = token
			session.jitsi_meet_room = claims.room
			session.jitsi_meet_domain = claims.sub
			session.jitsi_meet_context_user = claims.context and claims.context.user
			prosody.events.fire_event(
				"jitsi-authentication-token-verified",
				{ session = session, claims = claims }
			)
			return true, true
		end,
	})
end

module:provides("auth", provider)
