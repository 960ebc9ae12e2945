-- Delivers the ends of calls to one receiver over HTTP: a queue with one request on its way at a time.
--
-- Owns: the receiver's backlog, bounded in number and age, with a warning at 80 % and an error that names each call
-- dropped; the pauses between attempts, which grow; what a stop and a reload mean for a request on its way; GET of the
-- backlog, and the metrics that tell its size.
-- Does not own what is asked and what an answer means (the receiver), nor the records on disk (statistics_spool).
-- A stop in good order waits for the answer under way. The age of a record is the time it has waited here: whatever the
-- clock says, it drops nothing. No log line has a request's headers, its URL or its body: they hold passwords.
--
-- Options, with the receiver's prefix: _max_events (10000), _max_age (604800 s), _retry_min and _max (1 s, 60 s),
-- _request_timeout (30 s); and statistics_backlog_allow_ips (loopback).

local async = require "util.async"
local http = require "net.http"
local json = require "util.json"
local monotonic = require "util.time".monotonic

local spool = module:require "statistics_spool"

-- Seconds between two deliveries: most of the time is everybody else's, and the receiver is not flooded either.
local PACE = 0.05
local NEAR = 0.8 -- share of a bound at which to warn
local STILL_CONNECTING = 1 -- seconds until the next look
local RETRY_DISK = 5 -- seconds until what the disk refused is tried again
local STOP_WAIT = 3 -- seconds for which a stop waits for an answer
local LONGEST_ASIDE = 3600 -- seconds for which a record that is refused waits at most
local ANSWER_BYTES = 64 * 1024
local READ_BYTES = 16 * 1024 * 1024 -- more than one read of a connection gives, by which the status is known

local closing_problems = module:shared "/*/close_room/problems"

local function write_nowhere() return true end

-- Starts delivering. receiver:
--   name       as call_receivers has it
--   prefix     of its options
--   path       of its backlog
--   record, backlog, plural, waiting   what log lines and metrics call a record, the backlog, its records
--   describe(record)   a record in words
--   ordered    true: none before the one that was to go first. Else another one is tried next after a failure
--   request(record)    what to ask next for it: { purpose, url, headers, body, status_only, who }
--   judge(record, purpose, body, code)   what an answer means: "delivered"; "ask" (the next request, at once); "later"
--                      (the receiver is out: a pause for all) or "refused" (this record alone waits), and the problem
--   report()   further fields of the backlog, or nil
-- Returns save, for the module's own save, and start(saved).
return function(receiver)
	local function number(name, default) return module:get_option_number(receiver.prefix .. name, default) end
	local max_events, max_age = number("_max_events", 10000), number("_max_age", 7 * 24 * 3600)
	local retry_min, retry_max = number("_retry_min", 1), number("_retry_max", 60)
	local request_timeout = number("_request_timeout", 30)
	local allowed_ips =
		module:get_option_set("statistics_backlog_allow_ips", { "127.0.0.1", "::1", "::ffff:127.0.0.1" })

	local state = {
		entries = {}, -- { record, since, and once it was refused pause and due }, oldest first
		known = {}, -- ids of the records that wait
		flight = nil, -- { entry, purpose, who, request, answered } of the request under way
		pause = 0, -- seconds of the last pause for all, 0 when all is well
		not_before = 0, -- when the next attempt may be, on the monotonic clock
		totals = { delivered = 0, dropped = 0 },
		warned = false,
		last_problem = nil,
		is_searched = false, -- whether all records that an earlier process left could be read
	}
	local timer, timer_at = nil, nil -- of the next attempt
	local answered_at_stop = nil -- while Prosody stops: to be called once the request under way is over

	local function count() return #state.entries end

	-- The index of the entry that waits longest, nil where none waits.
	local function oldest()
		local found
		for index, entry in ipairs(state.entries) do
			if not found or entry.since < state.entries[found].since then found = index end
			if receiver.ordered then break end
		end
		return found
	end

	local function longest_wait()
		local index = oldest()
		return index and monotonic() - state.entries[index].since or 0
	end

	local function oldest_age()
		local index = oldest()
		return index and math.max(0, os.time() - state.entries[index].record.left_at) or 0
	end

	local function index_of(wanted)
		for index, entry in ipairs(state.entries) do
			if entry == wanted then return index end
		end
	end

	local function remove(index)
		local record = table.remove(state.entries, index).record
		state.known[record.id] = nil
		local removed, problem = spool.told(record, receiver.name)
		if not removed then
			module:log("error", "Cannot remove the %s %s from disk: %s", receiver.record, record.id, problem)
		end
		return record
	end

	local function keep_bounds()
		while count() > max_events or (count() > 0 and longest_wait() > max_age) do
			local reason = count() > max_events and "the backlog is full" or "it is too old"
			state.totals.dropped = state.totals.dropped + 1
			module:log(
				"error",
				"%s dropped, %s: %s",
				receiver.record,
				reason,
				receiver.describe(remove(oldest()))
			)
		end
		local near = count() >= NEAR * max_events or longest_wait() >= NEAR * max_age
		if near and not state.warned then
			module:log(
				"warn",
				"%s: %d %s of at most %d, the oldest waits for %d of at most %d seconds; "
					.. "beyond that the oldest are dropped. Last problem: %s",
				receiver.backlog,
				count(),
				receiver.plural,
				max_events,
				longest_wait(),
				max_age,
				state.last_problem or "none"
			)
		end
		state.warned = near
	end

	local attempt

	-- When there is one to be tried, on the monotonic clock.
	local function next_time()
		local earliest = math.huge
		for _, entry in ipairs(state.entries) do
			if not entry.due then return state.not_before end
			earliest = math.min(earliest, entry.due)
		end
		return math.max(state.not_before, earliest)
	end

	local function schedule()
		if state.flight or count() == 0 then return end
		local at = next_time()
		if timer then
			if timer_at <= at then return end
			timer:stop()
		end
		timer_at = at
		timer = module:add_timer(math.max(PACE, at - monotonic()), attempt)
	end

	local function wait_longer(pause) return math.max(retry_min, (pause or 0) * 2) end

	local function not_delivered(entry, outcome, problem)
		local seconds
		if outcome == "refused" then
			entry.pause = math.min(LONGEST_ASIDE, wait_longer(entry.pause))
			entry.due = monotonic() + entry.pause
			state.not_before = monotonic() + retry_min
			seconds = entry.pause
		else
			state.pause = math.min(retry_max, wait_longer(state.pause))
			state.not_before = monotonic() + state.pause
			seconds = state.pause
		end
		if not receiver.ordered then
			table.insert(state.entries, table.remove(state.entries, index_of(entry)))
		end
		module:log(
			"warn",
			"%s not delivered, next attempt in %g seconds, %d waiting: %s",
			receiver.record,
			seconds,
			count(),
			problem
		)
	end

	local ask

	local function finished(outcome, problem)
		local this = state.flight
		if problem and this.who then problem = ("%s: %s"):format(this.who, problem) end
		if outcome == "ask" and not answered_at_stop then return ask(this.entry) end
		state.flight = nil
		if answered_at_stop then answered_at_stop() end
		if outcome == "delivered" then
			remove(index_of(this.entry))
			state.totals.delivered = state.totals.delivered + 1
			state.pause, state.not_before = 0, monotonic() + PACE
			state.last_problem = nil
		elseif outcome ~= "ask" then
			state.last_problem = problem
			not_delivered(this.entry, outcome, problem)
		end
		schedule()
	end

	-- The answer reaches whichever instance of the module is loaded by then, so that a reload asks nothing twice.
	local answer_event = receiver.prefix .. "-delivery-answered"
	module:hook(answer_event, function(event)
		local this = state.flight
		if not this or this.entry.record.id ~= event.id or this.purpose ~= event.purpose then return end
		if event.code == 0 then return finished("later", "no connection: " .. tostring(event.body)) end
		local called, outcome, problem =
			pcall(receiver.judge, this.entry.record, this.purpose, event.body, event.code)
		if called then return finished(outcome, problem) end
		finished("later", tostring(outcome))
	end)

	local function give_up_in_time(this)
		module:add_timer(request_timeout, function()
			if this ~= state.flight or this.answered then return end
			-- A connection that is still being made would deliver when it stands; Prosody ends it by itself if it fails.
			if this.request and not this.request.conn then return STILL_CONNECTING end
			this.answered = true
			if this.request then http.destroy_request(this.request) end
			finished("later", ("no answer in %g seconds"):format(request_timeout))
		end)
	end

	function ask(entry)
		local asked = receiver.request(entry.record)
		local this = { entry = entry, purpose = asked.purpose, who = asked.who }
		state.flight = this
		local function on_answer(body, code)
			if this.answered then return end
			this.answered = true
			local event = { id = entry.record.id, purpose = this.purpose, body = body, code = code }
			prosody.events.fire_event(answer_event, event)
		end
		-- The status has the whole answer: a body that is long, slow or cut off would make a repetition of it.
		local function on_head(response)
			on_answer(nil, response.code)
			if this.request then http.destroy_request(this.request) end
			return { write = write_nowhere }
		end
		local called, request, problem = pcall(http.request, asked.url, {
			method = "POST",
			headers = asked.headers,
			body = asked.body,
			streaming_handler = asked.status_only and on_head or nil,
			suppress_errors = true,
			suppress_url = true,
		}, on_answer)
		this.request = called and request or nil
		if this.request then
			-- Of Prosody's parser, which is made with the first bytes of the answer.
			this.request.body_size_limit = asked.status_only and 0 or ANSWER_BYTES
			this.request.buffer_size_limit = asked.status_only and READ_BYTES or 2 * ANSWER_BYTES
		end
		if state.flight ~= this then return end
		if this.request then return give_up_in_time(this) end
		this.answered = true
		finished("later", "the request cannot be made: " .. tostring(called and problem or request))
	end

	function attempt()
		timer, timer_at = nil, nil
		if state.flight or answered_at_stop then return end
		keep_bounds()
		local now = monotonic()
		for _, entry in ipairs(state.entries) do
			if not entry.due or entry.due <= now then return ask(entry) end
		end
		schedule()
	end

	local function add(record)
		if state.known[record.id] then return end
		state.known[record.id] = true
		table.insert(state.entries, { record = record, since = monotonic() })
	end

	module:hook("statistics-event-ready", function(record)
		add(record)
		if not state.flight then keep_bounds() end
		schedule()
	end)

	module:depends "http"
	module:provides("http", {
		default_path = receiver.path,
		route = {
			GET = function(event)
				if not allowed_ips:contains(event.request.ip) then return 403 end
				event.response.headers.content_type = "application/json"
				local unwritten, unreadable = spool.trouble()
				local told = receiver.report and receiver.report() or {}
				told.events = count()
				told.oldest_age_seconds = oldest_age()
				told.delivered, told.dropped = state.totals.delivered, state.totals.dropped
				told.last_problem = state.last_problem
				told.unwritten, told.unreadable = unwritten, unreadable
				told.closing_problem = next(closing_problems)
				return json.encode(told)
			end,
		},
	})

	local metric_events = module:metric("gauge", "events", "", receiver.waiting, {})
	local metric_age =
		module:metric("gauge", "oldest_age", "seconds", "How long the oldest of them has been over", {})
	module:hook("stats-update", function()
		metric_events:with_labels():set(count())
		metric_age:with_labels():set(oldest_age())
	end)

	local function search()
		local found
		found, state.is_searched = spool.owed(receiver.name)
		for _, record in ipairs(found) do
			add(record)
		end
		schedule()
	end

	-- Last of all, once every record has got its time.
	module:hook("server-stopping", spool.retry, 50)

	-- Once all clients are gone: what is asked and whose answer nobody hears would be asked again after the restart.
	module:hook("server-stopping", function()
		local wait, done = async.waiter(1, true)
		answered_at_stop = done
		if not state.flight then return end
		module:add_timer(STOP_WAIT, function() done() end)
		wait()
	end, -400)

	local lib = {}

	function lib.save() return state end

	function lib.start(saved)
		if saved then
			state = saved
			if state.flight then give_up_in_time(state.flight) end
			schedule()
		else
			search()
		end
		module:add_timer(RETRY_DISK, function()
			spool.retry()
			if not state.is_searched then search() end
			return RETRY_DISK
		end)
	end

	return lib
end
