"""Equality of JSON values, of rows and of calls."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.tools.compare import argument_share, same_calls, same_value
from bai.envs.tools.base import ToolCall
from bai.envs.tools.rows import sorted_rows

CELLS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3)
ROWS = st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=6))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (0, None, False),
        ("1", 1, False),
        (0.1 + 0.2, 0.3, True),
        (10**15, 10**15 + 1, False),
        (1.0, 1.1, False),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ([], {}, False),
        ("", None, False),
    ],
)
def test_values(one: Any, other: Any, same: bool) -> None:
    """Numbers by value, everything else by kind too; both ways round."""
    assert same_value(one, other) is same and same_value(other, one) is same


@given(rows=ROWS, seed=st.integers(0, 99))
def test_rows_are_put_in_one_order(rows: list[list[Any]], seed: int) -> None:
    """Shuffled rows come out alike, so that tables can be compared as bags."""
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert same_value(sorted_rows(shuffled), sorted_rows(rows))


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


def test_calls() -> None:
    """They are a bag of names with arguments."""
    assert same_calls([call("f", x=1), call("g")], [call("g"), call("f", x=1.0)])
    assert not same_calls([call("f", x=1)], [call("f", x=1), call("f", x=1)])
    assert not same_calls([call("f", x=1)], [call("f", x=1, y=2)])
    assert not same_calls([call("f")], [call("g")])


@pytest.mark.parametrize(
    ("made", "share"),
    [
        ([call("f", x=1, y=2), call("g", z=3)], 1.0),
        ([call("g", z=3), call("f", y=2, x=1)], 1.0),
        ([call("f", x=1, y=0), call("g", z=3)], 2 / 3),
        ([call("f", x=0, y=0), call("f", x=1, y=2)], 2 / 3),
        ([call("h", x=1, y=2, z=3)], 0.0),
        ([], 0.0),
    ],
)
def test_shares_of_arguments(made: list[ToolCall], share: float) -> None:
    """Each wanted call takes the best that is left of its name."""
    assert argument_share(made, [call("f", x=1, y=2), call("g", z=3)]) == pytest.approx(share)
    assert argument_share(made, [call("f")]) is None


def test_numbers_beyond_floats() -> None:
    """A whole number that no float holds differs from every float, and is no error."""
    assert not same_value(10**400, 1.5)
    assert not same_value(1.5, -(10**400))
    assert same_value(10**400, 10**400)
