-- Close room: a room ends `conference_timeout` seconds (20) after its last moderator left, unless one is back by then.
-- Load on the conference MUC component.
--
-- Owns: the countdown, keeping the room in being while it runs (an empty room too), the lobby, which is on exactly
-- while a moderator is in, and the end of the room. A moderator is an owner that is not one of Jitsi's accounts, and is
-- in as well while in one of the room's breakout rooms; these end with the room (Jitsi's mod_muc_breakout_rooms).
-- A move from one to the other is a leaving and a coming: the countdown begins and is stopped, but the lobby stays on,
-- for with its end everybody waiting there would get in.
-- The countdown belongs to the room's name: a room destroyed meanwhile and opened again by a moderator in time is the
-- same call. Fires on its host, each with room_jid:
--   video-call-moderated      a moderator came (the first, or back in time)
--   video-call-unmoderated    the last one left, at left_at (seconds since the epoch)
--   video-call-ended          the countdown is over; left_at as above
-- Does not record or send anything: mod_statistics_calls does, from these events.

local monotonic = require "util.time".monotonic

local breakout_rooms = module:require "breakout_rooms"
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
	if countdown and not breakout_rooms.in_use(room) then room:set_persistent(false) end
	lobby_on(room)
	module:fire_event("video-call-moderated", { room_jid = room.jid })
end

local function last_moderator_left(room, call, is_move)
	call.left_at, call.deadline = os.time(), monotonic() + timeout
	leaving.last = leaving.last + 1
	leaving[leaving.last] = { room_jid = room.jid, call = call, deadline = call.deadline }
	start_sweeping()
	module:fire_event("video-call-unmoderated", { room_jid = room.jid, left_at = call.left_at })
	if room.destroying then return end
	room:set_persistent(true) -- else an empty room would be gone at once
	if not is_move then lobby_off(room) end
end

local main_rooms = setmetatable({}, { __mode = "k" }) -- breakout room -> JID of its main room

local function main_room_of(breakout_room)
	local known = main_rooms[breakout_room]
	if known then return muc.get_room_from_jid(known) end
	for room_jid in pairs(calls) do
		local room = muc.get_room_from_jid(room_jid)
		if room and breakout_rooms.belongs(breakout_room.jid, room) then
			main_rooms[breakout_room] = room_jid
			return room
		end
	end
end

local on_breakout_event

local function has_moderator(room)
	breakout_rooms.watch(room, on_breakout_event)
	if conference.has_moderator(room, room) then return true end
	for _, breakout_room in ipairs(breakout_rooms.rooms(room)) do
		if conference.has_moderator(room, breakout_room) then return true end
	end
	return false
end

local function look_at(room, is_move)
	if conference.is_test_room(room.jid) then return end
	local call = calls[room.jid]
	if has_moderator(room) then
		if not call or call.left_at then moderator_came(room, call) end
	elseif call and not call.left_at then
		last_moderator_left(room, call, is_move)
	end
end

local function on_event(event) look_at(event.room, breakout_rooms.is_move(event, event.room)) end

function on_breakout_event(event)
	local room = main_room_of(event.room)
	if room then look_at(room, breakout_rooms.is_move(event, room)) end
end

module:hook("muc-occupant-joined", on_event, -1) -- after token moderation (2)
module:hook("muc-occupant-left", on_event, 1) -- before the end of an empty room (-1)
module:hook("muc-set-affiliation", on_event, -1)

local function look_at_all()
	for room in muc.live_rooms() do
		look_at(room)
	end
end

function module.save() return { calls = calls, leaving = leaving } end

function module.restore(saved)
	calls, leaving = saved.calls, saved.leaving
	start_sweeping()
	look_at_all() -- breakout rooms are to be watched anew
end

function module.load()
	if not module.reloading then look_at_all() end -- restore() brings the calls
end
