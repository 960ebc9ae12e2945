-- Test stand-in for Jitsi's mod_auth_token as browsers meet it: SASL ANONYMOUS, the token in the query of the URL.
-- Sets the same session fields. `stand_in_overlooks` names checks that it leaves out, for set-ups that are broken.

local base64 = require "util.encodings".base64
local formdecode = require "util.http".formdecode
local hmac_sha256 = require "util.hashes".hmac_sha256
local json = require "util.json"
local new_sasl = require "util.sasl".new
local sasl = require "util.sasl"
local uuid = require "util.uuid".generate

local secret = module:get_option_string("app_secret")
local issuers = module:get_option_set("asap_accepted_issuers", {})
local audiences = module:get_option_set("asap_accepted_audiences", {})
local overlooked = module:get_option_set("stand_in_overlooks", {})

local function from_base64url(text)
	return base64.decode((text:gsub("-", "+"):gsub("_", "/")) .. ("="):rep(-#text % 4))
end

local function problem_with(token)
	local header, payload, signature = token:match("^([^.]+)%.([^.]+)%.([^.]+)$")
	if not header then return "token" end
	local claims = json.decode(from_base64url(payload))
	local good = {
		signature = from_base64url(signature) == hmac_sha256(secret, header .. "." .. payload),
		expiry = (claims.exp or 0) > os.time(),
		issuer = issuers:contains(claims.iss) == true,
		audience = audiences:contains(claims.aud) == true,
		room = claims.room ~= nil,
	}
	for what, holds in pairs(good) do
		if not holds and not overlooked:contains(what) then return what end
	end
	return nil, claims
end

local function keep_query(event)
	local query = event.request.url.query
	event.session.auth_token = query and formdecode(query).token or nil
end

module:hook_global("bosh-session", keep_query)
module:hook_global("websocket-session", keep_query)

local provider = {}

function provider.get_sasl_handler(session)
	return new_sasl(module.host, {
		anonymous = function()
			if not session.auth_token then
				if overlooked:contains("absence") then return true end
				return false, "not-allowed", "token required"
			end
			local problem, claims = problem_with(session.auth_token)
			if problem then
				session.auth_token = nil
				return false, "not-allowed", "wrong " .. problem
			end
			session.jitsi_meet_room = claims.room
			session.jitsi_meet_domain = claims.sub
			return true
		end,
	})
end

module:provides("auth", provider)

sasl.registerMechanism("ANONYMOUS", { "anonymous" }, function(self)
	local done, condition, text = self.profile.anonymous(self, nil, self.realm)
	if done ~= true then return "failure", condition, text end
	self.username = uuid()
	return "success"
end)
