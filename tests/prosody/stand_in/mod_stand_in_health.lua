-- Test stand-in for the image's mod_http_health: a module in status error makes it 500.

module:set_global()
module:depends "http"

local modulemanager = require "core.modulemanager"

local function health()
	for host in pairs(prosody.hosts) do
		for _, mod in pairs(modulemanager.get_modules(host)) do
			if mod.module.status_type == "error" then return 500 end
		end
	end
	return "OK\n"
end

module:provides("http", { default_path = "/health", route = { GET = health } })
