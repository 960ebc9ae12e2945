-- The statistics records on disk: one small file for one call, under Prosody's data directory.
--
-- A record lives as <id>.call while its call goes on, and is renamed to <id>.event when the call is over; delivered, it
-- is removed. A rename either happened or did not, so one call can never become two events, nor none.
-- Adding or removing one record touches one file, whatever the backlog. Ids sort by the time a call began.
-- Files survive the end of the process in any way; a power cut may lose the last seconds, as Lua has no fsync.
-- Record: { id, room_jid, room, left_at }, left_at in seconds since the epoch and absent while a moderator is in.

local id = require "util.id"
local json = require "util.json"
local lfs = require "lfs"
local now = require "util.time".now

local directory = prosody.paths.data .. "/statistics_queue"
local heartbeat = directory .. "/alive"

local lib = {}

local function path(record, kind) return ("%s/%s.%s"):format(directory, record.id, kind) end

-- Each returns true, or nil and what the system said.
function lib.save_call(record)
	lfs.mkdir(directory)
	local scratch = path(record, "new")
	local file, problem = io.open(scratch, "w")
	if not file then return nil, problem end
	local written
	written, problem = file:write(json.encode(record))
	local closed, close_problem = file:close()
	if not written or not closed then return nil, problem or close_problem end
	return os.rename(scratch, path(record, "call"))
end

function lib.turn_into_event(record) return os.rename(path(record, "call"), path(record, "event")) end

function lib.remove_event(record) return os.remove(path(record, "event")) end

function lib.new_id() return ("%014d-%s"):format(math.floor(now() * 1000), id.short()) end

local function read(name)
	local file, problem = io.open(directory .. "/" .. name)
	if not file then return nil, problem end
	local record = json.decode(file:read("*a") or "")
	file:close()
	if type(record) ~= "table" or type(record.id) ~= "string" or type(record.room) ~= "string" then
		return nil, "not a statistics record"
	end
	return record
end

-- All records of a kind ("call" or "event"), oldest first. A file that cannot be read is put aside with a warning.
function lib.list(kind)
	local names, records = {}, {}
	if not lfs.attributes(directory) then return records end
	for name in lfs.dir(directory) do
		if name:match("%.([^.]+)$") == kind then table.insert(names, name) end
	end
	table.sort(names)
	for _, name in ipairs(names) do
		local record, problem = read(name)
		if record then
			table.insert(records, record)
		else
			module:log(
				"error",
				"Statistics record %s/%s is unreadable (%s): put aside as .unreadable",
				directory,
				name,
				problem
			)
			os.rename(directory .. "/" .. name, directory .. "/" .. name .. ".unreadable")
		end
	end
	return records
end

-- Marks that this process is alive, so that after a crash the next one knows when.
function lib.beat()
	lfs.mkdir(directory)
	local file = io.open(heartbeat, "w")
	if file then file:close() end
end

-- Seconds since the epoch when the process that left this call behind was last known to live.
function lib.last_sign_of_life(record)
	return math.max(
		lfs.attributes(heartbeat, "modification") or 0,
		lfs.attributes(path(record, "call"), "modification") or 0
	)
end

return lib
