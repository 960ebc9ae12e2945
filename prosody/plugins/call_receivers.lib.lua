-- Who is told of a call's end, from the global options of the files that the program writes.
--
-- Returns receiver -> its settings, for each that is configured: `broker` (mod_statistics_queue) and `video_service`
-- (mod_stop_calls). What is off or incomplete is not there; then nothing is recorded for it and nothing fails.

local function text(name)
	local value = module:get_option_string(name)
	return value and value ~= "" and value or nil
end

-- The settings with these options' values, or nil where one is missing, which is said once.
local function complete(switch, options, advice)
	local settings, missing = {}, {}
	for _, option in ipairs(options) do
		local key, name = option[1], option[2]
		settings[key] = text(name)
		if not settings[key] then table.insert(missing, name) end
	end
	if #missing == 0 then return settings end
	local said = module:shared "/*/call_receivers/said"
	if not said[switch] then
		module:log("warn", "%s, but %s is missing or empty: %s", switch, table.concat(missing, ", "), advice)
	end
	said[switch] = true
	return nil
end

local receivers = {}

if module:get_option_boolean("enable_statistics", false) then
	receivers.broker = complete("enable_statistics is true", {
		{ "url", "rabbit_url" },
		{ "username", "rabbit_username" },
		{ "password", "rabbit_password" },
	}, "no statistics are recorded. Set it in statistics.cfg.lua or set enable_statistics to false.")
end

if text "video_service_url" then
	receivers.video_service = complete("video_service_url is set", {
		{ "url", "video_service_url" },
		{ "keycloak_url", "keycloak_url" },
		{ "realm", "keycloak_realm" },
		{ "client_id", "keycloak_client_id" },
		{ "username", "video_service_username" },
		{ "password", "video_service_password" },
	}, "the VideoService is not told of the end of calls.")
end

return receivers
