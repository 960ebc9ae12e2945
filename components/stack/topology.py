"""Names, ports and paths inside the stack, each written once.

Owns what is fixed by the Jitsi images of the supported release (docker-jitsi-meet, stable-11146-2) and by
the XMPP domains they share. Does not own what an operator may change (`settings`).
"""

from __future__ import annotations

from typing import Final

WEB: Final = "web"
PROSODY: Final = "prosody"
JICOFO: Final = "jicofo"
JVB: Final = "jvb"
RABBITMQ: Final = "rabbitmq"
COTURN: Final = "coturn"

LABEL_STACK: Final = "videobackend.stack"
LABEL_ROLE: Final = "videobackend.role"
"""Labels of everything that a stack has on the Docker host."""

NETWORK: Final = "meet.jitsi"
STATISTICS_NETWORK: Final = "statistics"
"""The embedded broker's own: the front end proxies to names on meet.jitsi, so nothing else belongs there."""
XMPP_DOMAIN: Final = "meet.jitsi"
XMPP_AUTH_DOMAIN: Final = "auth.meet.jitsi"
XMPP_MUC_DOMAIN: Final = "muc.meet.jitsi"
XMPP_INTERNAL_MUC_DOMAIN: Final = "internal-muc.meet.jitsi"
XMPP_GUEST_DOMAIN: Final = "guest.meet.jitsi"
XMPP_HIDDEN_DOMAIN: Final = "hidden.meet.jitsi"
XMPP_SERVER: Final = "xmpp.meet.jitsi"
JVB_AUTH_USER: Final = "jvb"
JVB_BREWERY_MUC: Final = "jvbbrewery"
JIBRI_RECORDER_USER: Final = "recorder"
JIBRI_XMPP_USER: Final = "jibri"
JIGASI_XMPP_USER: Final = "jigasi"

WEB_HTTP_PORT: Final = 8000
WEB_HTTPS_PORT: Final = 8443
PROSODY_C2S_PORT: Final = 5222
PROSODY_HTTP_PORT: Final = 5280
JICOFO_REST_PORT: Final = 8888
JVB_REST_PORT: Final = 8080
RABBITMQ_MANAGEMENT_PORT: Final = 15672
XMPP_BOSH_URL_BASE: Final = f"http://{XMPP_SERVER}:{PROSODY_HTTP_PORT}"

WEB_STORAGE: Final = "/storage"
PROSODY_DATA: Final = "/var/lib/prosody"
PROSODY_CONF_D: Final = "/config/conf.d"
PROSODY_PLUGINS: Final = "/prosody-plugins-custom"
STATISTICS_FILE: Final = f"{PROSODY_CONF_D}/statistics.cfg.lua"
VIDEO_SERVICE_FILE: Final = f"{PROSODY_CONF_D}/videoservice.cfg.lua"
WEB_CUSTOM_CONFIG: Final = "/config/custom-config.js"
WEB_CUSTOM_INTERFACE_CONFIG: Final = "/config/custom-interface_config.js"
WEB_NGINX_CUSTOM: Final = "/config/nginx-custom"
"""Included in each of nginx's servers."""
WEB_CERTIFICATE: Final = "/config/keys/cert.crt"
WEB_PRIVATE_KEY: Final = "/config/keys/cert.key"
WEB_ROOT: Final = "/usr/share/jitsi-meet"
RABBITMQ_CONF: Final = "/etc/rabbitmq/conf.d/30-videobackend.conf"
RABBITMQ_DEFINITIONS: Final = "/etc/rabbitmq/videobackend-definitions.json"
RABBITMQ_DATA: Final = "/var/lib/rabbitmq"

STATISTICS_EXCHANGE: Final = "statistics.topic"
STATISTICS_ROUTING_KEY: Final = "STOP_VIDEO_CALL"
STATISTICS_QUEUE: Final = "statistics.STOP_VIDEO_CALL"
STATISTICS_USER: Final = "videobackend"
EMBEDDED_RABBIT_URL: Final = (
    f"http://{RABBITMQ}:{RABBITMQ_MANAGEMENT_PORT}/api/exchanges/%2F/{STATISTICS_EXCHANGE}/publish"
)

TMPFS: Final = {"/run": "size=16M,mode=0750,uid=1000,gid=1000,exec", "/tmp": "size=16M,mode=1777,noexec"}
"""What the images need writable besides their volumes. Their init (s6-overlay) wants /run to be its user's; where it is
root's, it takes a set-uid helper to change that, which no-new-privileges forbids."""


def physical_name(prefix: str, stack: str, role: str) -> str:
    """The name on the Docker host, such as `videobackend-dev-web`; it carries the stack, so that stacks can share a host."""
    return f"{prefix}-{stack}-{role}"
