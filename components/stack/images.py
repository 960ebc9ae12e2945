"""Image references, pinned. The Jitsi release is a setting (`jitsiRelease`), its default the pin."""

from __future__ import annotations

from typing import Final

from components.config.settings import Settings

COTURN: Final = "coturn/coturn:4.17.0-r0"  # renovate: datasource=docker depName=coturn/coturn
RABBITMQ: Final = "rabbitmq:4.3.2-management"  # renovate: datasource=docker depName=rabbitmq


def jitsi(settings: Settings, role: str) -> str:
    """The image of one Jitsi service, such as `ghcr.io/jitsi/web:stable-11146-2`."""
    return f"{settings.image_registry}/{role}:{settings.jitsi_release}"
