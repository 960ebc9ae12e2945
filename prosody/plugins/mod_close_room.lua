-- Close room: a room ends `conference_timeout` seconds (20) after its last moderator left, unless one is back by then.
-- Load on the conference MUC component.
--
-- Owns: the countdown, keeping the room in being while it runs (an empty room too), and the end of the room. A
-- moderator is an owner that is not one of Jitsi's accounts, and is in as well while in one of the room's breakout
-- rooms; these end with the room (Jitsi's mod_muc_breakout_rooms).
-- Depends on nothing else: what another module does wrong, in a hook or as its room is destroyed, is caught and logged
-- once, the module's status (and with it the image's /health) says so, and the room ends all the same. Every LOOK
-- seconds it looks at all rooms, whatever it has heard of them.
-- The countdown belongs to the room's name: a room destroyed meanwhile and opened again by a moderator in time is the
-- same call. Fires on its host, each with room_jid:
--   video-call-moderated      a moderator came (the first, or back in time)
--   video-call-unmoderated    the last one left, at left_at (seconds since the epoch)
--   video-call-ended          the countdown is over; left_at as above
-- Does not record or send anything: mod_statistics_calls does, from these events. The lobby is mod_room_lobby's.
-- Rooms of `make verify` are no calls: no countdown, no event, and they end VERIFY_SECONDS after their beginning.

local monotonic = require "util.time".monotonic
local st = require "util.stanza"

local call_rooms = module:require "call_rooms"
local conference = module:require "conference"
local load_companion = module:require "companions"
local muc = module:depends "muc"

local CLOSED = "The conference was closed because its moderator left."
local TEST_OVER = "The test is over."
-- One room is closed every so many seconds, so that a thousand due at once leave time for everybody else's stanzas.
local PACE = 0.02
local LOOK = 5
local VERIFY_SECONDS = 60

local timeout = module:get_option_number("conference_timeout", 20)
local verify_seconds = module:get_option_number("verify_room_seconds", VERIFY_SECONDS)

load_companion(module.host, "room_lobby")
load_companion(module.host, "statistics_calls")

local calls = {} -- room JID -> { left_at, deadline }, both nil while a moderator is in
local leaving = { first = 1, last = 0 } -- countdowns in the order of their deadlines
local sweeping = false
local problems = module:shared "/*/close_room/problems" -- by what was done to which room
local noted = 0

local function note(what, room_jid, problem)
	local key = ("%s %s"):format(what, room_jid)
	noted = noted + 1
	if problems[key] then return end
	problems[key] = tostring(problem)
	module:log("error", "Cannot %s: %s", key, tostring(problem))
	module:set_status("error", ("Cannot %s"):format(key))
end

-- Calls f and returns what it returns; an error is noted, and then it returns nil.
local function guarded(what, room_jid, f, ...)
	local called, result = pcall(f, ...)
	if called then return result end
	note(what, room_jid, result)
end

local function forget_problems()
	for key in pairs(problems) do
		problems[key] = nil
	end
	if module:get_status() == "error" then module:set_status("core", "", true) end
end

local function fire(name, room_jid, left_at)
	guarded(
		"tell the others: " .. name .. " in",
		room_jid,
		function() module:fire_event(name, { room_jid = room_jid, left_at = left_at }) end
	)
end

-- Full JID -> nickname (as a JID) of all who are in.
local function sessions_in(room)
	local sessions = {}
	for nick, occupant in room:each_occupant() do
		for full_jid in occupant:each_session() do
			sessions[full_jid] = nick
		end
	end
	return sessions
end

-- Where destroying a room fails, which may have been in the middle: all who were in are told, and Prosody forgets it.
local function remove_by_force(room, sessions, reason)
	for full_jid, nick in pairs(sessions) do
		local presence = st.presence({ type = "unavailable", from = nick, to = full_jid })
			:tag("x", { xmlns = "http://jabber.org/protocol/muc#user" })
			:tag("item", { affiliation = "none", role = "none" })
			:up()
			:tag("status", { code = "110" })
			:up()
			:tag("destroy")
			:text_tag("reason", reason)
		guarded("send the end of", room.jid, module.send, module, presence)
	end
	muc.forget_room(room)
	muc.delete_room(room)
end

local function destroy(room, reason)
	local lobby, breakouts, sessions = nil, {}, {}
	guarded("find the rooms of", room.jid, function()
		lobby, breakouts = call_rooms.lobby(room), call_rooms.breakout_rooms(room)
		sessions = sessions_in(room)
	end)
	guarded("destroy", room.jid, function()
		room:set_persistent(false)
		room:destroy(nil, reason)
	end)
	if muc.get_room_from_jid(room.jid) ~= room then return end
	note("destroy", room.jid, "it was there still")
	guarded("remove by force", room.jid, remove_by_force, room, sessions, reason)
	breakouts[#breakouts + 1] = lobby
	for _, other in ipairs(breakouts) do
		guarded("destroy " .. other.jid .. " of", room.jid, other.destroy, other, nil, reason)
	end
end

local function close(room_jid, call)
	local noted_before = noted
	calls[room_jid] = nil
	fire("video-call-ended", room_jid, call.left_at)
	local room = guarded("find", room_jid, muc.get_room_from_jid, room_jid)
	if room then
		module:log("info", "Closing %s: no moderator for %d seconds", room_jid, timeout)
		destroy(room, CLOSED)
	end
	if noted == noted_before then forget_problems() end
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
	guarded("close", entry.room_jid, close, entry.room_jid, entry.call)
	return PACE
end

local function start_sweeping()
	if not sweeping and leaving.first <= leaving.last then
		sweeping = true
		module:add_timer(PACE, sweep)
	end
end

local function moderator_came(room, countdown)
	calls[room.jid] = {}
	if countdown and not call_rooms.has_breakout_rooms(room) then room:set_persistent(false) end
	fire("video-call-moderated", room.jid)
end

local function last_moderator_left(room_jid, call)
	call.left_at, call.deadline = os.time(), monotonic() + timeout
	leaving.last = leaving.last + 1
	leaving[leaving.last] = { room_jid = room_jid, call = call, deadline = call.deadline }
	start_sweeping()
	fire("video-call-unmoderated", room_jid, call.left_at)
end

local function has_moderator(room)
	if conference.has_moderator(room, room) then return true end
	for _, breakout_room in ipairs(call_rooms.breakout_rooms(room)) do
		if conference.has_moderator(room, breakout_room) then return true end
	end
	return false
end

local test_rooms = setmetatable({}, { __mode = "k" })

local function limit_test_room(room)
	if not conference.is_verify_room(room.jid) or test_rooms[room] then return end
	test_rooms[room] = true
	module:add_timer(verify_seconds, function()
		if muc.get_room_from_jid(room.jid) == room then destroy(room, TEST_OVER) end
	end)
end

local function look(room)
	if conference.is_test_room(room.jid) then return limit_test_room(room) end
	local call = calls[room.jid]
	if has_moderator(room) then
		if not call or call.left_at then moderator_came(room, call) end
	elseif call and not call.left_at then
		last_moderator_left(room.jid, call)
		if not room.destroying then room:set_persistent(true) end -- else an empty room would be gone at once
	end
end

local function look_at(room) guarded("count the moderators of", room.jid, look, room) end

call_rooms.on_each_component(function(context, _, kind)
	if kind == "lobby" then return end
	local function on_event(event)
		local room = guarded("find the call of", event.room.jid, call_rooms.main_of, event.room)
		if room then look_at(room) end
	end
	context:hook("muc-occupant-joined", on_event, -1) -- after token moderation (2)
	context:hook("muc-occupant-left", on_event, 1) -- before the end of an empty room (-1)
	context:hook("muc-set-affiliation", on_event, -1)
end)

local function look_at_all()
	for room in muc.live_rooms() do
		look_at(room)
	end
	for room_jid, call in pairs(calls) do -- a room that ended without a word to us
		if not call.left_at and not muc.get_room_from_jid(room_jid) then last_moderator_left(room_jid, call) end
	end
end

module:add_timer(LOOK, function()
	guarded("look at all rooms of", module.host, look_at_all)
	return LOOK
end)

function module.save() return { calls = calls, leaving = leaving, test_rooms = test_rooms } end

function module.restore(saved)
	calls, leaving = saved.calls, saved.leaving
	start_sweeping()
	look_at_all()
end

function module.load()
	if not module.reloading then look_at_all() end -- restore() brings the calls
end
