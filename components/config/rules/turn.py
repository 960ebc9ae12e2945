"""The TURN server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from components.config.addresses import PublicUrl
from components.config.problems import Problem
from components.config.settings import Settings

_REQUIRED: Final = "required because turn is external"


def _external(settings: Settings) -> Iterator[Problem]:
    if settings.turn_choice == "external":
        if settings.turn_host is None:
            yield Problem("turnHost", None, "the server's host", example="HOST", reason=_REQUIRED)
        if settings.turn_secret is None:
            yield Problem("turnSecret", None, "the secret that the server shares", secret=True, reason=_REQUIRED)
    elif settings.turn_host is not None:
        reason = "only with turn external; the embedded server is at publicUrl's host"
        yield Problem("turnHost", repr(settings.turn_host), "unset, or turn external", remove=True, reason=reason)


def _embedded_host(settings: Settings) -> Iterator[Problem]:
    if settings.turn_choice == "embedded" and ":" in settings.public_url.host:
        allowed = (
            "external or unset: clients look for the embedded server at publicUrl's host, and that is an IPv6 address"
        )
        yield Problem("turn", "'embedded'", allowed, remove=True)


def _embedded_relay(settings: Settings) -> Iterator[Problem]:
    if settings.turn_choice != "embedded":
        return
    if not any(address.ip.version == 4 for address in settings.advertised_addresses):
        allowed = "an IPv4 address because turn is embedded: where clients reach the relay"
        given = ",".join(map(str, settings.advertised_addresses)) or None
        yield Problem("dockerHostAddress", given, allowed, example="ADDRESS")


def _embedded_listener(settings: Settings) -> Iterator[Problem]:
    if settings.turn_choice != "embedded":
        return
    if not any(ip.version == 4 or ip.is_unspecified for ip in settings.jvb_bind_addresses):
        given = ",".join(map(str, settings.jvb_bind_addresses))
        allowed = "an IPv4 address too because turn is embedded: where TURN listens and relays"
        yield Problem("jvbBindAddress", given, allowed, example="0.0.0.0")


def _without_tls(settings: Settings) -> Iterator[str]:
    turn = settings.turn
    if turn is not None and turn.tls_port is None:
        yield (
            f"turn is embedded and tls is {settings.tls.mode}: TURN has no certificate then and speaks no TLS, so people whose "
            f"firewall lets nothing but TLS out are not reached; tls own or letsencrypt gives it one, turn external is another way"
        )


def _private_host(settings: Settings) -> Iterator[str]:
    if settings.turn_choice != "external" or settings.turn_host is None or not settings.public_url.is_public:
        return
    host = PublicUrl(host=settings.turn_host, port=443)
    if not host.is_public:
        yield (
            f"turnHost {settings.turn_host} is private and publicUrl is public: participants outside your network do not reach "
            f"it; set turnHost to the name or address at which the internet reaches the server"
        )


def _unused(settings: Settings) -> Iterator[str]:
    if settings.turn is None and settings.turn_secret is not None:
        yield "turnSecret has no effect while turn is unset"


RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (
    _external,
    _embedded_host,
    _embedded_relay,
    _embedded_listener,
)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (_unused, _without_tls, _private_host)
