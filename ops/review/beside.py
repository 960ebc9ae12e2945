"""What a change touches that is no stack's own, and still decides what happens to all of them.

Owns which files those are. They are named whatever the stacks ask for: the project's file, the packages, the rules, what
checks and deploys, and the program, which an engine may run otherwise than a review does. Imports the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_KINDS: Final = (
    (r"Pulumi\.yaml", "the project", "it says where the state is and what runs the program"),
    (r"requirements.*|.*uv\.lock|.*pyproject\.toml", "the packages", "what is installed runs beside the secrets"),
    (r"policies/.*", "the rules", "what was refused may pass"),
    (
        r"\.github/.*|\.gitlab-ci\.yml|\.ci/.*|ops/.*|Makefile|renovate\.json",
        "what checks and deploys",
        "it guards this change too",
    ),
    (r"__main__\.py|components/.*|prosody/.*", "the program", "the engine may run it otherwise than this review did"),
)
_SHOWN: Final = 3


def named(paths: Iterable[str]) -> list[str]:
    """A line for each kind of file among the changed ones; none for documents, tests and stack files."""
    found: dict[int, list[str]] = {}
    for path in sorted(paths):
        for number, (pattern, *_) in enumerate(_KINDS):
            if re.fullmatch(pattern, path, re.DOTALL):
                found.setdefault(number, []).append(path)
                break
    return [f"{_KINDS[number][1]} ({_some(found[number])}): {_KINDS[number][2]}" for number in sorted(found)]


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}"
