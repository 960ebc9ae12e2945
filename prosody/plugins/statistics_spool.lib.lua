-- The statistics records on disk: one small file for one call, under Prosody's data directory.
--
-- A record lives as <id>.call while its call goes on, as <id>.event when the call is over, and is removed once every
-- receiver that is configured has it; until then an empty file <id>.queued or <id>.stopped says that one has. Each step
-- is one file's, which happened or did not; where a call and its event are there the event counts. So one call never
-- becomes two events, nor none. Adding or removing one record touches one file for each receiver, whatever the backlog.
-- What the disk refuses (full, read-only, gone) is remembered, and done as soon as it can be: lib.retry. Until then
-- the record lives in memory alone. Ids sort by the time a call began.
-- Files survive the end of the process in any way. Lua has no fsync: docs/events.md says what a power cut can cost.
-- Record: { id, room_jid, room, left_at }, left_at in seconds since the epoch and absent while a moderator is in.

local id = require "util.id"
local jid = require "util.jid"
local json = require "util.json"
local lfs = require "lfs"
local now = require "util.time".now

local ENOENT, EISDIR = 2, 21
local LATEST = 253402300799 -- the end of the year 9999: what a timestamp of four digits can say

local receivers = module:require "call_receivers"

-- By receiver, the kind of the file that says it has a record.
local MARKS = { broker = "queued", video_service = "stopped" }

local directory = prosody.paths.data .. "/statistics_queue"
local heartbeat = directory .. "/alive"

-- Shared by all who load this library: id -> { record, state, problem } of what could not be written yet, and what the
-- files of each record hold.
local waiting = module:shared "/*/statistics_spool/waiting"
local written = module:shared "/*/statistics_spool/written"
local put_aside = module:shared "/*/statistics_spool/put_aside"
local told = module:shared "/*/statistics_spool/told" -- id -> set of the receivers that have the record

local lib = {}

local function path(record_id, kind) return ("%s/%s.%s"):format(directory, record_id, kind) end

local function is_there(any_path, mode) return lfs.attributes(any_path, "mode") == mode end

local function remove(record_id, kind)
	local removed, problem, code = os.remove(path(record_id, kind))
	return removed or code == ENOENT, problem
end

local function text_of(record)
	return json.encode {
		id = record.id,
		room_jid = record.room_jid,
		room = record.room,
		left_at = record.left_at,
	}
end

local function write_text(file_path, text)
	local file, problem = io.open(file_path, "w")
	if not file then return nil, problem end
	local done, write_problem = file:write(text)
	local closed, close_problem = file:close()
	return done and closed, write_problem or close_problem
end

-- A file that takes another one's place is on the disk before the rename is (ext4: auto_da_alloc); one that takes no
-- place may be empty after a power cut half a minute later. So there always is one to replace.
local function write(record)
	local scratch, target = path(record.id, "new"), path(record.id, "call")
	local placeholder, problem = io.open(target, "a")
	if not placeholder then return nil, problem end
	placeholder:close()
	local done
	done, problem = write_text(scratch, text_of(record))
	if done then
		done, problem = os.rename(scratch, target)
	end
	if not done then
		os.remove(scratch)
		if lfs.attributes(target, "size") == 0 then os.remove(target) end
	end
	return done, problem
end

local steps = {}

function steps.call(record)
	local done, problem = write(record)
	if done then written[record.id] = text_of(record) end
	return done, problem
end

function steps.event(record)
	local function rename() return os.rename(path(record.id, "call"), path(record.id, "event")) end
	if written[record.id] ~= text_of(record) then
		local done, problem = steps.call(record)
		if not done then
			rename() -- the time may wait, but not that the call is over
			return nil, problem
		end
	end
	written[record.id] = nil
	return rename()
end

-- The event, and the marks of those that have it.
function steps.told(record)
	if waiting[record.id] or not is_there(path(record.id, "event"), "file") then
		local done, problem = steps.event(record)
		if not done then return nil, problem end
	end
	for receiver in pairs(told[record.id]) do
		local mark, problem = io.open(path(record.id, MARKS[receiver]), "a")
		if not mark then return nil, problem end
		mark:close()
	end
	return true
end

-- The marks last: without them the event would be one that nobody has.
function steps.gone(record)
	if not is_there(directory, "directory") then return nil, "no directory " .. directory end
	local event_gone, problem = remove(record.id, "event")
	local call_gone, call_problem = remove(record.id, "call")
	written[record.id] = nil
	if not (event_gone and call_gone) then return nil, problem or call_problem end
	for _, kind in pairs(MARKS) do
		if is_there(path(record.id, kind), "file") then remove(record.id, kind) end
	end
	told[record.id] = nil
	return true
end

-- Brings a record's files to a state: "call", "event", "told" or "gone". Returns true, or nil and what the system said;
-- then it is tried again with each retry().
function lib.keep(record, state)
	lfs.mkdir(directory)
	local called, done, problem = pcall(steps[state], record)
	if called and done then
		waiting[record.id] = nil
		return true
	end
	problem = tostring(called and problem or done)
	waiting[record.id] = { record = record, state = state, problem = problem }
	return nil, problem
end

local function all_have(record)
	for receiver in pairs(receivers) do
		if not told[record.id][receiver] then return false end
	end
	return true
end

-- To be called once a receiver has a record, or will never have it: the last one's word removes it. Returns as keep().
function lib.told(record, receiver)
	told[record.id] = told[record.id] or {}
	told[record.id][receiver] = true
	return lib.keep(record, all_have(record) and "gone" or "told")
end

function lib.retry()
	local entries = {}
	for _, entry in pairs(waiting) do
		entries[#entries + 1] = entry
	end
	for _, entry in ipairs(entries) do
		if not lib.keep(entry.record, entry.state) then return end -- the others fare no better
	end
end

local function count(set)
	local number = 0
	for _ in pairs(set) do
		number = number + 1
	end
	return number
end

-- How many records wait for the disk, and how many were put aside.
function lib.trouble() return count(waiting), count(put_aside) end

function lib.new_id() return ("%014d-%s"):format(math.floor(now() * 1000), id.short()) end

local function seconds(value)
	if type(value) ~= "number" or value ~= value or value < 0 or value > LATEST then return nil end
	return math.floor(value)
end

-- The record in a text, or nil and what is wrong with it.
local function parse(text, record_id)
	local called, record = pcall(json.decode, text)
	if not called or type(record) ~= "table" then return nil, "no JSON object" end
	if record.id ~= record_id then return nil, "its id is not its name" end
	if type(record.room) ~= "string" or record.room == "" then return nil, "no room" end
	local room_jid = type(record.room_jid) == "string" and jid.prep(record.room_jid)
	if not room_jid or jid.node(room_jid) == nil then return nil, "no room_jid" end
	return { id = record_id, room = record.room, room_jid = room_jid, left_at = seconds(record.left_at) }
end

-- The record of a file; nil, what is wrong with it, and whether it may be well another time.
local function read(name, record_id, kind)
	local file, problem, code = io.open(directory .. "/" .. name)
	if not file then return nil, problem, code ~= ENOENT end
	local text, read_problem, read_code = file:read("*a")
	file:close()
	if not text then return nil, read_problem, read_code ~= EISDIR end
	local record, reason = parse(text, record_id)
	if not record then return nil, reason, false end
	if kind == "event" and not record.left_at then
		-- The disk was full as the time was to be written. That the call is over was written later: by a rename.
		record.left_at = seconds(lfs.attributes(directory .. "/" .. name, "change")) or os.time()
	end
	if kind == "call" then written[record_id] = text_of(record) end
	return record
end

local function complain(name, problem)
	if put_aside[name] then return end
	put_aside[name] = tostring(problem)
	module:log(
		"error",
		"Statistics record %s/%s cannot be used (%s): put aside as .unreadable",
		directory,
		name,
		problem
	)
	os.rename(directory .. "/" .. name, directory .. "/" .. name .. ".unreadable")
end

local function names_of(kind)
	local names = {}
	for name in lfs.dir(directory) do
		local record_id, found = name:match("^([%w_%-]+)%.(%l+)$")
		if found == kind then names[#names + 1] = { name = name, id = record_id } end
	end
	table.sort(names, function(one, other) return one.name < other.name end)
	return names
end

-- All records of a kind ("call" or "event"), oldest first, and whether that is all: if not, the disk let some of them
-- not be read just now, and another time may do better. A record that is no good is put aside, and said so once.
function lib.list(kind)
	local records = {}
	if not lfs.attributes(directory) then return records, true end
	local called, names = pcall(names_of, kind)
	if not called then return records, false end
	local complete = true
	for _, entry in ipairs(names) do
		local is_over = kind == "call" and is_there(path(entry.id, "event"), "file")
		if is_over then
			remove(entry.id, "call")
		elseif not waiting[entry.id] then
			local record, problem, may_recover = read(entry.name, entry.id, kind)
			if record then
				records[#records + 1] = record
			elseif may_recover then
				complete = false
			else
				complain(entry.name, problem)
			end
		end
	end
	return records, complete
end

-- The events that a receiver does not have yet, and whether that is all, as list() has them.
function lib.owed(receiver)
	local found, complete = lib.list("event")
	local owed = {}
	for _, record in ipairs(found) do
		told[record.id] = told[record.id] or {}
		for name, kind in pairs(MARKS) do
			if is_there(path(record.id, kind), "file") then told[record.id][name] = true end
		end
		if all_have(record) then
			lib.keep(record, "gone") -- the one that has not is no longer configured
		elseif not told[record.id][receiver] then
			owed[#owed + 1] = record
		end
	end
	return owed, complete
end

-- What a step that was cut off left behind: a whole record takes the place of the empty file that was made for it, and
-- all else goes; so do marks whose event is gone. To be called before anything is written.
function lib.tidy_up()
	local called, names = pcall(names_of, "new")
	for _, entry in ipairs(called and names or {}) do
		local scratch, target = directory .. "/" .. entry.name, path(entry.id, "call")
		local is_whole = read(entry.name, entry.id, "new") ~= nil
		if not (is_whole and lfs.attributes(target, "size") == 0 and os.rename(scratch, target)) then
			os.remove(scratch)
		end
	end
	for _, kind in pairs(MARKS) do
		local found, marks = pcall(names_of, kind)
		for _, entry in ipairs(found and marks or {}) do
			if not is_there(path(entry.id, "event"), "file") then remove(entry.id, kind) end
		end
	end
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
		lfs.attributes(path(record.id, "call"), "modification") or 0
	)
end

return lib
