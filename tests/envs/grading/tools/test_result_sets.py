"""When two result sets are the same."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.tools.result_sets import same_result_set

Rows = list[list[Any]]


def result(rows: Rows, width: int | None = None, /, **more: Any) -> dict[str, Any]:
    width = len(rows[0]) if width is None else width
    return {"columns": [f"c{index}" for index in range(width)], "rows": rows, **more}


values = st.none() | st.integers(-9, 9) | st.floats(-9, 9).map(lambda x: round(x, 3)) | st.text(max_size=2)
tables = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(values, min_size=width, max_size=width), min_size=1))


@given(tables, st.randoms(use_true_random=False))
def test_rows_and_columns_may_be_shuffled(rows: Rows, rng: random.Random) -> None:
    """Where no order is asked for; each row keeps its own values."""
    columns = rng.sample(range(len(rows[0])), len(rows[0]))
    shuffled = [[row[column] for column in columns] for row in rng.sample(rows, len(rows))]
    assert same_result_set(result(shuffled), result(rows, ordered=False))


@given(tables, st.data())
def test_a_changed_value_is_seen(rows: Rows, data: st.DataObject) -> None:
    """One cell that is none of the values there makes another result."""
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(rows[0]) - 1))
    changed = [list(cells) for cells in rows]
    changed[row][column] = "new"
    assert not same_result_set(result(changed), result(rows))


@given(tables)
def test_how_often_a_row_comes_counts(rows: Rows) -> None:
    """A result is a bag, not a set."""
    assert not same_result_set(result([*rows, rows[0]]), result(rows))


@pytest.mark.parametrize(
    ("actual", "expected", "same"),
    [
        (1, 1.0, True),
        (0.1 + 0.2, 0.3, True),
        (0.3001, 0.3, False),
        (10**15, 10**15 + 1, False),
        (-0.0, 0, True),
        (1e300, 1e300, True),
        (None, 0, False),
        (None, "", False),
        (None, "None", False),
        ("1", 1, False),
        ("a", "A", False),
        ("a", "a ", False),
    ],
)
def test_values(actual: Any, expected: Any, same: bool) -> None:
    """Numbers by value, texts by letter, NULL by itself."""
    assert same_result_set(result([[actual]]), result([[expected]])) is same


@pytest.mark.parametrize(
    ("found", "ranks", "same"),
    [
        ([1, 2, 3], None, True),
        ([2, 1, 3], None, False),
        ([2, 1, 3], [0, 0, 1], True),
        ([1, 3, 2], [0, 0, 1], False),
        ([3, 2, 1], [0, 0, 0], True),
    ],
)
def test_order_counts_where_it_is_asked_for(found: list[int], ranks: list[int] | None, same: bool) -> None:
    """And rows of one rank may still swap."""
    more: dict[str, Any] = {} if ranks is None else {"ranks": ranks}
    expected = result([[1], [2], [3]], ordered=True, **more)
    assert same_result_set(result([[value] for value in found]), expected) is same


def test_any_of_those_that_tie_for_the_last_place_will_do() -> None:
    """But none twice, none else, and no more of them than are wanted."""
    expected = result([["a", 1], ["b", 2]], ordered=True, ranks=[0, 1], tied=[["c", 2], ["d", 2]])
    assert same_result_set(result([["a", 1], ["c", 2]]), expected)
    assert not same_result_set(result([["c", 2], ["a", 1]]), expected)
    assert not same_result_set(result([["a", 1], ["e", 2]]), expected)
    assert not same_result_set(result([["c", 2], ["d", 2]]), expected)
    assert not same_result_set(result([["a", 1], ["b", 2], ["c", 2]]), expected)


def test_columns_are_permuted_for_all_rows_alike() -> None:
    """Not row by row."""
    assert not same_result_set(result([[1, 2], [2, 1]]), result([[1, 2], [1, 2]]))
    assert not same_result_set(result([[1, 2], [4, 3]]), result([[1, 2], [3, 4]]))


def test_without_rows_the_number_of_columns_counts() -> None:
    """Which is all there is to tell."""
    assert same_result_set(result([], 2), result([], 2, ordered=True, ranks=[]))
    assert not same_result_set(result([], 1), result([], 2))


def test_columns_crafted_to_look_alike_cost_bounded_time() -> None:
    """A hundred columns of the same values in other orders end the search soon, and count as different."""
    rng = random.Random(0)
    columns = [rng.sample(range(2), 2) * 10 for _ in range(100)]
    rows = [list(row) for row in zip(*columns, strict=True)]
    other = [list(row) for row in zip(*[rng.sample(column, 20) for column in columns], strict=True)]
    assert same_result_set(result(rows), result(rows))
    assert not same_result_set(result(other), result(rows))
