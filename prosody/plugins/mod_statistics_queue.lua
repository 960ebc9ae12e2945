-- Statistics, second half: delivers the events to RabbitMQ's management API. mod_statistics_calls loads it.
--
-- Owns: delivery. Events wait on disk (statistics_spool) until the broker says that a queue took the message; anything
-- else (no connection, no answer in time, a status other than 200, {"routed":false}) is tried again after growing
-- pauses. One event is on its way at a time, oldest first, so the order is kept. The backlog is bounded in number and
-- age, with a warning at 80 % and an error that names each event dropped. GET /statistics_backlog and the metrics
-- tell its size.
-- The message is persistent, and its message_id is the record's id. So a repetition, which is possible in one case only
-- (the broker took the message, and its answer did not arrive, or this process died before it had removed the file),
-- can be recognised. A stop in good order waits for the answer under way. The payload is the consumer's contract, to
-- the letter.
-- The age of an event is the time it has waited here: whatever the clock says, it drops nothing.
-- No log line has the request's headers, its URL or its body: they hold the password.
--
-- Options: statistics_max_events (10000), statistics_max_age (604800 s), statistics_retry_min and _max (1 s, 60 s),
-- statistics_request_timeout (30 s), statistics_backlog_allow_ips (loopback).

module:set_global()

local async = require "util.async"
local http = require "net.http"
local base64 = require "util.encodings".base64
local json = require "util.json"
local monotonic = require "util.time".monotonic

local settings = module:require "statistics_settings"
local spool = module:require "statistics_spool"

if not settings then return end

local ROUTING_KEY = "STOP_VIDEO_CALL"
-- Seconds between two deliveries: most of the time is everybody else's, and the broker is not flooded either.
local PACE = 0.05
local NEAR = 0.8 -- share of a bound at which to warn
local STILL_CONNECTING = 1 -- seconds until the next look
local RETRY_DISK = 5 -- seconds until what the disk refused is tried again
local STOP_WAIT = 3 -- seconds for which a stop waits for an answer

local max_events = module:get_option_number("statistics_max_events", 10000)
local max_age = module:get_option_number("statistics_max_age", 7 * 24 * 3600)
local retry_min = module:get_option_number("statistics_retry_min", 1)
local retry_max = module:get_option_number("statistics_retry_max", 60)
local request_timeout = module:get_option_number("statistics_request_timeout", 30)
local allowed_ips =
	module:get_option_set("statistics_backlog_allow_ips", { "127.0.0.1", "::1", "::ffff:127.0.0.1" })

local events = { first = 1, last = 0 } -- records, oldest first
local flight = nil -- { record, request } of the delivery under way
local pause = 0 -- seconds until the next attempt, 0 when all is well
local scheduled = false
local answered_at_stop = nil -- while Prosody stops: to be called once the delivery under way is over
local warned = false
local totals = { delivered = 0, dropped = 0 }
local last_problem = nil
local is_searched = false -- whether all events that an earlier process left could be read
local known = {} -- ids of the events that wait
local closing_problems = module:shared "/*/close_room/problems"

local function count() return events.last - events.first + 1 end

local function longest_wait()
	local oldest = events[events.first]
	return oldest and monotonic() - oldest.since or 0
end

local function oldest_age()
	local oldest = events[events.first]
	return oldest and math.max(0, os.time() - oldest.left_at) or 0
end

local function describe(record)
	return ("%s of room %s, ended %s"):format(
		ROUTING_KEY,
		record.room,
		os.date("!%Y-%m-%dT%H:%M:%SZ", record.left_at)
	)
end

local function remove_first()
	local record = events[events.first]
	events[events.first] = nil
	events.first = events.first + 1
	known[record.id] = nil
	local removed, problem = spool.keep(record, "gone")
	if not removed then
		module:log("error", "Cannot remove the statistics event %s from disk: %s", record.id, problem)
	end
	return record
end

local function keep_bounds()
	while count() > max_events or (count() > 0 and longest_wait() > max_age) do
		local reason = count() > max_events and "the backlog is full" or "it is too old"
		totals.dropped = totals.dropped + 1
		module:log("error", "Statistics event dropped, %s: %s", reason, describe(remove_first()))
	end
	local near = count() >= NEAR * max_events or longest_wait() >= NEAR * max_age
	if near and not warned then
		module:log(
			"warn",
			"Statistics backlog: %d events of at most %d, the oldest waits for %d of at most %d seconds; "
				.. "beyond that the oldest are dropped. Last problem: %s",
			count(),
			max_events,
			longest_wait(),
			max_age,
			last_problem or "none"
		)
	end
	warned = near
end

-- What the broker expects, to the letter; json.encode only quotes strings here, as it knows no order of keys.
local function message(record)
	local payload = ('{"eventType":"%s","videoCallUuid":%s,"timestamp":"%s"}'):format(
		ROUTING_KEY,
		json.encode(record.room),
		os.date("!%Y-%m-%dT%H:%M:%SZ", record.left_at)
	)
	return (
		'{"properties":{"delivery_mode":2,"message_id":%s},"routing_key":"%s","payload":%s,'
		.. '"payload_encoding":"string"}'
	):format(json.encode(record.id), ROUTING_KEY, json.encode(payload))
end

local function problem_in(body, code)
	if code == 0 then return "no connection: " .. tostring(body) end
	if code ~= 200 then return "HTTP status " .. tostring(code) end
	local called, answer = pcall(json.decode, body or "")
	if not called or type(answer) ~= "table" or answer.routed ~= true then
		return "no queue took the message (not routed)"
	end
	return nil
end

local attempt

local function schedule(delay)
	if scheduled or flight or count() == 0 then return end
	scheduled = true
	module:add_timer(delay, attempt)
end

local function finished(problem)
	flight, last_problem = nil, problem
	if answered_at_stop then answered_at_stop() end
	if not problem then
		remove_first()
		totals.delivered = totals.delivered + 1
		pause = 0
		return schedule(PACE)
	end
	pause = math.min(retry_max, math.max(retry_min, pause * 2))
	module:log(
		"warn",
		"Statistics event not delivered, next attempt in %g seconds, %d waiting: %s",
		pause,
		count(),
		problem
	)
	schedule(pause)
end

-- The answer reaches whichever instance of this module is loaded by then, so that a reload sends nothing twice.
module:hook("statistics-delivery-answered", function(event)
	if flight and flight.record.id == event.id then finished(event.problem) end
end)

local function give_up_in_time(this)
	module:add_timer(request_timeout, function()
		if this ~= flight or this.answered then return end
		-- A connection that is still being made would deliver when it stands; Prosody ends it by itself if it fails.
		if this.request and not this.request.conn then return STILL_CONNECTING end
		this.answered = true
		if this.request then http.destroy_request(this.request) end
		finished(("no answer in %g seconds"):format(request_timeout))
	end)
end

function attempt()
	scheduled = false
	if flight or answered_at_stop then return end
	keep_bounds()
	if count() == 0 then return end
	local this = { record = events[events.first] }
	flight = this
	local called, request, problem = pcall(http.request, settings.url, {
		method = "POST",
		headers = {
			["Authorization"] = "Basic " .. base64.encode(settings.username .. ":" .. settings.password),
			["Content-Type"] = "application/json",
		},
		body = message(this.record),
		suppress_errors = true,
		suppress_url = true,
	}, function(body, code)
		if this.answered then return end
		this.answered = true
		prosody.events.fire_event(
			"statistics-delivery-answered",
			{ id = this.record.id, problem = problem_in(body, code) }
		)
	end)
	this.request = called and request or nil
	if flight ~= this then return end
	if this.request then return give_up_in_time(this) end
	this.answered = true
	finished("the request cannot be made: " .. tostring(called and problem or request))
end

local function add(record)
	if known[record.id] then return end
	known[record.id] = true
	record.since = monotonic()
	events.last = events.last + 1
	events[events.last] = record
end

module:hook("statistics-event-ready", function(record)
	add(record)
	if not flight then keep_bounds() end
	schedule(PACE)
end)

module:depends "http"
module:provides("http", {
	default_path = "/statistics_backlog",
	route = {
		GET = function(event)
			if not allowed_ips:contains(event.request.ip) then return 403 end
			event.response.headers.content_type = "application/json"
			local unwritten, unreadable = spool.trouble()
			return json.encode({
				events = count(),
				oldest_age_seconds = oldest_age(),
				delivered = totals.delivered,
				dropped = totals.dropped,
				last_problem = last_problem,
				unwritten = unwritten,
				unreadable = unreadable,
				closing_problem = next(closing_problems),
			})
		end,
	},
})

local metric_events = module:metric("gauge", "events", "", "Statistics events waiting for the broker", {})
local metric_age =
	module:metric("gauge", "oldest_age", "seconds", "Age of the oldest waiting statistics event", {})
module:hook("stats-update", function()
	metric_events:with_labels():set(count())
	metric_age:with_labels():set(oldest_age())
end)

function module.save()
	return {
		events = events,
		flight = flight,
		pause = pause,
		warned = warned,
		totals = totals,
		last_problem = last_problem,
		is_searched = is_searched,
		known = known,
	}
end

function module.restore(saved)
	events, flight, pause, warned = saved.events, saved.flight, saved.pause, saved.warned
	totals, last_problem = saved.totals, saved.last_problem
	is_searched, known = saved.is_searched, saved.known
	if flight then give_up_in_time(flight) end
	schedule(pause)
end

local function search()
	local found
	found, is_searched = spool.list("event")
	for _, record in ipairs(found) do
		add(record)
	end
	schedule(PACE)
end

-- Last of all, once every record has got its time.
module:hook("server-stopping", spool.retry, 50)

-- Once all clients are gone: a message whose answer nobody hears any more would be sent again after the restart.
module:hook("server-stopping", function()
	local wait, done = async.waiter(1, true)
	answered_at_stop = done
	if not flight then return end
	module:add_timer(STOP_WAIT, function() done() end)
	wait()
end, -400)

function module.load()
	if not module.reloading then search() end
	module:add_timer(RETRY_DISK, function()
		spool.retry()
		if not is_searched then search() end
		return RETRY_DISK
	end)
end
