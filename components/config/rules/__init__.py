"""Rules between keys: what must hold for a configuration as a whole, and what is accepted but probably not meant.

One module for each topic. A rule is a function in its module's RULES (Settings in, problems out) or WARNINGS (Settings
in, sentences out, each with the key and what to do). A rule reads what it needs: where its own check rejected a value,
a rule that comes to it ends there. So a rule is small, and what it can say without a value it says before it. The check
of a single value is `checks`' business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from components.config.problems import Problem
from components.config.rejected import RejectedValueUsed
from components.config.rules import access, dns, environment, look, network, statistics, tls, turn, video_service
from components.config.settings import Settings

TOPICS: Final = (network, turn, access, tls, statistics, video_service, dns, look, environment)


def problems(settings: Settings) -> list[Problem]:
    """What contradicts itself in settings, of which some may be REJECTED."""
    return [problem for topic in TOPICS for rule in topic.RULES for problem in _until_rejected(rule, settings)]


def warnings(settings: Settings) -> list[str]:
    """What is accepted but probably not meant: a sentence each, with the key and what to do."""
    return [text for topic in TOPICS for warning in topic.WARNINGS for text in warning(settings)]


def _until_rejected(rule: Callable[[Settings], Iterator[Problem]], settings: Settings) -> Iterator[Problem]:
    try:
        yield from rule(settings)
    except RejectedValueUsed:
        return
