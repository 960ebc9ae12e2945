"""Renders Prosody's configuration in the shape that the Jitsi image's templates generate.

Same hosts, components and MUC options as prosody/rootfs/defaults (jitsi/docker-jitsi-meet, stable-11146-2); Jitsi's own
modules are left out or replaced by the stand-ins beside this file. The statistics settings stand in an included
conf.d/statistics.cfg.lua, rendered by the program itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.stack.statistics_file import render_statistics_lua

DOMAIN = "meet.jitsi"
AUTH_DOMAIN = "auth.meet.jitsi"
GUEST_DOMAIN = "guest.meet.jitsi"
MUC_DOMAIN = "muc.meet.jitsi"
BREAKOUT_DOMAIN = "breakout.meet.jitsi"
LOBBY_DOMAIN = "lobby.meet.jitsi"
INTERNAL_DOMAIN = "internal-muc.meet.jitsi"
END_DOMAIN = "endconference.meet.jitsi"
FOCUS = f"focus@{AUTH_DOMAIN}"

SECRET = "a-secret-of-more-than-thirty-two-bytes"
ISSUER = "onlineberatung"
AUDIENCE = "onlineberatung-video"

MUC_MODULES = "token_moderation,close_room,create_room"


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where and as whom the events are published."""

    url: str
    username: str
    password: str


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What differs between the Prosodys of the tests."""

    c2s_port: int
    http_port: int
    timeout: int = 2
    broker: Broker | None = None
    video_service_file: str = ""  # text of conf.d/videoservice.cfg.lua; without it nobody is told
    trusted: str = ""  # PEM of the authority that Prosody's own HTTPS requests trust
    lobby: bool = False
    breakout_rooms: bool = False
    meddler: bool = False
    muc_modules: str = MUC_MODULES
    broken: tuple[str, ...] = ()  # modules of ours that raise an error as they are loaded
    log_level: str = "debug"
    focus_creates_rooms: bool = True
    options: Mapping[str, str | int | float] = field(default_factory=dict)


def statistics_file(setup: Setup) -> str:
    """The text of conf.d/statistics.cfg.lua."""
    if setup.broker is None:
        return render_statistics_lua(enabled=False, conference_timeout=setup.timeout)
    return render_statistics_lua(
        enabled=True,
        url=setup.broker.url,
        username=setup.broker.username,
        password=setup.broker.password,
        conference_timeout=setup.timeout,
    )


def _lua(value: str | int | float) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _component(host: str, module: str = "") -> str:
    # Breakout rooms are made by who enters first: the tests' focus goes to main rooms alone.
    return f"""
Component "{host}" "muc"
    restrict_room_creation = {"false" if host == BREAKOUT_DOMAIN else "true"}
    storage = "memory"
    modules_enabled = {{ {f'"{module}"' if module else ""} }}
    muc_room_cache_size = 10000
    muc_room_locking = false
    muc_room_default_public_jids = true
    muc_tombstones = false
    muc_room_allow_persistent = false
    main_muc = "{MUC_DOMAIN}"
"""


def main_file(setup: Setup, directory: str) -> str:
    """The text of prosody.cfg.lua; `directory` as Prosody sees it."""
    modules = [*setup.muc_modules.split(","), "stand_in_token_verification"]
    if setup.meddler:
        modules.append("stand_in_meddler")
    muc_modules = "; ".join(f'"{name}"' for name in modules)
    lobby = '"stand_in_lobby";' if setup.lobby else ""
    extra = "\n".join(f"{name} = {_lua(value)}" for name, value in setup.options.items())
    return f"""
run_as_root = true
daemonize = false
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
plugin_paths = {{ "{directory}/plugins", "{directory}/stand_in" }}
component_admins_as_room_owners = true
modules_enabled = {{
    "roster"; "saslauth"; "tls"; "disco"; "admin_shell"; "private"; "blocklist"; "pep"; "version"; "ping"; "posix"; "smacks";
    "http_openmetrics"; "log_masking"; "account_sync"; "conference_requests"; "stand_in_health"; {lobby}
}}
modules_disabled = {{ "offline"; "register"; "s2s" }}
admins = {{ "{FOCUS}", "jvb@{AUTH_DOMAIN}" }}
admin_socket = "{directory}/prosody.sock"
allow_registration = false
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
c2s_ports = {{ {setup.c2s_port} }}
c2s_interfaces = {{ "127.0.0.1" }}
c2s_direct_tls_ports = {{}}
http_ports = {{ {setup.http_port} }}
http_interfaces = {{ "127.0.0.1" }}
https_ports = {{}}
http_default_host = "{DOMAIN}"
network_backend = "epoll"
statistics = "internal"
statistics_interval = "manual"
log = {{ {{ levels = {{ min = "{setup.log_level}" }}, to = "file", filename = "{directory}/prosody.log" }} }}
storage = {{ smacks_h = "memory" }}
{f'client_https_ssl = {{ cafile = "{directory}/trusted.pem" }}' if setup.trusted else ""}
asap_accepted_issuers = {{ "{ISSUER}" }}
asap_accepted_audiences = {{ "{AUDIENCE}" }}
muc_mapper_domain_base = "{DOMAIN}"
muc_mapper_domain_prefix = "muc"
{extra}

VirtualHost "{DOMAIN}"
    authentication = "stand_in_token"
    app_id = "{ISSUER}"
    app_secret = "{SECRET}"

VirtualHost "{GUEST_DOMAIN}"
    authentication = "stand_in_guest"

VirtualHost "{AUTH_DOMAIN}"
    authentication = "internal_hashed"

Component "{MUC_DOMAIN}" "muc"
    restrict_room_creation = {"true" if setup.focus_creates_rooms else "false"}
    storage = "memory"
    modules_enabled = {{ {muc_modules} }}
    muc_room_cache_size = 10000
    muc_room_locking = false
    muc_room_default_public_jids = true
    muc_tombstones = false
    muc_room_allow_persistent = false
{_component(LOBBY_DOMAIN) if setup.lobby else ""}
{_component(BREAKOUT_DOMAIN, "stand_in_breakout_rooms") if setup.breakout_rooms else ""}
{_component(INTERNAL_DOMAIN, "stand_in_filter_access")}
Component "{END_DOMAIN}" "stand_in_end_conference"

Include "conf.d/*.cfg.lua"
"""
