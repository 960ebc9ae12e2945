"""Which secrets a stack needs, by name: those that it hands out, generated or the operator's own, and those passed on to it.

Owns their names and lengths. How a value is generated is the resources' business (`resources.credentials`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from components.config.secret import Secret
from components.config.settings import Settings

PASSWORDS: Final = (
    "jicofo_component_secret",
    "jicofo_auth_password",
    "jvb_auth_password",
    "jigasi_xmpp_password",
    "jibri_recorder_password",
    "jibri_xmpp_password",
)
"""32 hexadecimal digits (128 bits) each, as `openssl rand -hex 16` gives."""
JWT_SECRET: Final = "jwt_app_secret"
"""64 hexadecimal digits: 256 bits."""
TURN_SECRET: Final = "turn_secret"
RABBIT_PASSWORD: Final = "rabbit_password"
VIDEO_SERVICE_PASSWORD: Final = "video_service_password"


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A secret that the stack hands out: the operator's own, or generated with `length` hexadecimal digits."""

    name: str
    length: int
    own: Secret | None


def credentials(settings: Settings) -> tuple[Credential, ...]:
    """Those that the stack hands out."""
    lengths = {**dict.fromkeys(PASSWORDS, 32), JWT_SECRET: 64}
    if settings.turn is not None:
        lengths[TURN_SECRET] = 32
    if settings.embedded_broker:
        lengths[RABBIT_PASSWORD] = 32
    return tuple(Credential(name=name, length=length, own=getattr(settings, name)) for name, length in lengths.items())


def passed_on(settings: Settings) -> dict[str, Secret]:
    """Secrets of services elsewhere and of `environment`, which the stack needs and nobody else is handed."""
    broker = settings.statistics.broker if settings.statistics is not None else None
    video_service = settings.video_service
    return (
        {one.key: one.value for one in settings.environment if isinstance(one.value, Secret)}
        | ({RABBIT_PASSWORD: broker.password} if broker is not None else {})
        | ({VIDEO_SERVICE_PASSWORD: video_service.password} if video_service is not None else {})
    )
