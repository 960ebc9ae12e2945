"""What the VideoService needs to know: its lines of application.properties.

Owns their names and spelling. The VideoService signs the tokens that prosody checks, so secret, issuer and audience must
be the same on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from components.config.settings import Settings
from components.stack import topology
from components.stack.spec import SecretText

TOKEN_VALIDITY_HOURS: Final = 3
"""The VideoService's own default."""
DEFAULT_ISSUER: Final = "videoservice"
DEFAULT_AUDIENCE: Final = "videobackend"
"""What the VideoService calls itself and us where any name is accepted (`*`), which is no name."""
_JWT: Final = "video.call.security.jwt"


def properties(settings: Settings) -> SecretText:
    """The lines, ready to paste. Of several accepted issuers and audiences the VideoService is told the first."""
    url = {"video.call.server.url": settings.public_url.origin}
    if not settings.token_auth:
        return SecretText(made_from=(), render=lambda: java_properties(url))
    plain = url | {
        f"{_JWT}.audience": _first(settings.jwt_accepted_audiences, DEFAULT_AUDIENCE),
        f"{_JWT}.issuer": _first(settings.jwt_accepted_issuers, DEFAULT_ISSUER),
        f"{_JWT}.subject": topology.XMPP_DOMAIN,
        f"{_JWT}.validity.hours": str(TOKEN_VALIDITY_HOURS),
    }
    return SecretText(
        made_from=("jwt_app_secret",), render=lambda secret: java_properties(plain | {f"{_JWT}.secret": secret})
    )


def _first(accepted: Sequence[str], otherwise: str) -> str:
    return next((name for name in accepted if name != "*"), otherwise)


def java_properties(values: Mapping[str, str]) -> str:
    """Java properties (java.util.Properties): escapes for what is not printable ASCII; no value starts with a space."""
    return "".join(f"{name}={''.join(map(_java_char, value))}\n" for name, value in values.items())


def _java_char(char: str) -> str:
    if " " <= char <= "~":
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
