"""What stands in `Settings` for a value that its own check rejected, while the rules look at the others.

A rule that uses such a value ends there: all that it could say would be a second message about one mistake.
So no rule has to list what it reads.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn


class RejectedValueUsed(Exception):
    """A rule needs a value that was rejected."""


class _Rejected:
    """Any use but `is` raises RejectedValueUsed; so it is set (not None), and nothing else is known of it."""

    def _used(self, *_: Any) -> NoReturn:
        raise RejectedValueUsed

    __getattr__ = __getitem__ = __call__ = _used
    __bool__ = __len__ = __iter__ = __contains__ = __hash__ = _used
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _used
    __str__ = __repr__ = __format__ = __int__ = __index__ = _used
    __add__ = __radd__ = __sub__ = __rsub__ = _used


REJECTED: Final[Any] = _Rejected()
