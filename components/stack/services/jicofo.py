"""jicofo: the conference focus, which brings participants and bridges together."""

from __future__ import annotations

from components.config.settings import Settings
from components.stack import topology
from components.stack.services.common import Shared, flag, heap, http_health
from components.stack.spec import ContainerSpec, SecretRef, Value


def spec(settings: Settings, shared: Shared) -> ContainerSpec:
    """The jicofo container. It is healthy once it has signed in to prosody, sees a bridge, and browsers get an answer there."""
    return ContainerSpec(
        **shared,
        environment=_environment(settings, heap(shared)),
        health=http_health(
            topology.JICOFO_REST_PORT, "/about/health", needs=(f"{topology.XMPP_BOSH_URL_BASE}/http-bind",)
        ),
        aliases=(topology.JICOFO,),
        read_only=True,
        starts_after=(topology.PROSODY,),
        needs=(topology.JVB,),
        replaced_with=topology.PROSODY,
    )


def _environment(settings: Settings, max_memory: str) -> dict[str, Value]:
    moderation = settings.token_moderation
    return {
        "ENABLE_AUTH": flag(settings.enable_auth),
        "AUTH_TYPE": settings.auth_type,
        # With token moderation jicofo must promote nobody: neither the first to arrive (auto owner) nor, as its
        # authentication does, whoever has signed in. Prosody still lets in signed-in users only.
        "ENABLE_AUTO_OWNER": flag(not moderation),
        "JICOFO_ENABLE_AUTH": flag(settings.enable_auth and not moderation),
        "JICOFO_AUTH_PASSWORD": SecretRef("jicofo_auth_password"),
        "JICOFO_ENABLE_HEALTH_CHECKS": "1",
        "JICOFO_MAX_MEMORY": max_memory,
        "JVB_BREWERY_MUC": topology.JVB_BREWERY_MUC,
        "XMPP_SERVER": topology.XMPP_SERVER,
        "XMPP_PORT": str(topology.PROSODY_C2S_PORT),
        "XMPP_DOMAIN": topology.XMPP_DOMAIN,
        "XMPP_AUTH_DOMAIN": topology.XMPP_AUTH_DOMAIN,
        "XMPP_INTERNAL_MUC_DOMAIN": topology.XMPP_INTERNAL_MUC_DOMAIN,
        "XMPP_MUC_DOMAIN": topology.XMPP_MUC_DOMAIN,
        "XMPP_HIDDEN_DOMAIN": topology.XMPP_HIDDEN_DOMAIN,
        "TZ": settings.time_zone,
    }
