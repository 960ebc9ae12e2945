"""Variables of the images: only names that they read and that nothing else here decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from components.config import branding
from components.config.environment import refusal
from components.config.problems import Problem
from components.config.settings import Settings
from components.config.tables.image_variables import release


def _names(settings: Settings) -> Iterator[Problem]:
    if not settings.environment:
        return
    newer = _is_newer(settings)
    for one in settings.environment:
        refused = refusal(one.service, one.name)
        if refused is not None and (refused.certain or not newer):
            yield Problem(one.key, None, reason=refused.reason, path=True, remove=True)


def _brandings_own(settings: Settings) -> Iterator[Problem]:
    """The one variable that is set for a file of brandingDir, and free without it."""
    for one in settings.environment:
        if one.name == "DYNAMIC_BRANDING_URL" and settings.branding is not None and settings.branding.dynamic:
            reason = f"brandingDir has a {branding.DYNAMIC}, which is what browsers are given"
            yield Problem(one.key, None, reason=reason, path=True, remove=True)


def _unknown_to_the_table(settings: Settings) -> Iterator[str]:
    if not settings.environment or not _is_newer(settings):
        return
    for one in settings.environment:
        refused = refusal(one.service, one.name)
        if refused is not None:
            yield (
                f"{one.key}: {refused.reason} in {release()}, the release whose names are known here; jitsiRelease is "
                f"{settings.jitsi_release}, and may read it"
            )


def _is_newer(settings: Settings) -> bool:
    """Whether the images are of a later release than the table of their names."""
    return _number(settings.jitsi_release) > _number(release())


def _number(tag: str) -> tuple[int, ...]:
    """`stable-NUMBER-NUMBER` as its two numbers."""
    return tuple(map(int, re.findall(r"[0-9]+", tag)))


RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (_names, _brandings_own)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (_unknown_to_the_table,)
