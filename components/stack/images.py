"""Image references, pinned. The Jitsi release is a setting (`jitsiRelease`), its default the pin."""

from __future__ import annotations

from typing import Final

from components.stack import topology

COTURN: Final = "coturn/coturn:4.17.0-r0"  # renovate: datasource=docker depName=coturn/coturn
RABBITMQ: Final = "rabbitmq:4.3.2-management"  # renovate: datasource=docker depName=rabbitmq


OTHERS: Final = {topology.COTURN: COTURN, topology.RABBITMQ: RABBITMQ}
"""By role: of the services that are not Jitsi's."""


def jitsi(role: str, registry: str, release: str) -> str:
    """The image of one Jitsi service, such as `ghcr.io/jitsi/web:stable-11146-2`."""
    return f"{registry}/{role}:{release}"
