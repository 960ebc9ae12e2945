"""The variables of docker-jitsi-meet: which of them the images read, and what became of the others.

Facts of its `docker-compose.yml`, `env.example` and the files beside them up to the release of the table, as names alone.
What the images read stands in image_variables.toml, which `ops.image_variables` writes. Variables that are a key of this program
are known by `components.config.environment`, which says what may be set.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

SERVICES: Final = ("web", "prosody", "jicofo", "jvb")
"""Those with an image of Jitsi's."""
TABLE: Final = Path(__file__).with_suffix(".toml")


def _by_name(names: Mapping[str, str]) -> dict[str, str]:
    return {name: said for said, listed in names.items() for name in listed.split()}


DEAD: Final = _by_name(
    {
        "stable-4101-1": "GOOGLE_APPLICATION_CREDENTIALS",
        "stable-5142": "P2P_USE_STUN_TURN USE_STUN_TURN",
        "stable-5142-1": "CONFIG_BOSH_HOST ENABLE_WEBSOCKETS",
        "stable-5765": "BRIDGE_CHANNEL",
        "stable-6726": "JVB_ENABLE_APIS",
        "stable-7001": "JVB_TCP_HARVESTER_DISABLED JVB_TCP_MAPPED_PORT JVB_TCP_PORT",
        "stable-7210": "XMPP_CROSS_DOMAIN",
        "stable-7287-1": "ENABLE_FLOC JICOFO_RESERVATION_ENABLED JICOFO_RESERVATION_REST_BASE_URL",
        "stable-7439": "JIBRI_FFMPEG_AUDIO_DEVICE JIBRI_FFMPEG_AUDIO_SOURCE JIBRI_LOGS_DIR",
        "stable-7577": "ENABLE_FILE_RECORDING_SERVICE ENABLE_FILE_RECORDING_SERVICE_SHARING",
        "stable-7830": "JVB_OCTO_BIND_PORT JVB_OCTO_PUBLIC_ADDRESS",
        "stable-8044": "JICOFO_SHORT_ID",
        "stable-8138": "ENABLE_MULTI_STREAM",
        "stable-8218": "JICOFO_AUTH_USER",
        "stable-8252": "WHITEBOARD_COLLAB_SERVER_BASE_URL",
        "stable-9220": """
        CALLSTATS_CUSTOM_SCRIPT_URL CALLSTATS_ID CALLSTATS_SECRET CONFIG_EXTERNAL_CONNECT ENABLE_LIPSYNC
        START_BITRATE TESTING_CAP_SCREENSHARE_BITRATE TESTING_OCTO_PROBABILITY
        VIDEOQUALITY_ENFORCE_PREFERRED_CODEC
        """,
        "stable-9584": "WHITEBOARD_ENABLED",
        "stable-9909": "TESTING_AV1_SUPPORT",
        "stable-10008": "DEPLOYMENTINFO_USERREGION",
        "stable-10073-1": "JIBRI_RECORDING_VIDEO_ENCODE_PRESET",
        "stable-11146": """
        COLIBRI_WEBSOCKET_JVB_LOOKUP_NAME COLIBRI_WEBSOCKET_PORT COLIBRI_WEBSOCKET_REGEX
        DISABLE_COLIBRI_WEBSOCKET_JVB_LOOKUP ENABLE_COLIBRI_WEBSOCKET ENABLE_COLIBRI_WEBSOCKET_UNSAFE_REGEX
        ENABLE_OCTO_SCTP ENABLE_SCTP JVB_WS_DOMAIN JVB_WS_SERVER_ID JVB_WS_TLS
        """,
    }
)
"""The first release of docker-jitsi-meet that no longer has it."""

FIXED: Final = _by_name(
    {
        "names and ports between the containers are fixed, since nothing outside sees them": """
        JIBRI_BREWERY_MUC JIBRI_RECORDER_USER JIBRI_SIP_BREWERY_MUC JIBRI_XMPP_USER JICOFO_REST_PORT
        JIGASI_BREWERY_MUC JIGASI_TRANSCRIBER_USER JIGASI_XMPP_USER JVB_AUTH_USER JVB_BREWERY_MUC
        JVB_COLIBRI_PORT PROSODY_HTTP_PORT XMPP_AUTH_DOMAIN XMPP_BOSH_URL_BASE XMPP_DOMAIN XMPP_GUEST_DOMAIN
        XMPP_HIDDEN_DOMAIN XMPP_INTERNAL_MUC_DOMAIN XMPP_MUC_DOMAIN XMPP_PORT XMPP_RECORDER_DOMAIN XMPP_SERVER
        """,
        "one Prosody serves people and bridge alike": """
        ENABLE_JVB_XMPP_SERVER JVB_XMPP_AUTH_DOMAIN JVB_XMPP_INTERNAL_MUC_DOMAIN JVB_XMPP_INTERNAL_MUC_MODULES
        JVB_XMPP_PORT JVB_XMPP_SERVER PROSODY_MODE
        """,
        "fixed, so that nobody gets in without a token (0, token, token_verification)": "JWT_ALLOW_EMPTY JWT_AUTH_TYPE JWT_TOKEN_AUTH_MODULE",
        "follows from enableAuth and authType": "JICOFO_AUTH_TYPE JICOFO_ENABLE_AUTH PROSODY_AUTH_TYPE",
        "the token says who moderates; jicofo promotes nobody beside it": "ENABLE_AUTO_OWNER ENABLE_MODERATOR_CHECKS",
        "always on": "ENABLE_XMPP_WEBSOCKET JICOFO_ENABLE_HEALTH_CHECKS",
        "always off: a room of a tenant has another name than its token": "ENABLE_SUBDOMAINS",
        "made of publicUrl and embeddedBy": "CSP_HEADER",
        "follows from tls: on with a trusted certificate of a public name": "ENABLE_HSTS",
        "follows from publicUrl: on at port 443": "ENABLE_HTTP_REDIRECT",
        "Docker's own resolver, so that a new prosody is found": "NGINX_RESOLVER",
        "fixed: udp,tcp": "TURN_TRANSPORT",
        "the program's own Prosody modules are loaded there": "GLOBAL_MODULES",
    }
)
"""Why the program decides it."""

ABSENT: Final = _by_name(
    {
        "a Jibri": """
        JIBRI_PENDING_TIMEOUT JIBRI_REQUEST_RETRIES CHROMIUM_FLAGS DISPLAY ENABLE_STATS_D IGNORE_CERTIFICATE_ERRORS JIBRI_CHROMEDRIVER_DEBUG
        JIBRI_CHROMEDRIVER_DEBUG_LOG JIBRI_ENABLE_PROMETHEUS JIBRI_FINALIZE_RECORDING_SCRIPT_PATH
        JIBRI_HTTP_API_EXTERNAL_PORT JIBRI_HTTP_API_INTERNAL_PORT JIBRI_INSTANCE_ID
        JIBRI_RECORDING_CONSTANT_RATE_FACTOR JIBRI_RECORDING_DIR JIBRI_RECORDING_FRAMERATE
        JIBRI_RECORDING_QUEUE_SIZE JIBRI_RECORDING_RESOLUTION JIBRI_RECORDING_STREAMING_MAX_BITRATE
        JIBRI_RECORDING_VIDEO_ENCODE_PRESET_RECORDING JIBRI_RECORDING_VIDEO_ENCODE_PRESET_STREAMING
        JIBRI_STATSD_HOST JIBRI_STATSD_PORT JIBRI_STRIP_DOMAIN_JID JIBRI_USAGE_TIMEOUT JIBRI_WEBHOOK_SUBSCRIBERS
        JIBRI_XORG_HORIZ_SYNC JIBRI_XORG_VERT_REFRESH XMPP_TRUST_ALL_CERTS
        """,
        "a Jigasi or transcriber": """
        JIGASI_SIP_URI JIGASI_TRANSCRIBER_PASSWORD BOSH_URL_PATTERN GC_CLIENT_CERT_URL GC_CLIENT_EMAIL GC_CLIENT_ID GC_PRIVATE_KEY GC_PRIVATE_KEY_ID
        GC_PROJECT_ID JIGASI_CONFIGURATION JIGASI_DISABLE_SIP JIGASI_ENABLE_REST JIGASI_ENABLE_SDES_SRTP
        JIGASI_HEALTH_CHECK_INTERVAL JIGASI_HEALTH_CHECK_SIP_URI JIGASI_JVB_TIMEOUT JIGASI_LOCAL_REGION
        JIGASI_LOG_FILE JIGASI_MODE JIGASI_PORT_MAX JIGASI_PORT_MIN JIGASI_SENTRY_DSN JIGASI_SIP_DEFAULT_ROOM
        JIGASI_SIP_KEEP_ALIVE_METHOD JIGASI_SIP_PASSWORD JIGASI_SIP_PORT JIGASI_SIP_SERVER JIGASI_SIP_TRANSPORT
        JIGASI_STATS_ID JIGASI_TRANSCRIBER_ADVERTISE_URL JIGASI_TRANSCRIBER_CUSTOM_SERVICE
        JIGASI_TRANSCRIBER_CUSTOM_TRANSLATION_SERVICE JIGASI_TRANSCRIBER_ENABLE_SAVING
        JIGASI_TRANSCRIBER_ENABLE_TRANSLATION JIGASI_TRANSCRIBER_FILTER_SILENCE
        JIGASI_TRANSCRIBER_LIBRETRANSLATE_URL JIGASI_TRANSCRIBER_OCI_COMPARTMENT JIGASI_TRANSCRIBER_OCI_REGION
        JIGASI_TRANSCRIBER_RECORD_AUDIO JIGASI_TRANSCRIBER_REMOTE_CONFIG_URL
        JIGASI_TRANSCRIBER_REMOTE_CONFIG_URL_AUD JIGASI_TRANSCRIBER_REMOTE_CONFIG_URL_KEY_ID
        JIGASI_TRANSCRIBER_REMOTE_CONFIG_URL_KEY_PATH JIGASI_TRANSCRIBER_SEND_TXT JIGASI_TRANSCRIBER_VOSK_URL
        JIGASI_TRANSCRIBER_WHISPER_PRIVATE_KEY JIGASI_TRANSCRIBER_WHISPER_PRIVATE_KEY_NAME
        JIGASI_TRANSCRIBER_WHISPER_URL JIGASI_TRUSTED_DOMAINS JIGASI_VISITORS_QUEUE_SERVICE_PRIVATE_KEY_ID
        JIGASI_VISITORS_QUEUE_SERVICE_PRIVATE_KEY_PATH JIGASI_VISITORS_QUEUE_SERVICE_URL
        USE_TRANSLATOR_IN_CONFERENCE
        """,
        "an Etherpad": """
        DEFAULT_PAD_TEXT ETHERPAD_DEFAULT_PAD_TEXT ETHERPAD_SKIN_NAME ETHERPAD_SKIN_VARIANTS ETHERPAD_TITLE
        SKIN_NAME SKIN_VARIANTS SUPPRESS_ERRORS_IN_PAD_TEXT TITLE
        """,
        "a Grafana": "GF_ANALYTICS_REPORTING_ENABLED",
    }
)
"""Of which container it is, that no stack has."""

_UNREAD: Final = """
        CODEC_ORDER_P2P CODEC_ORDER_P2P_MOBILE ENABLE_S2S ENABLE_STATS_ID JICOFO_SENTRY_DSN
        JVB_SENTRY_DSN SENTRY_ENVIRONMENT SENTRY_RELEASE
    """
UNREAD: Final = frozenset(_UNREAD.split())
"""What the compose file hands over and nothing in the images reads."""

STARTED: Final = _by_name(
    {
        "the container's own start sets it": "HOSTNAME JVB_VERSION LOCAL_ADDRESS",
        "jicofo finds the bridge by XMPP": "JVB_DISABLE_XMPP",
        "it counts with AUTH_TYPE ldap alone, which is not offered": """
        LDAP_AUTH_METHOD LDAP_BASE LDAP_BINDDN LDAP_BINDPW LDAP_FILTER LDAP_START_TLS LDAP_TLS_CACERT_DIR
        LDAP_TLS_CACERT_FILE LDAP_TLS_CHECK_PEER LDAP_TLS_CIPHERS LDAP_URL LDAP_USE_TLS LDAP_VERSION
        """,
    }
)
"""What an image reads, and setting it could only break."""

_SECRET: Final = re.compile(r"SECRET|PASSW|TOKEN|_KEY$|BINDPW|DSN|CREDENTIAL")
_NO_SECRET: Final = frozenset(
    ("JWT_TOKEN_AUTH_MODULE", "PROSODY_LIMIT_MESSAGES_CHECK_TOKEN", "ROOM_PASSWORD_DIGITS", "TOKEN_AUTH_URL")
)


def is_secret(name: str) -> bool:
    """Whether what the variable holds is a secret, by its name."""
    return _SECRET.search(name) is not None and name not in _NO_SECRET


@cache
def _table() -> Mapping[str, str]:
    found: Mapping[str, str] = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return found


def release() -> str:
    """The release that the table is of."""
    return _table()["release"]


@cache
def read_by(service: str) -> frozenset[str]:
    """The names that a service's image reads."""
    return frozenset(_table()[service].split())
