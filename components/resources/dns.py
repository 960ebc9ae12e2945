"""DnsRecords component: the host of publicUrl at Cloudflare.

Owns the look-up of the zone and that records are never proxied, since a proxy passes HTTP only and media is UDP. Which
records there are the blueprint says. The one importer of pulumi_cloudflare, which is large
and slow to load: import this module only where DNS is on.
"""

from __future__ import annotations

import pulumi
import pulumi_cloudflare as cloudflare

from components.stack.dns import Dns


class DnsRecords(pulumi.ComponentResource):
    """The records of one zone."""

    def __init__(self, name: str, wanted: Dns, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("videobackend:index:DnsRecords", name, None, opts)
        zone_id = self._zone_id(wanted)
        for record in wanted.records:
            cloudflare.DnsRecord(
                f"{name}-{record.type.lower()}-{record.address.replace('.', '-').replace(':', '-')}",
                zone_id=zone_id,
                name=record.host,
                type=record.type,
                content=record.address,
                ttl=record.ttl,
                proxied=False,
                comment=wanted.comment,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})

    def _zone_id(self, wanted: Dns) -> pulumi.Input[str]:
        if wanted.zone_id is not None:
            return wanted.zone_id
        zone = cloudflare.get_zone_output(
            filter=cloudflare.GetZoneFilterArgs(match="all", name=wanted.zone),
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        return zone.id
