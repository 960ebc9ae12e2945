-- Log masking: no token and no secret of this stack reaches Prosody's log, at whatever level.
-- Load globally, before other modules: GLOBAL_MODULES=log_masking,...
--
-- Jitsi's mod_token_verification logs the whole token of whoever it refuses, at level error, and with it everybody who
-- reads the log could enter that call; at level debug the JWT secret itself is logged. So every line passes here on its
-- way to whatever the configuration logs to: what looks like a JWT becomes [token], and the values of the image's
-- variables that hold secrets, and the passwords for the broker and the VideoService, become [secret].
-- Does not hide rooms, JIDs or addresses: docs/logging.md says what remains.

module:set_global()

local format = require "util.format".format
local loggingmanager = require "core.loggingmanager"

local environment = module:require("environment").get

local VARIABLES = {
	"JWT_APP_SECRET",
	"JICOFO_COMPONENT_SECRET",
	"JICOFO_AUTH_PASSWORD",
	"JVB_AUTH_PASSWORD",
	"JIBRI_XMPP_PASSWORD",
	"JIBRI_RECORDER_PASSWORD",
	"JIGASI_XMPP_PASSWORD",
	"JIGASI_TRANSCRIBER_PASSWORD",
	"TURN_CREDENTIALS",
}
-- A shorter one is no secret, and would mask words.
local SHORTEST = 8
-- A JWT's header is a JSON object in base64url: its first character is {, the second a quote or white space. What is
-- before it may end in a letter or digit, as `%20` and `\n` do, and its dots may be percent-encoded, more than once.
local JWTS = {
	"e[wy][IJABopkl01][%w_%-]+%.[%w_%-]+%.?[%w_%-]*",
	"e[wy][IJABopkl01][%w_%-]+%%[25]*2[Ee][%w_%-]+[%w_%%%-]*",
}

local secrets = {}

local function add_secret(value)
	if value and #value >= SHORTEST then secrets[#secrets + 1] = (value:gsub("%p", "%%%0")) end
end

for _, variable in ipairs(VARIABLES) do
	add_secret(environment(variable))
end
add_secret(module:get_option_string("rabbit_password"))
add_secret(module:get_option_string("video_service_password"))

local function masked(text)
	for _, pattern in ipairs(JWTS) do
		text = text:gsub(pattern, function(token) return #token >= 32 and "[token]" or nil end)
	end
	for _, pattern in ipairs(secrets) do
		text = text:gsub(pattern, "[secret]")
	end
	return text
end

-- Names of sink types -> their makers before this module put itself in between.
local makers = module:shared "makers"

for _, name in ipairs { "file", "stdout", "console", "syslog" } do
	makers[name] = makers[name] or loggingmanager.register_sink_type(name, nil)
	local make = makers[name]
	if make then
		loggingmanager.register_sink_type(name, function(configuration)
			local sink = make(configuration)
			return function(source, level, message, ...)
				return sink(source, level, "%s", masked(format(message, ...)))
			end
		end)
	end
end
loggingmanager.reload_logging()
