-- The operator's statistics settings, from the global options of statistics.cfg.lua.
--
-- Returns a table, or nil when statistics are off or incomplete; then nothing is recorded and nothing fails.

local function text(name)
	local value = module:get_option_string(name)
	return value and value ~= "" and value or nil
end

if not module:get_option_boolean("enable_statistics", false) then return nil end

local settings = {
	url = text "rabbit_url",
	username = text "rabbit_username",
	password = text "rabbit_password",
}

local missing = {}
for _, key in ipairs { "url", "username", "password" } do
	if not settings[key] then table.insert(missing, "rabbit_" .. key) end
end
if #missing > 0 then
	module:log(
		"warn",
		"enable_statistics is true, but %s is missing or empty: no statistics are recorded. "
			.. "Set it in statistics.cfg.lua or set enable_statistics to false.",
		table.concat(missing, ", ")
	)
	return nil
end
return settings
