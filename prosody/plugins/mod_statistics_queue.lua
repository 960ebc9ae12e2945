-- Statistics, second half: delivers the events to RabbitMQ's management API. mod_statistics_calls loads it.
--
-- Owns: the message, and what the broker's answers mean. An event waits on disk until the broker says that a queue took
-- it; anything else (no connection, no answer in time, a status other than 200, {"routed":false}) is tried again
-- (delivery). One event is on its way at a time, oldest first, so the order is kept.
-- The message is persistent, and its message_id is the record's id. So a repetition, which is possible in one case only
-- (the broker took the message, and its answer did not arrive, or this process died before it had removed the file),
-- can be recognised. The payload is the consumer's contract, to the letter.

module:set_global()

local base64 = require "util.encodings".base64
local json = require "util.json"

local settings = module:require "call_receivers".broker
if not settings then return end

local ROUTING_KEY = "STOP_VIDEO_CALL"

local function stamp(record) return os.date("!%Y-%m-%dT%H:%M:%SZ", record.left_at) end

-- What the broker expects, to the letter; json.encode only quotes strings here, as it knows no order of keys.
local function message(record)
	local payload = ('{"eventType":"%s","videoCallUuid":%s,"timestamp":"%s"}'):format(
		ROUTING_KEY,
		json.encode(record.room),
		stamp(record)
	)
	return (
		'{"properties":{"delivery_mode":2,"message_id":%s},"routing_key":"%s","payload":%s,'
		.. '"payload_encoding":"string"}'
	):format(json.encode(record.id), ROUTING_KEY, json.encode(payload))
end

local queue = module:require "delivery" {
	name = "broker",
	prefix = "statistics",
	path = "/statistics_backlog",
	record = "Statistics event",
	backlog = "Statistics backlog",
	plural = "events",
	waiting = "Statistics events waiting for the broker",
	ordered = true,
	describe = function(record)
		return ("%s of room %s, ended %s"):format(ROUTING_KEY, record.room, stamp(record))
	end,
	request = function(record)
		return {
			purpose = "publish",
			url = settings.url,
			headers = {
				["Authorization"] = "Basic " .. base64.encode(settings.username .. ":" .. settings.password),
				["Content-Type"] = "application/json",
			},
			body = message(record),
		}
	end,
	judge = function(_, _, body, code)
		if code ~= 200 then return "later", "HTTP status " .. tostring(code) end
		local called, answer = pcall(json.decode, body or "")
		if not called or type(answer) ~= "table" or answer.routed ~= true then
			return "later", "no queue took the message (not routed)"
		end
		return "delivered"
	end,
}

function module.save() return queue.save() end

function module.restore(saved) queue.start(saved) end

function module.load()
	if not module.reloading then queue.start() end
end
