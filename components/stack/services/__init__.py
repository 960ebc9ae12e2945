"""The services of the stack: Settings in, ContainerSpec out; no resource is made here."""

from __future__ import annotations

from components.config.settings import Settings
from components.stack.services import coturn, jicofo, jvb, prosody, rabbitmq, web
from components.stack.spec import ContainerSpec


def specs(settings: Settings) -> tuple[ContainerSpec, ...]:
    """Every service, each after the ones it waits for."""
    jitsi = (web.spec(settings), prosody.spec(settings), jvb.spec(settings), jicofo.spec(settings))
    optional = (
        (rabbitmq, settings.embedded_broker),
        (coturn, settings.turn is not None and settings.turn.relay is not None),
    )
    return (*jitsi, *(service.spec(settings) for service, wanted in optional if wanted))
