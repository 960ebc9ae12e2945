"""Large tables in one test: every row is checked, and one failure names each row that does not hold.

For tables of hundreds of rows, which as tests of their own would cost more than what they check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def each(rows: Iterable[tuple[Any, ...]], check: Callable[..., None]) -> None:
    """Calls `check` with each row; fails where there is no row at all, and with all rows at which `check` raises."""
    count, failed = 0, []
    for row in rows:
        count += 1
        try:
            check(*row)
        except (Exception, pytest.fail.Exception) as error:
            failed.append(f"{', '.join(map(repr, row))}\n    {type(error).__name__}: {error}")
    assert count, "the table is empty"
    if failed:
        pytest.fail("\n".join([f"{len(failed)} of {count} rows:", *failed]), pytrace=False)
