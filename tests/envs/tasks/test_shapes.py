"""Types that JSON loses and examples give back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tasks.shapes import Shape


@pytest.mark.parametrize(
    ("examples", "given_", "restored"),
    [
        ([[(1, 2)]], [[3, 4]], [(3, 4)]),
        ([[[(1, 2)], 3]], [[[5, 6], [7]], 8], [[(5, 6), (7,)], 8]),
        ([[{1, 2}]], [[3]], [{3}]),
        ([[[{1}, {2}]]], [[[1, 2], []]], [[{1, 2}, set()]]),
        ([[{"a": (1,)}]], [{"b": [2, 3]}], [{"b": (2, 3)}]),
        ([[{1: "x"}]], [{"7": "y"}], [{7: "y"}]),
        ([[0, 1j]], ["2", "(1+2j)"], [2, 1 + 2j]),
        ([[0]], ["0.5"], [0.5]),
        ([["1"]], ["2"], ["2"]),
        ([[1]], ["word"], ["word"]),
        ([[(1, (2, (3,)))]], [[1, [2, [3, [4, [5]]]]]], [(1, (2, (3, (4, (5,)))))]),
        ([[(1, 2)]], [[1, [2]]], [(1, [2])]),
        ([[[1]], [(1,)]], [[2]], [[2]]),
        ([[{1}]], [[[1], [2]]], [[[1], [2]]]),
        ([], [1, [2]], [1, [2]]),
        ([[1]], [1, [2]], [1, [2]]),
    ],
)
def test_examples_tell_the_types(examples: list[list[Any]], given_: list[Any], restored: list[Any]) -> None:
    """What stood at a place in the examples stands there again; what they do not show stays JSON."""
    assert Shape.of(examples).restore(given_) == restored
    assert repr(Shape.of(examples).restore(given_)) == repr(restored)


def as_json(value: Any) -> Any:
    return [as_json(item) for item in value] if isinstance(value, (list, tuple)) else value


items = st.lists(st.tuples(st.integers(), st.lists(st.text(max_size=2), max_size=2).map(tuple)), min_size=1, max_size=3)


@given(items)
def test_an_example_restores_itself(value: Any) -> None:
    """Learning from a value and restoring its JSON form gives the value."""
    assert Shape.of([[value]]).restore([as_json(value)]) == [value]
