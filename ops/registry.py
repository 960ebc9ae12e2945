"""A registry's answer to which manifest a tag stands for (OCI Distribution Specification, "Pulling manifests").

Owns the protocol: token authentication as Docker Hub has it, and that a digest is that of the bytes that came. Knows no
pins (`pin`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlencode, urlsplit

from policies.rules import canonical

_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a manifest, as the specification has it."""
_SECONDS: Final = 30
_HUB: Final = "docker.io"
_HUB_API: Final = "registry-1.docker.io"
_HUB_LOGIN: Final = "https://index.docker.io/v1/"


class Unavailable(Exception):
    """Why the digest cannot be had, in a few words."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A manifest is where it was asked for; a redirect would take the token elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_NoRedirect)


def digest_of(image: str, logins: Mapping[str, str]) -> str:
    """The digest of the manifest, or list of manifests, that the image's tag stands for now: `sha256:...`.

    Args:
        image: name and tag.
        logins: base64 of USER:PASSWORD by registry, as Docker keeps them (`docker_logins`).

    Raises:
        Unavailable: the registry does not answer, has no such image, or answers something else.
    """
    name, tag, _ = canonical(image)
    registry, _, repository = name.partition("/")
    host = _HUB_API if registry == _HUB else registry
    url = f"{'http' if _is_loopback(host) else 'https'}://{host}/v2/{repository}/manifests/{tag}"
    login = logins.get(_HUB_LOGIN if registry == _HUB else registry, "")
    headers = {"Accept": ", ".join(_TYPES)}
    try:
        try:
            body, said = _get(url, headers)
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
            challenge = error.headers.get("WWW-Authenticate", "")
            body, said = _get(url, {**headers, "Authorization": _authorization(challenge, repository, login)})
    except urllib.error.HTTPError as error:
        raise Unavailable(f"{registry} answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"{registry}: {getattr(error, 'reason', error)}") from None
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if said and said != digest:
        raise Unavailable(f"{registry} says {said}, and what it sent is {digest}")
    return digest


def _get(url: str, headers: Mapping[str, str]) -> tuple[bytes, str]:
    """A manifest, and its digest as the registry says."""
    with _OPENER.open(urllib.request.Request(url, headers=dict(headers)), timeout=_SECONDS) as answer:  # noqa: S310
        body: bytes = answer.read(_LARGEST + 1)
        kind = answer.headers.get_content_type()
        said = answer.headers.get("Docker-Content-Digest", "")
    if len(body) > _LARGEST or kind not in _TYPES:
        _refuse(f"it sent no manifest but {kind}")
    return body, said


def _authorization(challenge: str, repository: str, login: str) -> str:
    """The header that answers the challenge: a token of the realm that it names, or the login itself."""
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() == "basic" and login:
        return f"Basic {login}"
    about = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    realm = urlsplit(about.get("realm", ""))
    if scheme.lower() != "bearer" or not (realm.scheme == "https" or _is_loopback(realm.netloc)):
        _refuse("it wants a log-in (docker login), or one that is not known here")
    query = urlencode({"service": about.get("service", ""), "scope": f"repository:{repository}:pull"})
    headers = {"Authorization": f"Basic {login}"} if login else {}
    request = urllib.request.Request(f"{realm.geturl()}?{query}", headers=headers)  # noqa: S310
    with _OPENER.open(request, timeout=_SECONDS) as answer:
        content = json.loads(answer.read(_LARGEST))
    token = (content.get("token") or content.get("access_token")) if isinstance(content, dict) else None
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
        _refuse("its authorization server sent no token")
    return f"Bearer {token}"


def _refuse(why: str) -> NoReturn:
    raise ValueError(why)


def _is_loopback(host: str) -> bool:
    """Where Docker, too, speaks plain HTTP."""
    name = host.rpartition(":")[0] or host
    return name in ("localhost", "[::1]") or name.startswith("127.")


def docker_logins(folder: Path) -> dict[str, str]:
    """What `docker login` stored in the clear in `folder`/config.json; that of a credential helper is not asked for."""
    try:
        stored = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("auths", {})
        return {name: one["auth"] for name, one in stored.items() if _is_login(one.get("auth"))}
    except (OSError, ValueError, AttributeError):
        return {}


def _is_login(text: Any) -> bool:
    try:
        return isinstance(text, str) and b":" in base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
