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


def _heap_fits(settings: Settings) -> Iterator[Problem]:
    """Java's heap lies within the container's memory: the kernel kills what grows beyond."""
    for one in settings.environment:
        key = _HEAPS.get(one.name)
        if key is None or not isinstance(one.value, str):
            continue
        memory = settings.jvb_memory if key == "jvbMemory" else settings.jicofo_memory
        most = memory - _BESIDE_HEAP
        size = re.fullmatch(r"([1-9][0-9]{0,6})([mg])", one.value.lower())
        if size is None:
            yield Problem(one.key, None, "a size with its unit, such as 2g or 1536m", f"{most}m", path=True)
        elif int(size[1]) * (1024 if size[2] == "g" else 1) > most:
            reason = f"a heap of {one.value} does not fit into the container: {key} is {memory}m"
            yield Problem(one.key, None, f"at most {most}m, or a larger {key}", f"{most}m", path=True, reason=reason)


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


_HEAPS: Final = {"VIDEOBRIDGE_MAX_MEMORY": "jvbMemory", "JICOFO_MAX_MEMORY": "jicofoMemory"}
_BESIDE_HEAP: Final = 256
"""MiB, the least that Java's own threads and code need."""

RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (_names, _brandings_own, _heap_fits)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (_unknown_to_the_table,)
