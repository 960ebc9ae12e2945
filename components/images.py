"""Image references. The release itself is a setting (`jitsiRelease`), its default the pin."""

from __future__ import annotations

from components.settings import Settings


def jitsi(settings: Settings, role: str) -> str:
    """The image of one Jitsi service, such as `ghcr.io/jitsi/web:stable-11146-2`."""
    return f"{settings.image_registry}/{role}:{settings.jitsi_release}"
