"""jvb: the video bridge, which forwards audio and video."""

from __future__ import annotations

from components.config.settings import Settings
from components.stack import topology
from components.stack.services.common import Shared, heap, http_health
from components.stack.spec import ContainerSpec, PortSpec, SecretRef, Value


def spec(settings: Settings, shared: Shared) -> ContainerSpec:
    """The jvb container; its media port is the same inside and outside, as the bridge advertises it."""
    return ContainerSpec(
        **shared,
        environment=_environment(settings, heap(shared)),
        health=http_health(topology.JVB_REST_PORT, "/about/health"),
        aliases=(topology.JVB,),
        ports=tuple(
            PortSpec(internal=settings.jvb_port, external=settings.jvb_port, protocol="udp", ip=str(ip))
            for ip in settings.jvb_bind_addresses
        ),
        read_only=True,
        starts_after=(topology.PROSODY,),
        replaced_with=topology.PROSODY,
    )


def _environment(settings: Settings, max_memory: str) -> dict[str, Value]:
    environment: dict[str, Value] = {
        "JVB_AUTH_USER": topology.JVB_AUTH_USER,
        "JVB_AUTH_PASSWORD": SecretRef("jvb_auth_password"),
        "JVB_BREWERY_MUC": topology.JVB_BREWERY_MUC,
        "JVB_PORT": str(settings.jvb_port),
        "XMPP_SERVER": topology.XMPP_SERVER,
        "XMPP_PORT": str(topology.PROSODY_C2S_PORT),
        "XMPP_AUTH_DOMAIN": topology.XMPP_AUTH_DOMAIN,
        "XMPP_INTERNAL_MUC_DOMAIN": topology.XMPP_INTERNAL_MUC_DOMAIN,
        "TZ": settings.time_zone,
        "VIDEOBRIDGE_MAX_MEMORY": max_memory,
    }
    if settings.advertised_addresses:
        environment["JVB_ADVERTISE_IPS"] = ",".join(map(str, settings.advertised_addresses))
    if settings.stun_servers:
        environment["JVB_STUN_SERVERS"] = ",".join(settings.stun_servers)
    else:
        # An empty server list would make the image ask a server of the Jitsi project.
        environment["JVB_DISABLE_STUN"] = "1"
    return environment
