-- Stop calls: tells the VideoService that a call is over. mod_statistics_calls loads it where that is configured.
--
-- Owns: the request for each call, its token, and what answers of the VideoService and Keycloak mean. A record waits
-- on disk until the VideoService says that it has taken the call's end, or that it knows no such room (404);
-- anything else is tried again (delivery). It does not matter here whether the broker takes events, nor there what
-- happens here.
-- The token is Keycloak's for the user of the settings (grant_type=password). It is kept until shortly before it
-- expires, or until the VideoService refuses it: then there is one more attempt with a new one, and after that a pause.
-- Redirects are not followed: they would carry password or token elsewhere.
-- A repetition is possible where the VideoService took the end and its answer did not arrive, or where this process
-- died before it had noted it. The status line has the whole answer, so that its body cannot make one.
-- No log line has the password or the token.

module:set_global()

local http = require "util.http"
local id = require "util.id"
local jid = require "util.jid"
local json = require "util.json"
local monotonic = require "util.time".monotonic

local settings = module:require "call_receivers".video_service
if not settings then return end

local EARLY = 10 -- seconds before its end from which a token is not used any more
local LONGEST_TOKEN = 16 * 1024
-- Where Keycloak says none (RFC 6749 only recommends it): such a token is good for the call it was fetched for.
local NO_LIFETIME = 0
-- What `make verify --statistics` calls the room of its test call; the VideoService's are UUIDs.
local TEST_ROOM = "^verify%-%x+%-%x+%-%x+%-%x+%-%x+$"

local token_url = ("%s/realms/%s/protocol/openid-connect/token"):format(
	settings.keycloak_url,
	http.urlencode(settings.realm)
)

local state = {
	token = nil, -- { value, good_until, is_unused, was_new }, was_new while the first call with it is under way
	unknown = 0, -- calls that the VideoService did not know
	unknown_status = nil, -- what it said of the last one
}

local function ask_for_token()
	return {
		purpose = "token",
		who = "Keycloak",
		url = token_url,
		headers = { ["Content-Type"] = "application/x-www-form-urlencoded", ["Accept"] = "application/json" },
		body = http.formencode {
			{ name = "grant_type", value = "password" },
			{ name = "client_id", value = settings.client_id },
			{ name = "username", value = settings.username },
			{ name = "password", value = settings.password },
		},
	}
end

-- The VideoService's filter against forged requests wants the same value twice, in a header and in a cookie.
local function ask_to_stop(record, token)
	local node, host = jid.split(record.room_jid)
	local nonce = id.medium()
	return {
		purpose = "stop",
		who = "VideoService",
		url = ("%s/videocalls/event/stop/%s@%s"):format(settings.url, http.urlencode(node), host),
		headers = {
			["Authorization"] = "Bearer " .. token,
			["Content-Length"] = "0",
			["X-CSRF-TOKEN"] = nonce,
			["Cookie"] = "CSRF-TOKEN=" .. nonce,
		},
		status_only = true,
	}
end

local judge = {}

-- What Keycloak says of a refusal (RFC 6749, 5.2), where it is a word.
local function reason_in(answer)
	local word = type(answer) == "table" and answer.error
	return type(word) == "string" and #word < 40 and word:match "^[%w_]+$" and (" (%s)"):format(word) or ""
end

function judge.token(_, body, code)
	local called, answer = pcall(json.decode, body or "")
	answer = called and answer or nil
	if code ~= 200 then return "later", ("HTTP status %d%s"):format(code, reason_in(answer)) end
	local value = type(answer) == "table" and answer.access_token
	if type(value) ~= "string" or #value > LONGEST_TOKEN or not value:match "^[%w%-._~+/]+=*$" then
		return "later", "no access_token in its answer"
	end
	local lifetime = answer.expires_in
	if type(lifetime) ~= "number" or lifetime ~= lifetime then lifetime = NO_LIFETIME end
	state.token = { value = value, good_until = monotonic() + lifetime - EARLY, is_unused = true }
	return "ask"
end

local function token_refused(code)
	local was_new = state.token and state.token.was_new
	state.token = nil
	if not was_new then return "ask" end
	return "later",
		("HTTP status %d for a new token: does the user have the role jitsi-technical?"):format(code)
end

local OUT = { [408] = true, [429] = true }

function judge.stop(record, _, code)
	if code == 401 or code == 403 then return token_refused(code) end
	if code >= 200 and code < 300 then return "delivered" end
	local problem = ("HTTP status %d"):format(code)
	local is_test = record.room:match(TEST_ROOM)
	if code == 404 or (is_test and code == 500) then
		state.unknown, state.unknown_status = state.unknown + 1, code
		module:log(
			is_test and "info" or "warn",
			"The VideoService does not know room %s: %s",
			record.room,
			problem
		)
		return "delivered"
	end
	-- Today's VideoService also says 500 for a room that it does not know, so that holds up no other one.
	if code == 500 or (code >= 400 and code < 500 and not OUT[code]) then
		return "refused", ("%s for room %s"):format(problem, record.room)
	end
	return "later", problem
end

local queue = module:require "delivery" {
	name = "video_service",
	prefix = "video_service",
	path = "/video_service_backlog",
	record = "Stop call",
	backlog = "Backlog of stop calls",
	plural = "calls",
	waiting = "Ended calls that the VideoService is to be told of",
	describe = function(record)
		return ("room %s, ended %s"):format(record.room, os.date("!%Y-%m-%dT%H:%M:%SZ", record.left_at))
	end,
	request = function(record)
		local token = state.token
		if not token or not (token.is_unused or monotonic() < token.good_until) then return ask_for_token() end
		token.was_new, token.is_unused = token.is_unused, false
		return ask_to_stop(record, token.value)
	end,
	judge = function(record, purpose, body, code) return judge[purpose](record, body, code) end,
	report = function() return { unknown = state.unknown, unknown_status = state.unknown_status } end,
}

function module.save() return { queue = queue.save(), state = state } end

function module.restore(saved)
	state = saved.state or state
	queue.start(saved.queue)
end

function module.load()
	if not module.reloading then queue.start() end
end
