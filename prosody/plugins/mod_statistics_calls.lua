-- Turns the calls of this MUC host into exactly one event each, for every receiver. mod_close_room loads it.
--
-- Owns: the record of each call from its first moderator to its end (statistics_spool), and what a restart means: rooms
-- live in memory and end with the process, their records do not. A call found on disk at the start is taken for one
-- whose last moderator left when the process stopped; if a moderator opens the room again within
-- `conference_restart_grace` seconds (60; Jitsi's page waits up to 29 before it tries again) the call goes on, else it
-- ends with that time. After a crash that time is the last heartbeat, at most HEARTBEAT seconds too early. No call ends
-- while Prosody stops, which may take longer than the countdown: nobody can come back in it.
-- Does not send anything: mod_statistics_queue and mod_stop_calls do. What the disk refuses waits in memory.

local receivers = module:require "call_receivers"

if next(receivers) == nil then return end

local jid = require "util.jid"
local monotonic = require "util.time".monotonic

local spool = module:require "statistics_spool"

local load_companion = module:require "companions"
if receivers.broker then load_companion("*", "statistics_queue") end
if receivers.video_service then load_companion("*", "stop_calls") end

local HEARTBEAT = 10
-- When many moderators go at once, their times are written one every so many seconds: writing must not hold up Prosody.
local PACE = 0.01

local grace = math.max(
	module:get_option_number("conference_restart_grace", 60),
	module:get_option_number("conference_timeout", 20)
)

local records = {} -- room JID -> record of the call that goes on in it
local left_behind = {} -- room JID -> record of a call that an earlier process left and nobody has come back to yet
local grace_ends = nil -- on the monotonic clock, while there are such calls
local is_searched = false -- whether all that an earlier process left could be read
local is_refused = false -- whether the disk refused the last write
local is_stopping = false

local function keep(record, state)
	local done, problem = spool.keep(record, state)
	if not done and not is_refused then
		module:log(
			"error",
			"Cannot write the statistics record of room %s: %s. It is kept in memory.",
			record.room,
			problem
		)
	end
	is_refused = not done
end

local changed = {} -- room JID -> record whose left_at is not on disk yet; a crash before that costs precision only
local writing = false

local function write_changed(room_jid)
	local record = changed[room_jid]
	changed[room_jid] = nil
	if record then keep(record, "call") end
end

local function save_soon(record)
	changed[record.room_jid] = record
	if writing then return end
	writing = true
	module:add_timer(0, function()
		local room_jid = next(changed)
		if room_jid then
			write_changed(room_jid)
			return PACE
		end
		writing = false
	end)
end

local function finish(record)
	changed[record.room_jid] = nil
	keep(record, "event")
	prosody.events.fire_event("statistics-event-ready", record)
end

module:hook("video-call-moderated", function(event)
	local room_jid = event.room_jid
	local record = records[room_jid] or left_behind[room_jid]
	local is_new = not record
	if is_new then record = { id = spool.new_id(), room_jid = room_jid, room = jid.node(room_jid) } end
	records[room_jid], left_behind[room_jid] = record, nil
	record.left_at = nil
	if is_new then
		keep(record, "call")
	else
		save_soon(record)
	end
end)

module:hook("video-call-unmoderated", function(event)
	local record = records[event.room_jid]
	if not record then return end
	record.left_at = event.left_at
	save_soon(record)
end)

module:hook("video-call-ended", function(event)
	local record = records[event.room_jid]
	if not record or is_stopping then return end
	records[event.room_jid] = nil
	record.left_at = record.left_at or event.left_at or os.time()
	finish(record)
end)

local function write_all_changed()
	for room_jid in pairs(changed) do
		write_changed(room_jid)
	end
end

-- Before the connections are closed, which counts as leaving; those times come to the same, and are written at once.
module:hook_global("server-stopping", function()
	is_stopping = true
	for room_jid, record in pairs(records) do
		if not record.left_at then
			record.left_at = os.time()
			changed[room_jid] = record
		end
	end
	write_all_changed()
end, 100)

local function settle()
	if is_stopping then return end
	grace_ends = nil
	for room_jid, record in pairs(left_behind) do
		left_behind[room_jid] = nil
		finish(record)
	end
end

local function settle_in_time()
	if next(left_behind) == nil then return end
	grace_ends = grace_ends or monotonic() + grace
	module:add_timer(math.max(0, grace_ends - monotonic()), settle)
end

local function take_up(record)
	local current = records[record.room_jid]
	if current and current.id == record.id then return end
	if not record.left_at then
		-- Written down, as another restart would find younger signs of life.
		record.left_at = spool.last_sign_of_life(record)
		keep(record, "call")
	end
	local older = left_behind[record.room_jid]
	if current then
		finish(record) -- a newer call goes on there
	else
		left_behind[record.room_jid] = record
		if older and older.id ~= record.id then finish(older) end
	end
end

local function find_left_behind()
	local found
	found, is_searched = spool.list("call")
	for _, record in ipairs(found) do
		if jid.host(record.room_jid) == module.host then take_up(record) end
	end
	settle_in_time()
end

function module.save()
	write_all_changed()
	return { records = records, left_behind = left_behind, grace_ends = grace_ends, is_searched = is_searched }
end

function module.restore(saved)
	records, left_behind = saved.records, saved.left_behind
	grace_ends, is_searched = saved.grace_ends, saved.is_searched
	settle_in_time()
end

function module.load()
	if not module.reloading then
		spool.tidy_up()
		find_left_behind()
	end
	module:add_timer(HEARTBEAT, function()
		if not is_searched then find_left_behind() end
		if next(records) then spool.beat() end
		return HEARTBEAT
	end)
end
