"""What a stack is, as plain values: the output `facts`, for whoever looks at a running stack (verify, status, review).

Owns its shape, which docs/verify.md describes. Holds no secret: those have outputs of their own, such as `turn` and
`credentials`. Nothing that runs is made from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from components.config import rules
from components.config.addresses import IpAddress
from components.config.settings import Settings
from components.stack import topology
from components.stack.services import web
from components.stack.spec import ContainerSpec

VERSION: Final = 1
"""Of the shape. A reader that meets another one says so instead of guessing."""


def facts(settings: Settings, specs: Iterable[ContainerSpec]) -> dict[str, Any]:
    """The facts as JSON has them: names in camelCase, numbers of ports and seconds as numbers, None where there is none.

    Args:
        settings: the stack's settings.
        specs: the containers that follow from them.
    """
    return {
        "version": VERSION,
        "stack": settings.stack,
        "tls": {
            "mode": settings.tls_mode,
            "acmeServer": web.acme_server(settings) if settings.tls_mode == "letsencrypt" else None,
        },
        "http": {
            "port": 80 if settings.public_url.port == 443 else settings.http_port,
            "redirects": web.redirects_http(settings),
        },
        "auth": _auth(settings),
        "rooms": {
            "modules": list(settings.muc_modules),
            "lobby": settings.enable_lobby,
            "breakoutRooms": settings.enable_breakout_rooms,
        },
        "domains": {
            "main": topology.XMPP_DOMAIN,
            "auth": topology.XMPP_AUTH_DOMAIN,
            "rooms": topology.XMPP_MUC_DOMAIN,
            "guests": topology.XMPP_GUEST_DOMAIN,
        },
        "media": {
            "port": settings.jvb_port,
            "addresses": [str(address) for address in settings.addresses],
            "stunServers": list(settings.stun_servers or ()),
        },
        "turn": _turn(settings),
        "statistics": {"broker": _broker(settings)},
        "timeouts": {"conference": settings.conference_timeout},
        "ports": _ports(settings),
        "images": {spec.role: spec.image for spec in specs},
    }


def _auth(settings: Settings) -> dict[str, Any]:
    """How users sign in; `token` where they do so with a JWT."""
    token = {
        "appId": settings.jwt_app_id,
        "issuers": list(settings.jwt_accepted_issuers),
        "audiences": list(settings.jwt_accepted_audiences),
        "subject": topology.XMPP_DOMAIN,
    }
    return {
        "required": settings.enable_auth,
        "guests": settings.enable_guests,
        "token": token if settings.token_auth else None,
    }


def _turn(settings: Settings) -> dict[str, Any] | None:
    if settings.turn is None:
        return None
    return {
        "server": settings.turn,
        "host": settings.turn_server,
        "port": settings.turn_port,
        "tlsPort": settings.turns_port if settings.turn_tls else None,
    }


def _broker(settings: Settings) -> str | None:
    """Where the events of ended calls go: to the stack's own broker, to one elsewhere, or nowhere (None)."""
    if not settings.enable_statistics:
        return None
    return "embedded" if settings.embedded_broker else "external"


def _ports(settings: Settings) -> list[dict[str, Any]]:
    """The ports that the stack holds on the Docker host, each a range from `first` to `last`.

    `network` is `bridge` where Docker publishes them, `host` where a container shares the host's network.
    """
    held: list[tuple[str, int, int, Iterable[str], Iterable[IpAddress]]] = []
    for key, number, _, protocols in rules.held_ports(settings):
        web_ports = key in ("httpPort", "httpsPort")
        held.append(
            (key, number, number, protocols, settings.web_bind_address if web_ports else settings.jvb_bind_address)
        )
    if settings.turn == "embedded":
        held.append(("turnRelayPorts", *settings.turn_relay_ports, ("udp",), (settings.relay_address,)))
    return [
        {
            "key": key,
            "first": first,
            "last": last,
            "protocols": list(protocols),
            "addresses": [str(address) for address in addresses],
            "network": "host" if key.startswith("turn") else "bridge",
        }
        for key, first, last, protocols, addresses in held
    ]
