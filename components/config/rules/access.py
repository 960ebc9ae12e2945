"""Who gets in, who moderates, and who may embed the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from components.config.problems import Problem
from components.config.settings import Settings

_TOKEN_MODULES: Final = ("token_moderation", "create_room")


def _without_tokens(settings: Settings) -> list[str]:
    """Modules of the rooms that need tokens, where there are none."""
    needing = [module for module in settings.muc_modules if module in _TOKEN_MODULES]
    return [] if settings.token_auth else needing


def _moderators(settings: Settings) -> Iterator[Problem]:
    needing = _without_tokens(settings)
    if needing:
        yield Problem(
            "xmppMucModules",
            ",".join(settings.muc_modules),
            f"{' and '.join(needing)} only with enableAuth true and authType jwt: without tokens nobody could be moderator",
            example="close_room",
        )


def _closing(settings: Settings) -> Iterator[Problem]:
    if _without_tokens(settings):
        return
    reason = _recorded_for(settings)
    if reason and "close_room" not in settings.muc_modules:
        yield Problem(
            "xmppMucModules",
            ",".join(settings.muc_modules),
            f"close_room among them because {reason}: nothing else records the end of a call",
            example=",".join((*settings.muc_modules, "close_room")),
        )


def _recorded_for(settings: Settings) -> str:
    """Why the end of a call has to be recorded; empty where nobody is told of it."""
    if settings.enable_statistics:
        return "enableStatistics is true"
    return "videoServiceUrl is set" if settings.video_service_url is not None else ""


def _never_closed(settings: Settings) -> Iterator[str]:
    if "close_room" not in settings.muc_modules and not _recorded_for(settings):
        yield (
            "xmppMucModules lacks close_room: rooms stay when the moderators have left, enableLobby and conferenceTimeout "
            "have no effect; add close_room"
        )


def _anybody(settings: Settings) -> Iterator[str]:
    if not settings.token_auth:
        return
    for key, names in (
        ("jwtAcceptedIssuers", settings.jwt_accepted_issuers),
        ("jwtAcceptedAudiences", settings.jwt_accepted_audiences),
    ):
        if "*" in names:
            yield f"{key} has *: any is accepted; name the ones that sign tokens for this video backend"


def _open(settings: Settings) -> Iterator[str]:
    if not settings.enable_auth:
        yield "enableAuth is false: anybody who knows publicUrl can open rooms"
        if settings.enable_guests:
            yield "enableGuests has no effect while enableAuth is false"
    elif settings.token_auth and not settings.token_moderation:
        yield "xmppMucModules lacks token_moderation: everybody with a token becomes moderator"
    if settings.token_auth and "create_room" not in settings.muc_modules:
        yield "xmppMucModules lacks create_room: participants can open rooms without a moderator"


def _embedding(settings: Settings) -> Iterator[str]:
    if settings.embedded_by is None and settings.public_url.is_public_name:
        yield (
            "embeddedBy is not set: any site may show the page in a frame of its own; "
            "set it to the origin of your frontend, or to self"
        )


def _debugging(settings: Settings) -> Iterator[str]:
    if settings.log_level == "debug":
        yield (
            "logLevel is debug: prosody's log then has who wrote to which room, with display names; that is for tests, so "
            "unset it before real people are in calls"
        )


RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (_moderators, _closing)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (
    _open,
    _never_closed,
    _anybody,
    _embedding,
    _debugging,
)
