"""The VideoService that is told of a call's end, and the Keycloak user for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from components.config.problems import Problem
from components.config.rules.statistics import crosses_readable, is_prosodys_own
from components.config.settings import Settings

_TOLD: Final = "required because videoServiceUrl is set"


def _required(settings: Settings) -> Iterator[Problem]:
    if settings.video_service_url is None:
        return
    if settings.keycloak_url is None:
        yield Problem("keycloakUrl", None, "the Keycloak's URL, up to /realms", example="https://HOST", reason=_TOLD)
    if settings.keycloak_client_id is None:
        allowed = "a client of that realm with direct access grants"
        yield Problem("keycloakClientId", None, allowed, reason=_TOLD)
    if settings.video_service_username is None:
        allowed = "a user of that realm with the role jitsi-technical"
        yield Problem("videoServiceUsername", None, allowed, reason=_TOLD)
    if settings.video_service_password is None:
        allowed = "the password of videoServiceUsername"
        yield Problem("videoServicePassword", None, allowed, secret=True, reason=_TOLD)


def _keycloak_in_private(settings: Settings) -> Iterator[Problem]:
    if settings.video_service_url is not None:
        yield from _in_private("keycloakUrl", settings.keycloak_url, "the password of videoServiceUsername")


def _video_service_in_private(settings: Settings) -> Iterator[Problem]:
    yield from _in_private("videoServiceUrl", settings.video_service_url, "the token of videoServiceUsername")


def _in_private(key: str, url: str | None, what: str) -> Iterator[Problem]:
    if url is not None and crosses_readable(url):
        yield Problem(
            key,
            url,
            "https, or http to a private address or a local name",
            example=url.replace("http:", "https:", 1),
            reason=f"by http {what} would cross the network readable",
        )


def _own(settings: Settings) -> Iterator[str]:
    for key, url in (("videoServiceUrl", settings.video_service_url), ("keycloakUrl", settings.keycloak_url)):
        if url is not None and is_prosodys_own(url):
            yield f"{key} points to prosody's own container (localhost): give the address as that container sees it"


def _unused(settings: Settings) -> Iterator[str]:
    if settings.video_service_url is not None:
        return
    own = {
        "keycloakUrl": settings.keycloak_url,
        "keycloakClientId": settings.keycloak_client_id,
        "videoServiceUsername": settings.video_service_username,
        "videoServicePassword": settings.video_service_password,
    }
    keys = [key for key, value in own.items() if value is not None]
    if keys:
        yield f"videoServiceUrl is unset, so the VideoService is not told of a call's end, whatever {', '.join(keys)} says"


RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (
    _required,
    _keycloak_in_private,
    _video_service_in_private,
)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (_own, _unused)
