-- Client data: nobody who takes part in a call leaves anything on the server's disk. mod_conference_requests loads it
-- globally.
--
-- Prosody keeps what a client gives it to keep (private data, contacts, a picture, what it publishes or blocks), for an
-- account that ends with its connection too: whoever has a link could fill the disk, which is the Docker host's. And it
-- notes whoever asks for jicofo's or the bridge's presence in the list of contacts of these, for good. Jitsi's front
-- end does neither. Refuses both of everybody who has signed in on a host of this server; Jitsi's own accounts may
-- everything.

module:set_global()

local st = require "util.stanza"

local conference = module:require "conference"

-- What Prosody's modules keep, whether they are loaded or not.
local STORES = {
	["http://jabber.org/protocol/pubsub"] = true,
	["http://jabber.org/protocol/pubsub#owner"] = true,
	["jabber:iq:private"] = true,
	["jabber:iq:register"] = true,
	["jabber:iq:roster"] = true,
	["urn:xmpp:blocking"] = true,
	["urn:xmpp:mam:1"] = true,
	["urn:xmpp:mam:2"] = true,
	["urn:xmpp:push:0"] = true,
	["vcard-temp"] = true,
}
local SUBSCRIPTIONS = { subscribe = true, subscribed = true, unsubscribe = true, unsubscribed = true }

local function refuse(event)
	local session, stanza = event.origin, event.stanza
	module:log("info", "%s may not leave data on the server: refused", session.full_jid)
	session.send(st.error_reply(stanza, "cancel", "not-allowed"))
	return true
end

local function is_client(session)
	return session.type == "c2s" and not conference.is_service_account(session.full_jid)
end

local function on_iq(event)
	local query = event.stanza.tags[1]
	if event.stanza.attr.type ~= "set" or not query or not STORES[query.attr.xmlns] then return end
	if is_client(event.origin) then return refuse(event) end
end

local function on_presence(event)
	if SUBSCRIPTIONS[event.stanza.attr.type] and is_client(event.origin) then return refuse(event) end
end

local function watch(host)
	if prosody.hosts[host].type ~= "local" then return end
	local context = module:context(host)
	for _, target in ipairs { "host", "bare", "full", "self" } do
		context:hook("pre-iq/" .. target, on_iq, 60)
		context:hook("pre-presence/" .. target, on_presence, 60)
	end
end

for host in pairs(prosody.hosts) do
	watch(host)
end
module:hook_global("host-activated", watch)
