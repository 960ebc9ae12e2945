"""Ports, and the addresses at which people reach them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from components.config.addresses import PublicUrl, is_loopback_name, parse_ip
from components.config.checks.text import meant
from components.config.keys import KEYS
from components.config.ports import HeldPort, held_ports, is_usable
from components.config.problems import Problem
from components.config.rejected import RejectedValueUsed
from components.config.settings import Settings
from components.config.tables.ports import ALLOWED_FOR_MEDIA, LOWEST_FOR_WEBRTC

_HTTPS: Final = 443
_HTTP_CHALLENGE: Final = 80
"""Where Let's Encrypt connects to."""


def _collisions(settings: Settings) -> Iterator[Problem]:
    """Of two that collide, the one that was set has to move: the other has its default, which the operator never chose.

    But that of HTTPS stays where publicUrl has it.
    """
    held = sorted(_known_ports(settings), key=lambda port: not _is_public(port, settings))
    kept: list[HeldPort] = []
    moved: list[tuple[HeldPort, HeldPort]] = []
    for port in held:
        others = [one for one in kept if _collide(one, port)]
        if not others:
            kept.append(port)
        elif _is_default(port) and not any(_is_default(one) or _is_public(one, settings) for one in others):
            kept = [*(one for one in kept if one not in others), port]
            moved += [(one, port) for one in others]
        else:
            moved.append((port, others[0]))
    for port, other in moved:
        free = _free(port, settings, held)
        held.append(free)
        if port.is_range:
            allowed = f"ports that no other service of the stack has; {_described(other)} lies among these"
        else:
            allowed = f"a port that no other service of the stack has; {_described(other)} has this one"
        yield Problem(port.key, repr(_spelled(port)), allowed, example=_spelled(free))


def _known_ports(settings: Settings) -> Iterator[HeldPort]:
    """The ports that are held whatever a rejected value will be."""
    with contextlib.suppress(RejectedValueUsed):
        yield from (port for port in held_ports(settings) if isinstance(port.first, int))


def _free(port: HeldPort, settings: Settings, taken: Sequence[HeldPort]) -> HeldPort:
    """The same at ports that the key takes and nobody has: its default, or the next ones."""
    length = port.last - port.first + 1
    needed: list[int] = []
    with contextlib.suppress(RejectedValueUsed):
        if port.key == "httpPort" and (settings.tls_mode == "letsencrypt" or settings.public_url.port == _HTTPS):
            needed = [_HTTP_CHALLENGE]
        elif port.key == "httpsPort":
            needed = [settings.public_url.port]
    starts = [*needed, int(KEYS[port.key].default.partition("-")[0]), *range(port.last + 1, 65537 - length)]
    for start in (*starts, *range(1024, port.first)):
        free = dataclasses.replace(port, first=start, last=start + length - 1)
        sound = meant(KEYS[port.key].check, [_spelled(free)]) and is_usable(port.key, start)
        if sound and not any(_collide(one, free) for one in taken):
            return free
    return port


def _is_public(port: HeldPort, settings: Settings) -> bool:
    """Whether it is the port that publicUrl has."""
    with contextlib.suppress(RejectedValueUsed):
        return port.key == "httpsPort" and port.first == settings.public_url.port
    return False


def _is_default(port: HeldPort) -> bool:
    return _spelled(port) == KEYS[port.key].default


def _spelled(port: HeldPort) -> str:
    return f"{port.first}-{port.last}" if port.is_range else str(port.first)


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
    public = url.is_public
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


def _discarded(settings: Settings) -> Iterator[str]:
    """Ports 80 and 443 at a private address are candidates that Chrome leaves out."""
    at_privileged = [
        str(one)
        for one in settings.advertised_addresses
        if one.is_private and (one.port or settings.jvb_port) in ALLOWED_FOR_MEDIA
    ]
    if at_privileged:
        ports = " and ".join(map(str, ALLOWED_FOR_MEDIA))
        yield (
            f"dockerHostAddress {','.join(at_privileged)} is private: there Chrome takes no media from ports {ports} (jvbPort "
            f"is {settings.jvb_port}), so who reaches the bridge by it alone has no audio and video; a port from "
            f"{LOWEST_FOR_WEBRTC} on works"
        )


def _bound(settings: Settings) -> Iterator[str]:
    if all(address.is_loopback for address in settings.jvb_bind_addresses):
        yield "jvbBindAddress is loopback: other machines get no audio and video from the bridge"
        return
    bound = {"jvbBindAddress": settings.jvb_bind_addresses}
    if not settings.tls.by_proxy:  # which has addresses of its own
        bound = {"bindAddress": settings.web_bind_addresses, **bound}
    for version, every in ((4, "0.0.0.0"), (6, "::")):
        advertised = [address.ip for address in settings.advertised_addresses if address.ip.version == version]
        for key, addresses in bound.items():
            if advertised and all(address.version != version for address in addresses):
                more = [every] if any(one.is_unspecified for one in addresses) else dict.fromkeys(map(str, advertised))
                both = ",".join([*map(str, addresses), *more] if version == 6 else [*more, *map(str, addresses)])
                yield (
                    f"dockerHostAddress has an IPv{version} address and {key} none: nothing answers there; "
                    f'set {key} to "{both}" (docs/operations.md, IPv6), or leave the IPv{version} address out'
                )


def _docker_in_clear(settings: Settings) -> Iterator[str]:
    url, options = settings.docker_url, settings.docker
    if not isinstance(url, str) or not url.startswith("tcp://") or options.get("context"):
        return
    host = url.removeprefix("tcp://").rpartition(":")[0].strip("[]").lower()
    address = parse_ip(host)
    local = is_loopback_name(host) if address is None else address.is_loopback
    if not local and not any(options.get(name) for name in ("cert_path", "ca_material", "cert_material")):
        yield (
            f"docker:host {url} has no TLS (docker:certPath, or docker:caMaterial, certMaterial and keyMaterial): passwords "
            f"cross the network readable, and who reaches that port is root there; ssh://USER@{host} needs no open port"
        )


RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (
    _collisions,
    _advertised_twice,
    _public_at_plain_http,
)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (
    _public_port,
    _advertised,
    _discarded,
    _bound,
    _docker_in_clear,
)
