"""What arguments that people wrote say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tools.loose import is_empty, loosely_equal, says

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_value_says_what_it_says(value: Any) -> None:
    """Whatever it is, it equals itself."""
    assert loosely_equal(value, value)


@pytest.mark.parametrize(
    ("actual", "expected", "same"),
    [
        ("Boxing Day", "boxing-day", True),
        (" Brute Force!", "brute-force", True),
        ("boxing", "Boxing Day", False),
        (24, "24", True),
        (24.0, 24, True),
        (24, 25, False),
        ("987654321", "987654322", False),
        ("1.50", 1.5, True),
        ("x²", "x", False),
        ("-3", 3, False),
        (True, "true", True),
        (True, 1, False),
        (["b", "A"], ["a", "B"], True),
        (["a", "a"], ["a"], False),
        ("gbp, USD", ["USD", "GBP"], True),
        ("EUR/GBP", "EUR/USD", False),
        ("abcd1234", "ABCD1234", False),
        ("10.0.0.2", "10.0.02", False),
        ("a@example.com", "b@example.com", False),
        ({"url": "x"}, {"picture": "x", "note": ""}, True),
        ({"url": "x"}, {"url": "y"}, False),
        ("?", "!", False),
    ],
)
def test_equality(actual: Any, expected: Any, same: bool) -> None:
    """Words and numbers count; spelling, order in lists and the names of fields do not; identifiers count exactly."""
    assert loosely_equal(actual, expected) is same


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("three facts about habitats", 3, True),
        ("three facts about habitats", "habitat", True),
        ("three facts about habitats", "habit", False),
        ("which one did I see", 1, False),
        ("verses 35 to 39", 37, True),
        ("verses 35 to 39", 40, False),
        ("John 3:16", 16, True),
        ("the city of New York, please", "new york", True),
        ("york is new", "new york", False),
        ("USD to JPY and EUR", "EUR,USD", True),
        ("malware only", ["malware", "phishing"], False),
        ("set it to a", {"x": "a"}, True),
        ("yes", True, False),
        ("", "", False),
    ],
)
def test_naming(text: str, value: Any, said: bool) -> None:
    """A text names a value by its words, all in one place."""
    assert says(text, value) is said


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_empty_values_say_nothing(value: Any) -> None:
    """Zero and False are something."""
    assert is_empty(value) and not is_empty(0) and not is_empty(False)
