"""What a stack is, as plain values: the output `facts`, for whoever looks at a running stack (verify, status, review).

Owns its shape, which docs/verify.md describes. Holds no secret: those have outputs of their own, such as `turn` and
`credentials`. Nothing that runs is made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from components.config.ports import HeldPort
from components.config.settings import Settings
from components.config.values import Turn, VideoService
from components.stack import topology
from components.stack.spec import ContainerSpec

VERSION: Final = 1
"""Of the shape. A reader that meets another one says so instead of guessing."""


def facts(settings: Settings, ports: Iterable[HeldPort], specs: Sequence[ContainerSpec]) -> dict[str, Any]:
    """The facts as JSON has them: names in camelCase, numbers of ports and seconds as numbers, None where there is none.

    Args:
        settings: the stack's settings.
        ports: the ports that it holds.
        specs: the containers that follow from them.
    """
    return {
        "version": VERSION,
        "stack": settings.stack,
        "tls": {
            "mode": settings.tls.mode,
            "acmeServer": settings.tls.acme.directory if settings.tls.acme else None,
        },
        "http": {
            "port": 80 if settings.public_url.port == 443 else settings.http_port,
            "redirects": settings.redirects_http,
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
            "addresses": [str(address) for address in settings.advertised_addresses],
            "stunServers": list(settings.stun_servers or ()),
        },
        "turn": _turn(settings.turn),
        "statistics": {"broker": _broker(settings)},
        "videoService": _video_service(settings.video_service),
        "timeouts": {"conference": settings.conference_timeout},
        "ports": _ports(ports),
        "images": {spec.role: spec.image for spec in specs},
        "memory": {spec.role: spec.memory for spec in specs},
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


def _turn(turn: Turn | None) -> dict[str, Any] | None:
    if turn is None:
        return None
    return {
        "server": turn.kind,
        "host": turn.host,
        "port": turn.port,
        "tlsPort": turn.tls_port,
    }


def _broker(settings: Settings) -> str | None:
    """Where the events of ended calls go: to the stack's own broker, to one elsewhere, or nowhere (None)."""
    return settings.statistics.kind if settings.statistics else None


def _video_service(service: VideoService | None) -> dict[str, Any] | None:
    """Who is told of a call's end, or None."""
    return None if service is None else {"url": service.url, "keycloak": service.keycloak_url}


def _ports(ports: Iterable[HeldPort]) -> list[dict[str, Any]]:
    """The ports that the stack holds on the Docker host, each a range from `first` to `last`.

    `network` is `bridge` where Docker publishes them, `host` where a container shares the host's network.
    """
    return [
        {
            "key": port.key,
            "first": port.first,
            "last": port.last,
            "protocols": list(port.protocols),
            "addresses": [str(address) for address in port.addresses],
            "network": port.network,
        }
        for port in ports
    ]
