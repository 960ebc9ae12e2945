"""Tokens (JWT, RFC 7519) as the VideoService mints them: HS256 and its claims.

Owns how a token is made. Does not read tokens: that is Prosody's part.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

from ops.errors import OpsError
from ops.verify.deployed import DeployedStack, Tokens


def claims(stack: DeployedStack, room: str, seconds: int, *, moderator: bool = False) -> dict[str, object]:
    """The claims of a token for one room.

    No `nbf` and no `iat`: Prosody checks times with no leeway, so a clock that is a second ahead would lock its
    holder out.

    Args:
        stack: whose issuer and audience to name; the first accepted of each, as the VideoService does.
        room: the one room it is good for.
        seconds: how long from now on.
        moderator: whether it opens and moderates the room.

    Raises:
        OpsError: where the stack takes no tokens.
    """
    tokens = accepted_by(stack)
    found: dict[str, object] = {
        "aud": tokens.audiences[0],
        "iss": tokens.issuers[0],
        "sub": tokens.subject,
        "room": room,
        "exp": int(time.time()) + seconds,
    }
    return found | {"moderator": True} if moderator else found


def accepted_by(stack: DeployedStack) -> Tokens:
    """The tokens that the stack accepts. Raises OpsError where it takes none."""
    if stack.tokens is None:
        raise OpsError("this stack takes no tokens: enableAuth is false, or authType is not jwt")
    return stack.tokens


def sign(content: Mapping[str, object], secret: str) -> str:
    """The token in its compact form."""
    signed = f"{_encode(_json({'alg': 'HS256', 'typ': 'JWT'}))}.{_encode(_json(content))}"
    return f"{signed}.{_encode(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def secret_of(stack: DeployedStack) -> str:
    """The stack's key. Raises OpsError where the outputs have none."""
    if stack.jwt_secret is None:
        raise OpsError("the output credentials has no jwt_app_secret: read the outputs with --show-secrets")
    return stack.jwt_secret


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
