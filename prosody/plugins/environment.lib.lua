-- The image's own variables, with the image's own defaults: what is empty counts as unset.

local lib = {}

function lib.get(name, default)
	local value = os.getenv(name)
	return value and value ~= "" and value or default
end

return lib
