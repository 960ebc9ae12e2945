"""How the name of publicUrl comes to lead to the Docker host: DNS records, or a line for /etc/hosts."""

from __future__ import annotations

from dataclasses import dataclass

from components.config.settings import Settings


@dataclass(frozen=True, kw_only=True)
class DnsRecord:
    """An address record. `type` is A or AAAA, `ttl` seconds or 1 for automatic."""

    host: str
    type: str
    address: str
    ttl: int

    def __str__(self) -> str:
        return f"{self.host} {self.type} {self.address}"


@dataclass(frozen=True, kw_only=True)
class Dns:
    """The records, and the zone that they belong to: its id, or the name to look it up by."""

    zone: str
    zone_id: str | None
    comment: str
    """Of each record."""
    records: tuple[DnsRecord, ...]


def dns(settings: Settings) -> Dns | None:
    """One record for each public address of dockerHostAddress."""
    if settings.dns_zone is None:
        return None
    addresses = dict.fromkeys(one.ip for one in settings.advertised_addresses if not one.is_private)
    records = (
        DnsRecord(
            host=settings.public_url.host,
            type="A" if address.version == 4 else "AAAA",
            address=str(address),
            ttl=settings.dns_ttl,
        )
        for address in addresses
    )
    return Dns(
        zone=settings.dns_zone,
        zone_id=settings.dns_zone_id,
        comment=_comment(settings.stack),
        records=tuple(records),
    )


def _comment(stack: str) -> str:
    """At most 100 characters, Cloudflare's limit on most plans."""
    text = f"videobackend, stack {stack}: managed by Pulumi"
    return text if len(text) <= 100 else "videobackend: managed by Pulumi"


def hosts_entry(settings: Settings) -> str | None:
    """The line for /etc/hosts that makes a local name resolve; None for another name."""
    if not settings.public_url.is_in_hosts_file:
        return None
    address = settings.advertised_addresses[0].ip if settings.advertised_addresses else "127.0.0.1"
    return f"{address} {settings.public_url.host}"
