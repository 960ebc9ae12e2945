-- Close room: a room ends `conference_timeout` seconds (20) after its last moderator left, unless one is back by then.
-- Load on the conference MUC component.
--
-- Owns: the countdown, keeping the room in being while it runs (an empty room too), the lobby, which is on exactly
-- while a moderator is in, and the end of the room. A moderator is an owner that is not one of Jitsi's accounts.
-- The countdown belongs to the room's name: a room destroyed meanwhile and opened again by a moderator in time is the
-- same call. Fires on its host, each with room_jid:
--   video-call-moderated      a moderator came (the first, or back in time)
--   video-call-unmoderated    the last one left, at left_at (seconds since the epoch)
--   video-call-ended          the countdown is over; left_at as above
-- Does not record or send anything: mod_statistics_calls does, from these events.

local monotonic = require "util.time".monotonic

local conference = module:require "conference"
local muc = module:depends "muc"
module:depends "statistics_calls"

local CLOSED = "The conference was closed because its moderator left."
local LOBBY_CLOSED = "The moderator left."
-- One room is closed every so many seconds, so that a thousand due at once leave time for everybody else's stanzas.
local PACE = 0.02

local timeout = module:get_option_number("conference_timeout", 20)

local calls = {} -- room JID -> { left_at, deadline }, both nil while a moderator is in
local leaving = { first = 1, last = 0 } -- countdowns in the order of their deadlines
local sweeping = false

local function close(room_jid, call)
	calls[room_jid] = nil
	module:fire_event("video-call-ended", { room_jid = room_jid, left_at = call.left_at })
	local room = muc.get_room_from_jid(room_jid)
	if not room then return end
	module:log("info", "Closing %s: no moderator for %d seconds", room_jid, timeout)
	room:set_persistent(false)
	room:destroy(nil, CLOSED)
end

local function sweep()
	local entry
	repeat -- pass over countdowns that a moderator's return has ended
		entry, leaving[leaving.first] = leaving[leaving.first], nil
		leaving.first = leaving.first + 1
	until not entry or (calls[entry.room_jid] == entry.call and entry.call.deadline == entry.deadline)
	if not entry then
		leaving.first, leaving.last, sweeping = 1, 0, false
		return nil
	end
	local wait = entry.deadline - monotonic()
	if wait > 0 then
		leaving.first = leaving.first - 1
		leaving[leaving.first] = entry
		return wait
	end
	close(entry.room_jid, entry.call)
	return PACE
end

local function start_sweeping()
	if not sweeping and leaving.first <= leaving.last then
		sweeping = true
		module:add_timer(PACE, sweep)
	end
end

local function lobby_on(room)
	prosody.events.fire_event("create-lobby-room", { room = room }) -- Jitsi's mod_muc_lobby_rooms makes it members-only
end

local function lobby_off(room)
	if not room:get_members_only() then return end
	room:set_members_only(false)
	prosody.events.fire_event("destroy-lobby-room", { room = room, newjid = room.jid, message = LOBBY_CLOSED })
end

local function moderator_came(room, countdown)
	calls[room.jid] = {}
	if countdown then room:set_persistent(false) end
	lobby_on(room)
	module:fire_event("video-call-moderated", { room_jid = room.jid })
end

local function last_moderator_left(room, call)
	call.left_at, call.deadline = os.time(), monotonic() + timeout
	leaving.last = leaving.last + 1
	leaving[leaving.last] = { room_jid = room.jid, call = call, deadline = call.deadline }
	start_sweeping()
	module:fire_event("video-call-unmoderated", { room_jid = room.jid, left_at = call.left_at })
	if room.destroying then return end
	room:set_persistent(true) -- else an empty room would be gone at once
	lobby_off(room)
end

local function look_at(room)
	if conference.is_health_check(room.jid) then return end
	local call = calls[room.jid]
	if conference.has_moderator(room) then
		if not call or call.left_at then moderator_came(room, call) end
	elseif call and not call.left_at then
		last_moderator_left(room, call)
	end
end

local function on_event(event) look_at(event.room) end

module:hook("muc-occupant-joined", on_event, -1) -- after token moderation (2)
module:hook("muc-occupant-left", on_event, 1) -- before the end of an empty room (-1)
module:hook("muc-set-affiliation", on_event, -1)

function module.save() return { calls = calls, leaving = leaving } end

function module.restore(saved)
	calls, leaving = saved.calls, saved.leaving
	start_sweeping()
end

function module.load()
	if module.reloading then return end -- restore() brings the calls
	for room in muc.live_rooms() do
		look_at(room)
	end
end
