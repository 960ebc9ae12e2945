-- Loading a module that works beside this one. Not module:depends, with which the end of the other would be the end of
-- this one: the closing of a room goes on whatever becomes of the statistics.

local modulemanager = require "core.modulemanager"

-- Loads the module on that host ("*": globally) unless it is there; a failure is logged, and nothing else.
return function(host, name)
	if modulemanager.is_loaded(host, name) then return end
	local called, loaded, problem = pcall(modulemanager.load, host, name)
	if not (called and loaded) then
		module:log("error", "Cannot load mod_%s: %s", name, called and problem or loaded)
	end
end
