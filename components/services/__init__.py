"""The services of the stack: Settings in, ContainerSpec out; no resource is made here."""

from __future__ import annotations

from components.services import jicofo, jvb, prosody, rabbitmq, web
from components.settings import Settings
from components.spec import ContainerSpec


def specs(settings: Settings) -> tuple[ContainerSpec, ...]:
    """Every service, each after the ones it waits for."""
    jitsi = (web.spec(settings), prosody.spec(settings), jvb.spec(settings), jicofo.spec(settings))
    return (*jitsi, rabbitmq.spec(settings)) if settings.embedded_broker else jitsi
