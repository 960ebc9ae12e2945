-- Statistics, first half: turns the calls of this MUC host into exactly one event each. mod_close_room loads it.
--
-- Owns: the record of each call from its first moderator to its end (statistics_spool), and what a restart means: rooms
-- live in memory and end with the process, their records do not. A call found on disk at the start is taken for one
-- whose last moderator left when the process stopped; if a moderator opens the room again within `conference_timeout`
-- seconds the call goes on, else it ends with that time. After a crash that time is the last heartbeat, at most
-- HEARTBEAT seconds too early. Does not send anything: it hands over to mod_statistics_queue.

if not module:require "statistics_settings" then return end
module:depends "statistics_queue"

local jid = require "util.jid"

local spool = module:require "statistics_spool"

local HEARTBEAT = 10
-- When many moderators go at once, their times are written one every so many seconds: writing must not hold up Prosody.
local PACE = 0.01

local timeout = module:get_option_number("conference_timeout", 20)

local records = {} -- room JID -> record of the call that goes on in it
local left_behind = {} -- room JID -> record of a call that an earlier process left and nobody has come back to yet

local function check(record, done, problem)
	if not done then
		module:log(
			"error",
			"Cannot write the statistics record of room %s: %s",
			record.room,
			problem or "unknown reason"
		)
	end
end

local function save(record) check(record, spool.save_call(record)) end

local changed = {} -- room JID -> record whose left_at is not on disk yet; a crash before that costs precision only
local writing = false

local function write_changed(room_jid)
	local record = changed[room_jid]
	changed[room_jid] = nil
	if record then save(record) end
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
	write_changed(record.room_jid)
	check(record, spool.turn_into_event(record))
	prosody.events.fire_event("statistics-event-ready", record)
end

module:hook("video-call-moderated", function(event)
	local room_jid = event.room_jid
	local record = records[room_jid] or left_behind[room_jid]
	if not record then record = { id = spool.new_id(), room_jid = room_jid, room = jid.node(room_jid) } end
	records[room_jid], left_behind[room_jid] = record, nil
	if record.left_at then
		record.left_at = nil
		save_soon(record)
	else
		save(record)
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
	if not record then return end
	records[event.room_jid] = nil
	finish(record)
end)

local function write_all_changed()
	for room_jid in pairs(changed) do
		write_changed(room_jid)
	end
end

-- Before the connections are closed, which counts as leaving; those times come to the same, and are written at once.
module:hook_global("server-stopping", function()
	for room_jid, record in pairs(records) do
		if not record.left_at then
			record.left_at = os.time()
			changed[room_jid] = record
		end
	end
	write_all_changed()
end, 100)

local function settle()
	for room_jid, record in pairs(left_behind) do
		left_behind[room_jid] = nil
		save(record)
		finish(record)
	end
end

local function find_left_behind()
	for _, record in ipairs(spool.list("call")) do
		if jid.host(record.room_jid) == module.host then
			record.left_at = record.left_at or spool.last_sign_of_life(record)
			left_behind[record.room_jid] = record
		end
	end
	if next(left_behind) then module:add_timer(timeout, settle) end
end

function module.save()
	write_all_changed()
	return { records = records, left_behind = left_behind }
end

function module.restore(saved)
	records, left_behind = saved.records, saved.left_behind
	if next(left_behind) then module:add_timer(timeout, settle) end
end

function module.load()
	if not module.reloading then find_left_behind() end
	module:add_timer(HEARTBEAT, function()
		if next(records) then spool.beat() end
		return HEARTBEAT
	end)
end
