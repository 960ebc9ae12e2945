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

NETWORK: Final = "meet.jitsi"
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
XMPP_BOSH_URL_BASE: Final = f"http://{XMPP_SERVER}:{PROSODY_HTTP_PORT}"

WEB_STORAGE: Final = "/storage"
PROSODY_DATA: Final = "/var/lib/prosody"
PROSODY_CONF_D: Final = "/config/conf.d"
PROSODY_PLUGINS: Final = "/prosody-plugins-custom"
STATISTICS_FILE: Final = f"{PROSODY_CONF_D}/statistics.cfg.lua"
WEB_CUSTOM_CONFIG: Final = "/config/custom-config.js"

TMPFS: Final = {"/run": "size=16M,mode=1750,exec", "/tmp": "size=16M,mode=1777,noexec"}
"""What the images need writable besides their volumes."""
