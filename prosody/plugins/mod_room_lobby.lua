-- Room lobby: from the first moderator until the room ends nobody gets in unadmitted. mod_close_room loads it on the
-- conference MUC component.
--
-- Owns: switching on Jitsi's lobby (mod_muc_lobby_rooms) for each conference as soon as a moderator is in, and keeping
-- it on, whoever comes and goes: before each entry it looks anew. Only a moderator of the call switches it off, and
-- then it stays off. It ends with the room, and Jitsi's module tells those who wait; never before, as Jitsi's client
-- enters by itself when a lobby is taken away. Where the lobby is switched off altogether nothing of this happens.
-- Who was admitted stays admitted, until a moderator removes them: a connection by its JID, as Prosody does it, and a
-- person over several connections by the token's user id (claim context.user.id). Without one nobody can be known
-- again: the same token may be many people's. Who loses the right to be in is out of the room and its breakout rooms,
-- and who is banned out of the lobby as well; that holds for all connections of the person, also with a token that has
-- expired since, but for the one with which somebody removes another one of their own. A moderator and who is admitted
-- need no display name to get in.
-- What is not the usual (switched off by hand; who was admitted, as a digest of the user id) is kept on disk, so that a
-- restart of Prosody does not undo it, for a call that goes on within `conference_restart_grace` seconds (60).

local jid = require "util.jid"
local load_driver = require "core.storagemanager".load_driver
local sha256 = require "util.hashes".sha256
local st = require "util.stanza"
local monotonic = require "util.time".monotonic

local claims = module:require "token_claims"
local call_rooms = module:require "call_rooms"
local conference = module:require "conference"

local MEMBERS_ONLY = "muc#roomconfig_membersonly"

local grace = module:get_option_number("conference_restart_grace", 60)
local started = monotonic()

-- On disk, whatever the component keeps its rooms in: the image says memory.
local driver = load_driver(module.host, "internal")
local store = driver and driver:open "lobby"

-- Main room -> { is_off, people, digests, is_kept }: is_off if a moderator switched the lobby off; people: digest of a
-- user id -> true if admitted, false if banned; digests: bare JID that was admitted -> that digest; is_kept if there is
-- something on disk.
local states = setmetatable({}, { __mode = "k" })

-- Calls a method of the store; what goes wrong is logged, and then it returns nil.
local function stored(method, ...)
	if not store then return nil end
	local called, done, problem = pcall(store[method], store, ...)
	if called and (done or not problem) then return done end
	module:log("warn", "Cannot %s the state of a lobby on disk: %s", method, called and problem or done)
	return nil
end

local function load_state(room)
	local kept = monotonic() - started < grace and stored("get", jid.node(room.jid))
	local state = { is_off = false, people = {}, digests = {}, is_kept = false }
	if type(kept) ~= "table" then return state end
	state.is_off, state.is_kept = kept.is_off == true, true
	for digest, admitted in pairs(type(kept.people) == "table" and kept.people or {}) do
		if type(digest) == "string" and type(admitted) == "boolean" then state.people[digest] = admitted end
	end
	return state
end

local function state_of(room)
	if not states[room] then states[room] = load_state(room) end
	return states[room]
end

local function save_state(room)
	local state = state_of(room)
	local kept = (state.is_off or next(state.people) ~= nil)
			and { is_off = state.is_off, people = state.people }
		or nil
	if not kept and not state.is_kept then return end
	state.is_kept = kept ~= nil
	stored("set", jid.node(room.jid), kept)
end

local function digest_of(room, user_id) return user_id and sha256(room.jid .. "/" .. user_id, true) end

-- Notes what became of the person behind a JID, who is known by the token (user_id) or from when it was valid still.
local function remember(room, bare_jid, user_id, admitted)
	local state = state_of(room)
	local digest = digest_of(room, user_id) or state.digests[bare_jid]
	if not digest then return nil end
	state.digests[bare_jid] = digest
	if state.people[digest] ~= admitted then
		state.people[digest] = admitted
		save_state(room)
	end
	return digest
end

local function is_same_person(room, bare_jid, user_id, actor)
	local digests, actor_bare = state_of(room).digests, jid.bare(actor)
	local digest = digest_of(room, user_id) or digests[bare_jid]
	local actors = digest_of(room, claims.user_id_of_jid(actor_bare, room.jid)) or digests[actor_bare]
	return digest ~= nil and digest == actors
end

local function rooms_of(room)
	local rooms = call_rooms.breakout_rooms(room)
	rooms[#rooms + 1] = room
	return rooms
end

-- Takes a connection out of the main room and the breakout rooms, and if it is banned out of the lobby.
local function take_out(room, bare_jid, affiliation)
	local rooms = rooms_of(room)
	rooms[#rooms + 1] = affiliation == "outcast" and call_rooms.lobby(room) or nil
	for _, place in ipairs(rooms) do
		local nicks = {}
		for nick, occupant in place:each_occupant() do
			if occupant.bare_jid == bare_jid then nicks[#nicks + 1] = nick end
		end
		for _, nick in ipairs(nicks) do
			place:set_role(true, nick, nil)
		end
	end
end

-- The bare JIDs of a person's other connections: those that were admitted, and those that are in or wait.
local function others_of(room, bare_jid, digest)
	local others = {}
	for other, others_digest in pairs(state_of(room).digests) do
		if others_digest == digest then others[other] = true end
	end
	local rooms = rooms_of(room)
	rooms[#rooms + 1] = call_rooms.lobby(room)
	for _, place in ipairs(rooms) do
		for _, occupant in place:each_occupant() do
			local user_id = claims.user_id_of_jid(occupant.bare_jid, room.jid)
			if digest_of(room, user_id) == digest then others[occupant.bare_jid] = true end
		end
	end
	others[bare_jid] = nil
	return others
end

-- A moderator took from somebody the right to be in: on all connections and out of all rooms of the call.
local function expel(room, bare_jid, digest, affiliation)
	take_out(room, bare_jid, affiliation)
	for other in pairs(digest and others_of(room, bare_jid, digest) or {}) do
		if (room:get_affiliation(other) or "none") ~= affiliation then
			room:set_affiliation(true, other, affiliation)
		end
		take_out(room, other, affiliation)
	end
end

local function shut(room)
	if room:get_members_only() or state_of(room).is_off then return end
	prosody.events.fire_event("create-lobby-room", { room = room })
end

-- A moderator is in, for the first time or again.
local function begin(room)
	room._data.is_moderated = true
	shut(room)
end

local function is_one_of_ours(room, any_jid)
	return conference.is_service_account(any_jid) or conference.is_test_room(room.jid)
end

-- true if the person behind a session was admitted, false if banned, nil if unknown.
local function what_became_of(room, session)
	local state, user_id = state_of(room), claims.user_id(session, room.jid)
	return state.people[digest_of(room, user_id) or state.digests[jid.bare(session.full_jid)] or ""]
end

-- Before the lobby (-4) and members-only (-5), after the token made its holder owner (5).
module:hook("muc-occupant-pre-join", function(event)
	local room, bare_jid = event.room, event.occupant.bare_jid
	if is_one_of_ours(room, bare_jid) then return end
	if room._data.is_moderated then shut(room) end
	local affiliation = room:get_affiliation(bare_jid) or "none"
	if affiliation == "none" and what_became_of(room, event.origin) then
		affiliation = "member"
		room:set_affiliation(true, bare_jid, affiliation)
		event.occupant.role = room:get_default_role(affiliation)
	end
	-- The lobby asks each who enters for a name, also those whom it has nothing to ask.
	room._data.lobby_skip_display_name_check = affiliation == "owner" or affiliation == "member"
end, 4)

module:hook("muc-occupant-joined", function(event)
	local room, bare_jid = event.room, event.occupant.bare_jid
	if is_one_of_ours(room, bare_jid) then return end
	if claims.is_moderator(event.origin, room.jid) then begin(room) end
	remember(room, bare_jid, claims.user_id(event.origin, room.jid), true)
end, 9) -- right after mod_create_room has opened it (10)

-- Where no token makes the moderators (jicofo does then), mod_close_room sees them first.
module:hook("video-call-moderated", function(event)
	local room = call_rooms.main(event.room_jid)
	if room then begin(room) end
end)

module:hook("muc-set-affiliation", function(event)
	local room, bare_jid, affiliation, actor = event.room, event.jid, event.affiliation, event.actor
	local is_lost = affiliation == "outcast" or affiliation == "none"
	if not actor and is_lost and (affiliation == "outcast" or room:get_members_only()) then
		take_out(room, bare_jid, affiliation)
	end
	if not actor and affiliation ~= "member" then return end
	local user_id = claims.user_id_of_jid(bare_jid, room.jid)
	if is_lost and is_same_person(room, bare_jid, user_id, actor) then
		return take_out(room, bare_jid, affiliation) -- their own other connection, such as one that hangs
	end
	local admitted = nil
	if affiliation == "member" then
		admitted = true
	elseif affiliation == "outcast" then
		admitted = false
	end
	local digest = remember(room, bare_jid, user_id, admitted)
	if is_lost then expel(room, bare_jid, digest, affiliation) end
end)

-- Removed by a moderator, in the room or a breakout room: to be admitted anew.
local function on_removed(event)
	local main_room, actor = call_rooms.main_of(event.room), event.actor
	if not main_room or not actor or event.occupant.role ~= nil then return end
	for status in event.x:childtags("status") do
		if status.attr.code == "307" then
			main_room:set_affiliation(actor, event.occupant.bare_jid, "none")
			return
		end
	end
end

-- Who was banned is so on every connection and in every room of the call, whatever the token says.
local function on_entry(event)
	local room, session = call_rooms.main_of(event.room), event.origin
	if not room or is_one_of_ours(room, event.stanza.attr.from) then return end
	if what_became_of(room, session) ~= false then return end
	session.send(st.error_reply(event.stanza, "auth", "forbidden", nil, event.room.jid))
	return true
end

-- Only a moderator of the call switches the lobby, and no form by the way: jicofo sends back all it was shown, and a
-- form without the field counts as a no with Jitsi's module.
module:hook("muc-config-submitted", function(event)
	if event.fields[MEMBERS_ONLY] == nil then
		event.fields[MEMBERS_ONLY] = event.room:get_members_only() or false
	end
end, 100)

module:hook("muc-config-submitted/" .. MEMBERS_ONLY, function(event)
	if not conference.moderates(event.room, event.actor) then return true end
	state_of(event.room).is_off = not event.value
	save_state(event.room)
end, 100)

module:hook("muc-room-destroyed", function(event)
	local room = event.room
	local state = states[room]
	if not state then return end
	states[room] = nil
	if state.is_kept then stored("set", jid.node(room.jid), nil) end
end)

call_rooms.on_each_component(function(context, _, kind)
	if kind ~= "lobby" then context:hook("muc-broadcast-presence", on_removed) end
	-- After mod_room_entry (60), before a moderator's token counts (5).
	context:hook("muc-occupant-pre-join", on_entry, 55)
	if kind ~= "main" then context:hook("muc-room-pre-create", on_entry, 55) end -- leaves no empty room
end)

-- What an earlier process left and no call has taken up again.
module:add_timer(grace, function()
	local names = {}
	pcall(function()
		for name in store:users() do
			names[#names + 1] = name
		end
	end)
	for _, name in ipairs(names) do
		local room = call_rooms.main(name .. "@" .. module.host)
		if not (room and states[room]) then stored("set", name, nil) end
	end
end)

local function look_at_all()
	local host = prosody.hosts[module.host]
	for room in host.modules.muc.live_rooms() do
		if room._data.is_moderated then shut(room) end
	end
end

function module.save()
	local saved = {}
	for room, state in pairs(states) do
		saved[room.jid] = state
	end
	return { states = saved, started = started }
end

function module.restore(saved)
	started = saved.started
	for room_jid, state in pairs(saved.states) do
		local room = call_rooms.main(room_jid)
		if room then states[room] = state end
	end
	look_at_all()
end

function module.load()
	if not module.reloading then look_at_all() end
end
