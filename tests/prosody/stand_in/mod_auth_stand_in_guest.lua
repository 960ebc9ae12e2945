-- Test stand-in for the anonymous guest host: lets everybody in and, as Jitsi does with the token in the connection's
-- URL, keeps what the client sent in session.auth_token without looking at it.

local new_sasl = require "util.sasl".new

local provider = {}

function provider.get_sasl_handler(session)
	return new_sasl(module.host, {
		plain_test = function(_, _, token)
			session.auth_token = token
			return true, true
		end,
	})
end

module:provides("auth", provider)
