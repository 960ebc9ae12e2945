"""The helper of large tables fails, and says where."""

from __future__ import annotations

import pytest

from tests.tables import each


def test_every_row_is_checked_and_each_one_that_does_not_hold_is_named() -> None:
    seen: list[int] = []

    def check(number: int) -> None:
        seen.append(number)
        if number == 3:
            pytest.fail("odd")
        assert number != 2

    with pytest.raises(pytest.fail.Exception, match=r"(?s)2 of 4 rows:.*\n2\n.*\n3\n.*odd"):
        each([(1,), (2,), (3,), (4,)], check)
    assert seen == [1, 2, 3, 4]


def test_an_empty_table_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="empty"):
        each([], lambda: None)
