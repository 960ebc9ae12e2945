-- Test stand-in for another plugin of the conference component that does what ours must withstand. A message with the
-- child <meddle do='...' room='...' jid='...'/> to the component makes it do one such thing; a room called
-- broken-<hook>-... makes it raise an error in that hook. The option stand_in_slow_stop is the number of seconds for
-- which it holds up the stop of Prosody once all clients are gone, as a client that reads nothing any more does.

local async = require "util.async"
local jid = require "util.jid"

local muc = module:depends "muc"

local deeds = {}

function deeds.owner(room, who) room:set_affiliation(true, who, "owner") end

function deeds.admin(room, who) room:set_affiliation(true, who, "admin") end

function deeds.moderator(room, who)
	for nick, occupant in room:each_occupant() do
		if occupant.bare_jid == who then room:set_role(true, nick, "moderator") end
	end
end

function deeds.say(_, text) module:log("error", "the meddler says %s", text) end

function deeds.open(room) room:set_members_only(false) end

module:hook("message/host", function(event)
	local meddle = event.stanza:get_child("meddle")
	if not meddle then return end
	deeds[meddle.attr["do"]](meddle.attr.room and muc.get_room_from_jid(meddle.attr.room), meddle.attr.jid)
	return true
end, 100)

for _, hook in ipairs {
	"muc-occupant-left",
	"muc-room-destroyed",
	"muc-pre-room-destroy",
	"muc-broadcast-presence",
} do
	module:hook(hook, function(event)
		if jid.node(event.room.jid):find("broken-" .. hook, 1, true) == 1 then
			error("the meddler breaks " .. hook)
		end
	end, 2)
end

for _, name in ipairs { "video-call-moderated", "video-call-unmoderated", "video-call-ended" } do
	module:hook(name, function(event)
		if jid.node(event.room_jid):find("broken-video-call", 1, true) == 1 then
			error("the meddler breaks " .. name)
		end
	end, 2)
end

local slow_stop = module:get_option_number("stand_in_slow_stop", 0)
module:hook_global("server-stopping", function()
	if slow_stop > 0 then async.sleep(slow_stop) end
end, -200)
