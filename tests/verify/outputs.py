"""Outputs of a stack as the program gives them, for tests that ask no engine."""

from __future__ import annotations

from typing import Any, Final

from components.stack.statistics_file import render_statistics_lua
from tests.prosody.configuration import AUDIENCE, DOMAIN, ISSUER, SECRET

HOST: Final = "video.verify.test"


def outputs(port: int = 8443, host: str = HOST, **changes: Any) -> dict[str, Any]:
    """The outputs of a healthy stack; `changes` by output name, None to leave one out."""
    found: dict[str, Any] = {
        "publicUrl": f"https://{host}:{port}",
        "hostsEntry": f"127.0.0.1 {host}",
        "settings": {
            "web": {"ENABLE_HTTP_REDIRECT": "0", "PUBLIC_URL": f"https://{host}:{port}"},
            "prosody": {
                "ENABLE_AUTH": "1",
                "AUTH_TYPE": "jwt",
                "XMPP_DOMAIN": DOMAIN,
                "XMPP_MUC_DOMAIN": f"muc.{DOMAIN}",
                "XMPP_MUC_MODULES": "token_moderation,close_room,create_room",
                "JWT_APP_ID": "videobackend",
                "JWT_ACCEPTED_ISSUERS": f"{ISSUER},other",
                "JWT_ACCEPTED_AUDIENCES": AUDIENCE,
            },
            "jicofo": {},
            "jvb": {"JVB_PORT": "10000", "JVB_ADVERTISE_IPS": "127.0.0.1"},
        },
        "containers": {role: f"videobackend-test-{role}" for role in ("web", "prosody", "jicofo", "jvb")},
        "statisticsConfig": render_statistics_lua(enabled=False, conference_timeout=20),
        "credentials": {"jwt_app_secret": SECRET, "jvb_auth_password": "a-password"},
    }
    return {name: value for name, value in (found | changes).items() if value is not None}
