-- Account sync: Jitsi's accounts have the passwords of the environment, whatever the kept data says.
-- Load globally: GLOBAL_MODULES=account_sync.
--
-- Owns: setting, at the start of Prosody, the password of each account that exists and has another one. The image makes
-- accounts that are missing and leaves existing ones alone, so without this a changed password and kept data lock
-- jicofo or the bridge out. Reads the image's own variables with the image's own defaults. Creates and removes none.
-- Writes no password to the log.

module:set_global()

local jid = require "util.jid"
local usermanager = require "core.usermanager"

local environment = module:require("environment").get

local auth_domain = environment("XMPP_AUTH_DOMAIN", "auth.meet.jitsi")
local hidden_domain =
	environment("XMPP_HIDDEN_DOMAIN", environment("XMPP_RECORDER_DOMAIN", "hidden.meet.jitsi"))

local accounts = {
	{ host = auth_domain, user = "focus", variable = "JICOFO_AUTH_PASSWORD" },
	{ host = auth_domain, user = environment("JVB_AUTH_USER", "jvb"), variable = "JVB_AUTH_PASSWORD" },
	{ host = auth_domain, user = environment("JIBRI_XMPP_USER", "jibri"), variable = "JIBRI_XMPP_PASSWORD" },
	{ host = auth_domain, user = environment("JIGASI_XMPP_USER", "jigasi"), variable = "JIGASI_XMPP_PASSWORD" },
	{
		host = hidden_domain,
		user = environment("JIBRI_RECORDER_USER", "recorder"),
		variable = "JIBRI_RECORDER_PASSWORD",
	},
	{
		host = hidden_domain,
		user = environment("JIGASI_TRANSCRIBER_USER", "transcriber"),
		variable = "JIGASI_TRANSCRIBER_PASSWORD",
	},
}

local function sync(account)
	local user, host = jid.prepped_split(account.user .. "@" .. account.host)
	local password = environment(account.variable)
	if not user or not password then return end
	if not usermanager.user_exists(user, host) or usermanager.test_password(user, host, password) then
		return
	end
	local done, problem = usermanager.set_password(user, password, host)
	if done then
		module:log("info", "%s@%s: password set from %s", user, host, account.variable)
	else
		module:log("error", "%s@%s: cannot set the password from %s: %s", user, host, account.variable, problem)
	end
end

local function sync_host(host)
	for _, account in ipairs(accounts) do
		if account.host == host then sync(account) end
	end
end

-- A host's accounts can be used once its authentication module is in; at the start that is before any port is open.
local function sync_all()
	for host in pairs(prosody.hosts) do
		sync_host(host)
	end
end

if prosody.start_time then sync_all() end
module:hook("server-started", sync_all)
