"""prosody: the XMPP server, which signs users in and runs the rooms.

Owns its environment and the files that Prosody includes. The rules of the rooms live in prosody/plugins, the
texts of the files with settings in `statistics_file` and `video_service_file`.
"""

from __future__ import annotations

from components.config.settings import Settings
from components.stack import prosody_plugins, statistics_file, topology, video_service_file
from components.stack.services.common import Shared, flag, http_health
from components.stack.spec import ContainerSpec, FileSpec, SecretRef, Value, VolumeSpec


def spec(settings: Settings, shared: Shared) -> ContainerSpec:
    """The prosody container; its data volume keeps the XMPP accounts.

    jvb and jicofo start as soon as it runs, since they try again until it lets them in; jicofo's health says that it did.
    """
    return ContainerSpec(
        **shared,
        environment=_environment(settings),
        health=http_health(topology.PROSODY_HTTP_PORT, "/health"),
        networks=((topology.NETWORK, topology.STATISTICS_NETWORK) if settings.embedded_broker else (topology.NETWORK,)),
        awaited=False,
        aliases=(topology.PROSODY, topology.XMPP_SERVER),
        files=(
            FileSpec(
                path=topology.STATISTICS_FILE,
                content=statistics_file.content(settings.statistics, settings.conference_timeout),
            ),
            *video_service_file.files(settings.video_service),
            *prosody_plugins.files(video_service=settings.video_service is not None),
        ),
        volumes=(VolumeSpec(name="prosody-data", path=topology.PROSODY_DATA),),
    )


def _environment(settings: Settings) -> dict[str, Value]:
    environment: dict[str, Value] = {
        "PUBLIC_URL": settings.public_url.origin,
        "ENABLE_AUTH": flag(settings.enable_auth),
        "AUTH_TYPE": settings.auth_type,
        "ENABLE_GUESTS": flag(settings.enable_guests),
        "ENABLE_LOBBY": flag(settings.enable_lobby),
        "ENABLE_BREAKOUT_ROOMS": flag(settings.enable_breakout_rooms),
        "ENABLE_XMPP_WEBSOCKET": "1",
        "XMPP_DOMAIN": topology.XMPP_DOMAIN,
        "XMPP_AUTH_DOMAIN": topology.XMPP_AUTH_DOMAIN,
        "XMPP_MUC_DOMAIN": topology.XMPP_MUC_DOMAIN,
        "XMPP_INTERNAL_MUC_DOMAIN": topology.XMPP_INTERNAL_MUC_DOMAIN,
        "XMPP_GUEST_DOMAIN": topology.XMPP_GUEST_DOMAIN,
        "XMPP_HIDDEN_DOMAIN": topology.XMPP_HIDDEN_DOMAIN,
        "JICOFO_COMPONENT_SECRET": SecretRef("jicofo_component_secret"),
        "JICOFO_AUTH_PASSWORD": SecretRef("jicofo_auth_password"),
        "JVB_AUTH_USER": topology.JVB_AUTH_USER,
        "JVB_AUTH_PASSWORD": SecretRef("jvb_auth_password"),
        "JIGASI_XMPP_USER": topology.JIGASI_XMPP_USER,
        "JIGASI_XMPP_PASSWORD": SecretRef("jigasi_xmpp_password"),
        "JIBRI_RECORDER_USER": topology.JIBRI_RECORDER_USER,
        "JIBRI_RECORDER_PASSWORD": SecretRef("jibri_recorder_password"),
        "JIBRI_XMPP_USER": topology.JIBRI_XMPP_USER,
        "JIBRI_XMPP_PASSWORD": SecretRef("jibri_xmpp_password"),
        "ENABLE_SUBDOMAINS": "0",
        # The image leaves existing accounts alone: account_sync gives them the passwords above.
        "GLOBAL_MODULES": "log_masking,account_sync,conference_requests",
        "TZ": settings.time_zone,
    }
    # Each only where it is not the image's default, so that nobody's container is another for it.
    if not settings.enable_end_conference:
        environment["ENABLE_END_CONFERENCE"] = flag(False)
    if settings.max_participants is not None:
        environment["MAX_PARTICIPANTS"] = str(settings.max_participants)
    if settings.log_level != "info":
        environment["LOG_LEVEL"] = settings.log_level
    if settings.muc_modules:
        environment["XMPP_MUC_MODULES"] = ",".join(settings.muc_modules)
    if settings.turn is not None:
        environment |= {
            "TURN_CREDENTIALS": SecretRef("turn_secret"),
            "TURN_HOST": settings.turn.host,
            "TURN_PORT": str(settings.turn.port),
            "TURN_TRANSPORT": "udp,tcp",
        }
        if settings.turn.tls_port is not None:
            environment |= {"TURNS_HOST": settings.turn.host, "TURNS_PORT": str(settings.turn.tls_port)}
    if settings.token_auth:
        environment |= {
            "JWT_APP_ID": settings.jwt_app_id,
            "JWT_APP_SECRET": SecretRef("jwt_app_secret"),
            "JWT_ACCEPTED_ISSUERS": ",".join(settings.jwt_accepted_issuers),
            "JWT_ACCEPTED_AUDIENCES": ",".join(settings.jwt_accepted_audiences),
            "JWT_ALLOW_EMPTY": "0",
            "JWT_AUTH_TYPE": "token",
            "JWT_TOKEN_AUTH_MODULE": "token_verification",
        }
    return environment
