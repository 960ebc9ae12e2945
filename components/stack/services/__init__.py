"""The services of the stack: Settings in, ContainerSpec out; no resource is made here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from components.config.settings import Settings
from components.config.values import Variable
from components.stack import topology
from components.stack.services import coturn, jicofo, jvb, prosody, rabbitmq, web
from components.stack.services.common import shared
from components.stack.spec import ContainerSpec, SecretRef, Value


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
    variables = settings.environment
    arguments = shared(settings)
    return tuple(_with_variables(spec(settings, arguments[role]), variables) for role, spec in services.items())


def _with_variables(spec: ContainerSpec, variables: Sequence[Variable]) -> ContainerSpec:
    """The service with the operator's own variables of its image, which come last."""
    own: dict[str, Value] = {
        one.name: one.value if isinstance(one.value, str) else SecretRef(one.key)
        for one in variables
        if one.service == spec.role
    }
    return dataclasses.replace(spec, environment={**spec.environment, **own}) if own else spec
