"""Whether a value of the old installation may go on: no placeholder, no example the world knows, no weak secret.

Owns what these are. Whether a value suits its key at all is `components.config`'s business.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_PLACEHOLDER: Final = re.compile(
    r"<.*>,?|\{\{.*\}\}|tbd|todo|none|null|x{3,}|\*{3,}|\.{3}|change[-_ ]?(?:it|me|this)|replace[-_ ]?(?:it|me|this)"
    r"|(?:your|my)[-_].*|example|secret|password|passw0rd|placeholder|dummy|test|insert.*here",
    re.IGNORECASE,
)
_BRACKETS: Final = re.compile(r"<[^<>]*>,?|\{\{.*\}\}|tbd|todo", re.IGNORECASE)
_KNOWN_HASHES: Final = """
    0a3f9f753d49a983 0ac6eed27e935944 12f56b6a7513c1b1 1f9233a121057dce 30990299cc24c63d 368f44525fbc72cf
    394516c40299b376 3d2aca4236b3a0ee 3dc82d09e39092da 49d4843163a72a45 58d536ca7b33687a 5c1cac1db52468e3
    5e5908ba986628fa 70c5f591617f6f28 7331ff4b4ff93e85 8f0e2f76e22b43e2 9a88cc7807dafea3 9f3e0d58be1712e4
    b85dd3f4ddc86bad bb39ed3186722cde be73fb846f10e1ee cc8738c7582e5e2a d49b2304d57ddcac d63f4a0cdaab5272
    e80bd6ae2f80cb12
    """
_KNOWN: Final = frozenset(_KNOWN_HASHES.split())
"""First 16 hexadecimal digits of the SHA-256 of example secrets in public repositories: the platform's chart, the samples."""
_FEWEST: Final = 6
_LONGEST_PERIOD: Final = 8


def secret_fault(value: str) -> str:
    """Why a secret must not be used; empty where it may."""
    if hashlib.sha256(value.strip().encode(errors="replace")).hexdigest()[:16] in _KNOWN:
        return "the example of a public repository, which the world knows"
    if _PLACEHOLDER.fullmatch(value.strip()):
        return "a placeholder"
    if len(set(value)) < _FEWEST or any(_repeats(value, period) for period in range(1, _LONGEST_PERIOD + 1)):
        return "weak: a few characters, repeated"
    return ""


def placeholder(value: str) -> bool:
    """Whether a plain value stands for one that was never entered."""
    return (
        _BRACKETS.search(value.strip()) is not None if "<" in value else _BRACKETS.fullmatch(value.strip()) is not None
    )


def _repeats(value: str, period: int) -> bool:
    return len(value) > period and all(value[i] == value[i % period] for i in range(len(value)))
