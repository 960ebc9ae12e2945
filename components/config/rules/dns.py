"""The DNS records of publicUrl's host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from components.config.problems import Problem
from components.config.settings import Settings


def _zone_required(settings: Settings) -> Iterator[Problem]:
    if settings.dns_zone is None and settings.dns_zone_id is not None:
        parent = settings.public_url.host.partition(".")[2] if settings.public_url.is_public_name else ""
        example = parent if "." in parent else "ZONE"
        reason = "required because dnsZoneId is set"
        yield Problem("dnsZone", None, "the zone's name", example=example, reason=reason)


def _zone(settings: Settings) -> Iterator[Problem]:
    url, zone = settings.public_url, settings.dns_zone
    if zone is None or url.host == zone or url.host.endswith(f".{zone}"):
        return
    if not url.is_public_name:
        allowed = f"a URL whose host lies in dnsZone {zone}; {url.host} is no public name"
        label = "video" if url.address is not None else url.host.partition(".")[0]
        yield Problem("publicUrl", repr(url.origin), allowed, example=f"https://{label}.{zone}")
    else:
        parent = url.host.partition(".")[2]
        allowed = f"the zone that publicUrl's host {url.host} lies in"
        yield Problem("dnsZone", repr(zone), allowed, example=parent if "." in parent else url.host)


def _addresses(settings: Settings) -> Iterator[Problem]:
    if settings.dns_zone is not None and all(address.is_private for address in settings.advertised_addresses):
        yield Problem(
            "dockerHostAddress",
            ",".join(map(str, settings.advertised_addresses)) or None,
            "at least one public address because dnsZone is set: the DNS records point to it",
            example="ADDRESS",
        )


def _proxy_elsewhere(settings: Settings) -> Iterator[str]:
    by_proxy = settings.dns_zone is not None and settings.tls_mode == "proxy"
    if by_proxy and not all(address.is_loopback for address in settings.web_bind_addresses):
        yield (
            "dnsZone is set, tls is proxy and bindAddress is not loopback: the DNS records lead browsers to "
            "dockerHostAddress; where the proxy is on another machine, unset dnsZone and point the name to the proxy"
        )


RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (_zone_required, _zone, _addresses)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (_proxy_elsewhere,)
