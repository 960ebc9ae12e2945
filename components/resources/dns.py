"""DnsRecords component: the host of publicUrl at Cloudflare.

Owns the A and AAAA records and the look-up of their zone. The one importer of pulumi_cloudflare, which is large
and slow to load: import this module only where DNS is on. Records are never proxied, since a proxy passes HTTP
only and media is UDP.
"""

from __future__ import annotations

import pulumi
import pulumi_cloudflare as cloudflare

from components.config.settings import Settings


class DnsRecords(pulumi.ComponentResource):
    """One record for each public address of dockerHostAddress."""

    records: list[str]
    """What the records say, such as `video.example.org A 203.0.113.10`."""

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("videobackend:index:DnsRecords", name, None, opts)
        host = settings.public_url.host
        zone_id = self._zone_id(settings)
        self.records = []
        for address in dict.fromkeys(one.ip for one in settings.addresses if not one.is_private):
            kind = "A" if address.version == 4 else "AAAA"
            cloudflare.DnsRecord(
                f"{name}-{kind.lower()}-{str(address).replace('.', '-').replace(':', '-')}",
                zone_id=zone_id,
                name=host,
                type=kind,
                content=str(address),
                ttl=settings.dns_ttl,
                proxied=False,
                comment=f"videobackend, stack {settings.stack}: managed by Pulumi",
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.records.append(f"{host} {kind} {address}")
        self.register_outputs({})

    def _zone_id(self, settings: Settings) -> pulumi.Input[str]:
        if settings.dns_zone_id is not None:
            return settings.dns_zone_id
        zone = cloudflare.get_zone_output(
            filter=cloudflare.GetZoneFilterArgs(match="all", name=settings.dns_zone),
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        return zone.id
