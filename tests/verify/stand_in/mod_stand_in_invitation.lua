-- Test stand-in for jicofo inside a room: once two are in, it asks each what it can do, and offers the bridge to who
-- answers. `stand_in_bridge` is { user fragment, password, address, port }; without it nobody is offered anything.

local jid = require "util.jid"
local st = require "util.stanza"

local DISCO = "http://jabber.org/protocol/disco#info"
local bridge = module:get_option_array("stand_in_bridge")
if not bridge then return end

local function ask(room, occupant)
	for address in occupant:each_session() do
		module:send(
			st.iq({ type = "get", id = "features", from = room.jid .. "/focus", to = address })
				:tag("query", { xmlns = DISCO })
		)
	end
end

-- Two media with a transport each, as jicofo has it where an offer is bundled; the first candidate is the bridge's own
-- in its container's network, where no caller gets.
local function offer(from, to)
	local fragment, password, ip, port = bridge[1], bridge[2], bridge[3], tostring(bridge[4])
	local stanza = st.iq({ type = "set", id = "offer", from = from, to = to }):tag(
		"jingle",
		{ xmlns = "urn:xmpp:jingle:1", action = "session-initiate", sid = "a", initiator = from }
	)
	for _, media in ipairs { "audio", "video" } do
		stanza
			:tag("content", { creator = "initiator", name = media })
			:tag(
				"transport",
				{ xmlns = "urn:xmpp:jingle:transports:ice-udp:1", ufrag = fragment, pwd = password }
			)
		for number, address in ipairs { "172.31.255.254", ip } do
			stanza
				:tag("candidate", {
					component = "1",
					foundation = tostring(number),
					generation = "0",
					id = tostring(number),
					ip = address,
					network = "0",
					port = port,
					priority = "1",
					protocol = "udp",
					type = "host",
				})
				:up()
		end
		stanza:up():up()
	end
	return stanza
end

module:hook("muc-occupant-joined", function(event)
	local inside = {}
	for _, occupant in event.room:each_occupant() do
		table.insert(inside, occupant)
	end
	if #inside ~= 2 then return end
	for _, occupant in ipairs(inside) do
		ask(event.room, occupant)
	end
end, -10)

module:hook("iq/full", function(event)
	local stanza = event.stanza
	if select(3, jid.split(stanza.attr.to)) ~= "focus" then return end
	if stanza.attr.type == "result" and stanza.attr.id == "features" and stanza:get_child("query", DISCO) then
		module:send(offer(stanza.attr.to, stanza.attr.from))
	end
	return true
end, 10)
