"""The services of the stack: Settings in, ContainerSpec out; no resource is made here."""

from __future__ import annotations

from components.config.settings import Settings
from components.stack import topology
from components.stack.services import coturn, jicofo, jvb, prosody, rabbitmq, web
from components.stack.services.common import shared
from components.stack.spec import ContainerSpec


def specs(settings: Settings) -> tuple[ContainerSpec, ...]:
    """Every service, each after the ones it waits for."""
    services = {
        topology.WEB: web.spec,
        topology.PROSODY: prosody.spec,
        topology.JVB: jvb.spec,
        topology.JICOFO: jicofo.spec,
    }
    if settings.embedded_broker:
        services[topology.RABBITMQ] = rabbitmq.spec
    if settings.turn is not None and settings.turn.relay is not None:
        services[topology.COTURN] = coturn.spec
    arguments = shared(settings)
    return tuple(spec(settings, arguments[role]) for role, spec in services.items())
