"""What the operator's own config.js does to what the program promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from components.config import branding
from components.config.problems import Problem
from components.config.settings import Settings


def _third_parties(settings: Settings) -> Iterator[str]:
    names = branding.third_parties(settings.branding.config_js) if settings.branding else []
    if names:
        yield (
            f"brandingDir: config.js has {', '.join(names)}, by which browsers may contact third parties: it is read last, so "
            f"it counts; take it out where that is not meant"
        )


def _own_addresses(settings: Settings) -> Iterator[str]:
    names = branding.own_addresses(settings.branding.config_js) if settings.branding else []
    if names:
        yield (
            f"brandingDir: config.js has {', '.join(names)}, which the image sets to this stack's addresses: calls connect to "
            f"what stands there; take it out"
        )


RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = ()
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (_third_parties, _own_addresses)
