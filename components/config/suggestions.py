"""The name that a misspelt one was meant to be: only where it is near, since a wrong guess costs more than none.

Owns what near means. Does not own which names there are.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

_SHORT = 6
"""Letters up to which one mistake is the most."""


def nearest(name: str, known: Mapping[str, str] | Iterable[str]) -> str | None:
    """What `name` was meant to be; None where nothing is near, or more than one thing is.

    Near is a name of the same letters, one that differs in one letter (of longer names in two), or one that has all
    the words of `name` and more: `jwtSecret` for jwtAppSecret. Names in capitals are variables of the Jitsi images,
    which have more of them than this program has keys: their words alone prove nothing.

    Args:
        name: what was written.
        known: the names there are, or by each spelling the name that it stands for.
    """
    answers = dict(known) if isinstance(known, Mapping) else {one: one for one in known}
    letters, alphabet = _letters(name)
    limit = 1 if len(letters) <= _SHORT else 2
    distances: dict[str, int] = {}
    for one in answers:
        others, their_alphabet = _letters(one)
        # One mistake makes a name longer or shorter by one letter at most, and its set of letters other by two.
        if abs(len(letters) - len(others)) <= limit and (alphabet ^ their_alphabet).bit_count() <= 2 * limit:
            distances[one] = _distance(letters, others)
    best = min(distances.values(), default=limit + 1)
    if best <= limit:
        return _only({answers[one] for one, distance in distances.items() if distance == best})
    words = set(_words(name))
    if name.isupper() or not letters or (len(words) == 1 and len(letters) < 4):
        return None
    return _only({answers[one] for one in answers if words < set(_words(one))})


def _only(found: set[str]) -> str | None:
    return found.pop() if len(found) == 1 else None


@functools.lru_cache(maxsize=4096)
def _letters(name: str) -> tuple[str, int]:
    """The name in small letters and digits alone, and the set of them as bits."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    return letters, sum(1 << ord(letter) for letter in set(letters))


def _words(name: str) -> list[str]:
    """`jwtAppSecret`, `JWT_APP_SECRET` and `jwt-app-secret` → jwt, app, secret."""
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())


def _distance(one: str, other: str) -> int:
    """Letters that are inserted, removed, changed or swapped with a neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]
