"""What a check found: the one type that all of them return.

Owns the four statuses and their meaning. Does not own how they are shown (`report`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Status(enum.Enum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """Works, and needs a look."""
    SKIPPED = "skipped"
    """Could not be told; the result says why."""
    FAILED = "failed"
    """Callers are hit, or would get in where they must not. The only one that makes the exit code 1."""


@dataclass(frozen=True)
class Result:
    """One check's finding.

    Args:
        status: how it came out.
        detail: what it found, in one line.
        fix: what to do about it, in one line; empty where nothing is to be done.
    """

    status: Status
    detail: str
    fix: str = ""


def ok(detail: str) -> Result:
    """All is well."""
    return Result(Status.OK, detail)


def warning(detail: str, fix: str) -> Result:
    """It works, and needs a look."""
    return Result(Status.WARNING, detail, fix)


def skipped(detail: str, fix: str = "") -> Result:
    """It could not be told."""
    return Result(Status.SKIPPED, detail, fix)


def failed(detail: str, fix: str) -> Result:
    """Callers are hit, or somebody would get in who must not."""
    return Result(Status.FAILED, detail, fix)
