"""Ports, and the addresses at which people reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from components.config.addresses import PublicUrl, is_private
from components.config.ports import HeldPort, held_ports
from components.config.problems import Problem
from components.config.settings import Settings


def _collisions(settings: Settings) -> Iterator[Problem]:
    earlier: list[HeldPort] = []
    for port in held_ports(settings):
        others = [one for one in earlier if _collide(one, port)]
        if others and port.is_range:
            allowed = f"ports that no other service of the stack has; {_described(others[0])} lies among these"
            yield Problem(port.key, f"{port.first}-{port.last}", allowed, example="49160-49209")
        elif others:
            allowed = f"a port that no other service of the stack has; {_described(others[0])} has this one"
            yield Problem(port.key, repr(str(port.first)), allowed)
        else:
            earlier.append(port)


def _collide(one: HeldPort, other: HeldPort) -> bool:
    """Whether two ports are the same, at whatever address."""
    return bool(set(one.protocols) & set(other.protocols)) and one.first <= other.last and other.first <= one.last


def _described(port: HeldPort) -> str:
    return f"{port.service}'s port for {port.purpose} ({port.key})"


def _advertised_twice(settings: Settings) -> Iterator[Problem]:
    seen: dict[tuple[str, int], str] = {}
    for address in settings.advertised_addresses:
        place = (str(address.ip), address.port or settings.jvb_port)
        if place in seen:
            given = ",".join(map(str, settings.advertised_addresses))
            allowed = (
                f"each address once; {seen[place]} and {address} are the same, since jvbPort is {settings.jvb_port}"
            )
            others = [str(one) for one in settings.advertised_addresses if one is not address]
            yield Problem("dockerHostAddress", given, allowed, example=",".join(others))
        seen[place] = str(address)


def _public_at_plain_http(settings: Settings) -> Iterator[Problem]:
    if settings.tls.by_proxy:
        return
    url, http, https = settings.public_url, settings.http_port, settings.https_port
    if url.port == http and http != https:
        example = PublicUrl(host=url.host, port=https).origin
        reason = f"web serves plain HTTP at port {http} (httpPort), where no https URL opens"
        yield Problem("publicUrl", repr(url.origin), f"the port of HTTPS, {https} (httpsPort)", example, reason=reason)


def _public_port(settings: Settings) -> Iterator[str]:
    if settings.tls.by_proxy:
        return
    public, http, https = settings.public_url.port, settings.http_port, settings.https_port
    if public != https:
        yield (
            f"publicUrl has port {public} and httpsPort is {https}: fine where a router or proxy "
            f"forwards the one to the other; otherwise set both to the same port"
        )
    if public == 443 and http != 80:
        yield (
            f"publicUrl has port 443 and httpPort is {http}: who types the name without https:// reaches "
            f"nothing, unless a router or proxy forwards port 80 to it; otherwise set httpPort to 80"
        )


def _advertised(settings: Settings) -> Iterator[str]:
    url, advertised = settings.public_url, settings.advertised_addresses
    public = url.is_public_name or (
        url.address is not None and not url.address.is_loopback and not is_private(url.address)
    )
    if not advertised:
        reach = "participants elsewhere" if public else "other machines"
        yield (
            f"dockerHostAddress is not set: {reach} get no audio and video from the bridge; "
            f"set it to {'the public address of the Docker host' if public else 'the address of the Docker host in your network'}"
        )
    elif public and all(address.is_private for address in advertised):
        yield (
            f"dockerHostAddress {','.join(map(str, advertised))} is private and publicUrl is public: participants outside "
            f"your network get no audio and video; add the address at which the internet reaches the Docker host"
        )


def _bound(settings: Settings) -> Iterator[str]:
    if all(address.is_loopback for address in settings.jvb_bind_addresses):
        yield "jvbBindAddress is loopback: other machines get no audio and video from the bridge"
    if not any(address.ip.version == 6 for address in settings.advertised_addresses):
        return
    for key, addresses in (
        ("bindAddress", settings.web_bind_addresses),
        ("jvbBindAddress", settings.jvb_bind_addresses),
    ):
        if all(address.version == 4 for address in addresses):
            yield (
                f"dockerHostAddress has an IPv6 address and {key} none: nothing answers there; "
                f'set {key} to "0.0.0.0,::" (docs/operations.md, IPv6), or leave the IPv6 address out'
            )


RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (
    _collisions,
    _advertised_twice,
    _public_at_plain_http,
)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (_public_port, _advertised, _bound)
