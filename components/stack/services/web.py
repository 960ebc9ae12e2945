"""web: nginx and the Jitsi Meet front end.

Owns its environment, ports and the additions to config.js. The page's own settings that no variable of the
image reaches go into custom-config.js, which the image appends to the config.js it renders.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from components.config import branding
from components.config.settings import Settings
from components.stack import topology
from components.stack.services import web_volume
from components.stack.services.common import Shared, flag, http_health
from components.stack.spec import ContainerSpec, FileSpec, HealthSpec, PortSpec, SecretRef, Value

HEALTH_PATH: Final = "/_health"
HEALTH_CONF: Final = f"""\
# Written by videobackend. The page, for the health check: without a line in the log for each.
location = {HEALTH_PATH} {{
    access_log off;
    try_files /index.html =404;
}}
"""


def spec(settings: Settings, shared: Shared) -> ContainerSpec:
    """The web container; it proxies to prosody by name, so it starts on its own."""
    ports = {topology.WEB_HTTP_PORT: settings.http_port}
    if not settings.tls.by_proxy:
        ports[topology.WEB_HTTPS_PORT] = settings.https_port
    return ContainerSpec(
        **shared,
        environment=_environment(settings),
        health=_health(settings),
        aliases=(topology.WEB, topology.XMPP_DOMAIN),
        ports=tuple(
            PortSpec(internal=internal, external=external, ip=str(ip))
            for internal, external in ports.items()
            for ip in settings.web_bind_addresses
        ),
        files=_files(settings),
        volumes=(web_volume.volume(),),
    )


def _health(settings: Settings) -> HealthSpec:
    """The page, by https where web has it: plain HTTP may redirect, or be acme.sh's while it gets a certificate."""
    if settings.tls.by_proxy:
        return http_health(topology.WEB_HTTP_PORT, HEALTH_PATH)
    health = http_health(topology.WEB_HTTPS_PORT, HEALTH_PATH, tls=True)
    # The authority may take its time, and one that is asked again and again refuses.
    return health if settings.tls.acme is None else dataclasses.replace(health, deadline=180)


def content_security_policy(settings: Settings) -> str:
    """What browsers hold the page to, whatever a link or a script in it says: whom it talks to, who shows it in a frame.

    The page asks its own host alone, and other sites for pictures only where these may embed it. What is not named here,
    such as scripts, stays free. A STUN server is no connection in this sense: browsers have no policy for those.
    """
    url = settings.public_url
    socket = url.origin.replace("https://", "wss://", 1)
    pictures = " ".join(("'self'", "data:", "blob:", *(settings.embedded_by or ())))
    directives = [f"connect-src 'self' {socket} data: blob:", f"img-src {pictures}"]
    if settings.embedded_by is not None:
        directives.append(" ".join(("frame-ancestors 'self'", *settings.embedded_by)))
    return "; ".join(directives)


def _hsts(settings: Settings) -> bool:
    """Whether browsers shall remember for two years to take https alone: where a public name has its certificate here.

    Not with one that they refuse, since they then offer no way on; nor behind a proxy, which decides for its names.
    """
    tls = settings.tls
    trusted = tls.mode == "own" or (tls.acme is not None and tls.acme.trusted)
    return trusted and settings.public_url.is_public_name


def _environment(settings: Settings) -> dict[str, Value]:
    acme = settings.tls.acme
    environment: dict[str, Value] = {
        "PUBLIC_URL": settings.public_url.origin,
        "ENABLE_AUTH": flag(settings.enable_auth),
        "ENABLE_GUESTS": flag(settings.enable_guests),
        "ENABLE_BREAKOUT_ROOMS": flag(settings.enable_breakout_rooms),
        # Tenants: prosody's modules let nobody into their rooms.
        "ENABLE_SUBDOMAINS": "0",
        "ENABLE_PREJOIN_PAGE": flag(settings.enable_prejoin_page),
        "ENABLE_CLOSE_PAGE": flag(settings.enable_close_page),
        "ENABLE_HTTP_REDIRECT": flag(settings.redirects_http),
        "ENABLE_LETSENCRYPT": flag(acme is not None),
        "CSP_HEADER": content_security_policy(settings),
        "ENABLE_HSTS": flag(_hsts(settings)),
        "DISABLE_HTTPS": flag(settings.tls.by_proxy),
        "ENABLE_XMPP_WEBSOCKET": "1",
        "XMPP_DOMAIN": topology.XMPP_DOMAIN,
        "XMPP_MUC_DOMAIN": topology.XMPP_MUC_DOMAIN,
        "XMPP_GUEST_DOMAIN": topology.XMPP_GUEST_DOMAIN,
        "XMPP_HIDDEN_DOMAIN": topology.XMPP_HIDDEN_DOMAIN,
        "XMPP_BOSH_URL_BASE": topology.XMPP_BOSH_URL_BASE,
        # Docker's own resolver. It lets nginx cache an answer for ten minutes, and prosody may have another address by then.
        "NGINX_RESOLVER": "127.0.0.11 valid=5s",
        "TZ": settings.time_zone,
    }
    if acme is not None:
        environment["LETSENCRYPT_DOMAIN"] = settings.public_url.host
        environment["LETSENCRYPT_EMAIL"] = acme.email or ""
        environment["LETSENCRYPT_USE_STAGING"] = flag(acme.staging)
        # Unless told, the image's acme.sh (3.0.7) asks ZeroSSL.
        environment["LETSENCRYPT_ACME_SERVER"] = acme.directory
    if settings.branding is not None and settings.branding.dynamic:
        environment["DYNAMIC_BRANDING_URL"] = f"{settings.public_url.origin}/{branding.DYNAMIC}"
    if settings.language is not None:
        environment["DEFAULT_LANGUAGE"] = settings.language
    if settings.stun_servers:
        environment["P2P_STUN_SERVERS"] = ",".join(settings.stun_servers)
    return environment


def _files(settings: Settings) -> tuple[FileSpec, ...]:
    config = custom_config(settings)
    files: list[FileSpec] = []
    if settings.branding is not None:
        config += settings.branding.config_js
        files += [FileSpec(path=_path(name), content=content) for name, content in settings.branding.files.items()]
    if settings.tls.certificate_uploaded:
        files.append(FileSpec(path=topology.WEB_CERTIFICATE, content=SecretRef("tls_certificate")))
        files.append(FileSpec(path=topology.WEB_PRIVATE_KEY, content=SecretRef("tls_private_key")))
    return (
        FileSpec(path=topology.WEB_CUSTOM_CONFIG, content=config),
        FileSpec(path=f"{topology.WEB_NGINX_CUSTOM}/health.conf", content=HEALTH_CONF),
        *files,
    )


def _path(name: str) -> str:
    """Where a file of the branding directory goes: over the front end, but for what is appended to the image's own."""
    return topology.WEB_CUSTOM_INTERFACE_CONFIG if name == branding.INTERFACE_CONFIG else f"{topology.WEB_ROOT}/{name}"


def custom_config(settings: Settings) -> str:
    """Additions to config.js: no third party unless the operator names one."""
    lines = [
        "// Written by videobackend.",
        "config.disableThirdPartyRequests = true;",
    ]
    if not settings.stun_servers:
        lines += [
            "// Without this, peer-to-peer calls ask a STUN server of the Jitsi project.",
            "config.p2p = config.p2p || {};",
            "config.p2p.stunServers = [];",
        ]
    return "\n".join(lines) + "\n"
