"""BFCL's rules, each by itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.tools.matching import WantedCall, allows, argument_share, fits, mismatch
from bai.envs.tools.base import ToolCall

STRING, INTEGER, FLOAT, BOOLEAN = ({"type": name} for name in ("string", "integer", "float", "boolean"))
STRINGS = {"type": "array", "items": STRING}
FLOATS = {"type": "array", "items": FLOAT}
OBJECTS = {"type": "array", "items": {"type": "dict"}}


def wanted(name: str = "book", **allowed: list[Any]) -> WantedCall:
    """A wanted call whose parameters are texts; those without ``""`` are required."""
    required = [key for key, values in allowed.items() if "" not in values]
    return WantedCall(name=name, allowed=allowed, properties=dict.fromkeys(allowed, STRING), required=required)


def call(name: str = "book", **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


@pytest.mark.parametrize(
    ("declared", "allowed", "right", "wrong"),
    [
        (STRING, ["April 1, 2024"], ["april 1 2024", "April 1,2024", "APRIL_1-2024"], ["April 2, 2024", "", 1, None]),
        (STRING, ["it's"], ['it"s'], ["its"]),
        (STRING, ["km", "kilometers", ""], ["KM", "kilometers", ""], ["miles"]),
        (INTEGER, [5], [5], [5.0, "5", True, 6, 10**400]),
        (INTEGER, [1], [1], [True]),
        (FLOAT, [5.0], [5, 5.0], [5.1, "5.0", True, 10**400]),
        (FLOAT, [5], [5, 5.0], [6]),
        (FLOAT, [None, 2.0], [None], ["", 0]),
        (BOOLEAN, [True], [True], [False, 1, "true"]),
        (STRING, [True], [True], ["true", "True", 1]),
        (STRINGS, [["New York", "Paris"]], [["new york", "PARIS"]], [["Paris", "New York"], ["Paris"], [], "Paris"]),
        (STRINGS, [["a"], ""], [["a"], []], [[""], ["b"], [["a"]]]),
        (FLOATS, [[1.0, 2.5]], [[1.0, 2.5]], [[1, 2.5], ["1.0", 2.5], [1.0]]),
        (FLOATS, [[1, 2]], [[1, 2], [1.0, 2.0]], [[True, 2]]),
        ({"type": "tuple", "items": INTEGER}, [[1, 2]], [[1, 2]], [[2, 1]]),
        ({"type": "array"}, [[1, "a"]], [[1, "A"]], [[1]]),
        ({"type": "any"}, ["x"], ["X"], [1, ["x"]]),
        (
            {"type": "dict"},
            [{"city": ["Rome", ""], "n": [1]}],
            [{"city": "rome", "n": 1}, {"n": 1}],
            [{"city": "Rome"}],
        ),
        ({"type": "dict"}, [{"n": [1]}], [{"n": 1}], [{"n": 1, "m": 2}, {}, {"n": "1"}, [1]]),
        ({"type": "dict"}, [{"n": [1]}, {"m": [2]}], [{"n": 1}, {"m": 2}], [{"n": 1, "m": 2}]),
        (OBJECTS, [[{"n": [1]}, {"n": [2]}]], [[{"n": 1}, {"n": 2}]], [[{"n": 2}, {"n": 1}], [{"n": 1}], [1, 2]]),
    ],
)
def test_a_value_is_right_by_its_type_and_by_the_allowed_values(
    declared: dict[str, Any], allowed: list[Any], right: list[Any], wrong: list[Any]
) -> None:
    """Types are exact but for whole numbers as floats; texts are compared loosely, everything else exactly."""
    assert all(allows(value, allowed, declared) for value in right)
    assert not any(allows(value, allowed, declared) for value in wrong)


def test_a_call_has_the_wanted_name_and_no_argument_too_many_or_too_few() -> None:
    """What may be left out may be left out, what is required is given, and nothing else is."""
    want = wanted(to=["Rome"], by=["train", ""])
    assert fits(call(to="Rome"), want)
    assert fits(call(to="Rome", by="train"), want)
    for bad in (call(), call(by="train"), call(to="Rome", by="bus"), call(to="Rome", at="9"), call("buy", to="Rome")):
        assert not fits(bad, want)


def test_an_argument_that_is_declared_and_not_in_the_answer_is_one_too_many() -> None:
    """BFCL's answers name every parameter that may be given."""
    want = WantedCall(name="book", allowed={"to": ["Rome"]}, properties={"to": STRING, "by": STRING}, required=["to"])
    assert not fits(call(to="Rome", by="train"), want)


def test_a_required_argument_is_needed_even_where_the_answer_calls_it_optional() -> None:
    """The function's own declaration holds too."""
    want = WantedCall(name="book", allowed={"to": ["Rome", ""]}, properties={"to": STRING}, required=["to"])
    assert not fits(call(), want)


def test_calls_come_in_any_order_each_once() -> None:
    """One call too many, too few, or the same one twice is wrong."""
    want = [wanted(to=["Rome"]), wanted(to=["Oslo"])]
    rome, oslo = call(to="Rome"), call(to="Oslo")
    assert mismatch([rome, oslo], want) is None
    assert mismatch([oslo, rome], want) is None
    for bad in ([rome], [rome, rome], [rome, oslo, rome], []):
        assert mismatch(bad, want)


def test_every_wanted_call_is_given_one_where_there_is_a_way() -> None:
    """A call that fits two wanted ones is left to the one that nothing else fits."""
    want = [wanted(to=["Rome", "Oslo"]), wanted(to=["Rome"])]
    assert mismatch([call(to="Rome"), call(to="Oslo")], want) is None


def test_what_is_told_of_a_mismatch_holds_no_right_value() -> None:
    """The reason names functions and counts alone."""
    assert "Rome" not in str(mismatch([call(to="Oslo")], [wanted(to=["Rome"])]))


@pytest.mark.parametrize(
    ("calls", "share"),
    [
        ([call(to="Rome", on="1")], 1.0),
        ([call(to="Rome", on="2")], 0.5),
        ([call(to="Rome")], 0.5),
        ([call(to="Rome", on="1", at="9")], 1.0),
        ([call("buy", to="Rome", on="1")], 0.0),
        ([call(to="x", on="x"), call(to="Rome", on="1")], 1.0),
        ([], 0.0),
    ],
)
def test_the_share_of_arguments_counts_what_is_right(calls: list[ToolCall], share: float) -> None:
    """Of the best call of the name; a function that is not wanted has none right."""
    assert argument_share(calls, [wanted(to=["Rome"], on=["1"])]) == share


def test_without_arguments_the_share_says_whether_the_calls_were_made() -> None:
    """A function without parameters still has to be called."""
    assert argument_share([call()], [wanted()]) == 1.0
    assert argument_share([], [wanted()]) == 0.0


@given(st.lists(st.sampled_from(["Rome", "Oslo", "Bern", "Paris"]), max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_calls_never_matters(cities: list[str], random: Any) -> None:
    """Any permutation of right calls is right, and its share of arguments is whole."""
    want = [wanted(to=[city]) for city in cities]
    calls = [call(to=city.upper()) for city in cities]
    random.shuffle(calls)
    assert mismatch(calls, want) is None
    assert argument_share(calls, want) == 1.0


@given(st.text("aAbB1 ,./-_*^'\"", max_size=6), st.text("aAbB1 ,./-_*^'\"", max_size=6))
def test_texts_are_equal_exactly_where_what_counts_is(one: str, other: str) -> None:
    """Case, spaces and ``,./-_*^`` do not count, and ``'`` is ``"``; the relation is symmetric."""

    def counted(text: str) -> str:
        return "".join(sign for sign in text if sign not in " ,./-_*^").lower().replace("'", '"')

    assert allows(one, [other or "x"], STRING) == (counted(one) == counted(other or "x"))
    assert allows(one, [one or "x"], STRING) == bool(one)
