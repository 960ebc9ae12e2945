"""The one kind of error that operators see from `ops`."""

from __future__ import annotations


class OpsError(Exception):
    """A mistake or an obstacle that the operator can fix; its text is one line that says how."""
