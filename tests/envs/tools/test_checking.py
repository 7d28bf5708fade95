"""Calls against their declarations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tools.base import Tool, ToolCall
from bai.envs.tools.checking import Checker
from bai.errors import ConfigError, ToolFault

pytest.importorskip("jsonschema", reason="needs jsonschema")


def tool(required: list[str] | None = None, **properties: Any) -> Tool:
    return Tool(
        name="book_table",
        parameters={"type": "object", "properties": properties, "required": required or []},
    )


def fault(parameters: Tool, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ToolFault) as caught:
        Checker([parameters]).check(ToolCall(name=parameters.name, arguments=arguments))
    return caught.value.kind, caught.value.reason


TABLE = tool(
    ["name", "guests"],
    name={"type": "string"},
    guests={"type": "integer"},
    place={"enum": ["inside", "outside"]},
    dishes={"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}},
)


def test_what_fits_passes() -> None:
    """With and without the arguments that may be left out."""
    checker = Checker([TABLE])
    checker.check(ToolCall(name="book_table", arguments={"name": "Ann", "guests": 2}))
    checker.check(ToolCall(name="book_table", arguments={"name": "Ann", "guests": 2, "place": "inside", "dishes": []}))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "Ann"}, "missing argument guests"),
        ({}, "missing argument name"),
        ({"name": "Ann", "guests": "2"}, 'guests: expected integer; got string "2"'),
        ({"name": "Ann", "guests": 2.5}, "guests: expected integer; got number 2.5"),
        ({"name": "Ann", "guests": True}, "guests: expected integer; got boolean true"),
        ({"name": None, "guests": 2}, "name: expected string; got null"),
        ({"name": "Ann", "guests": 2, "plce": "inside"}, "unexpected argument 'plce' (did you mean 'place'?)"),
        ({"name": "Ann", "guests": 2, "place": "roof"}, 'place: expected one of array ["inside", "outside"]'),
        ({"name": "Ann", "guests": 2, "dishes": [{}, {"price": "3"}]}, "dishes[1].price: expected number"),
    ],
)
def test_faults_are_named(arguments: dict[str, Any], told: str) -> None:
    """Path, what was expected, what came, and a name that is close."""
    kind, reason = fault(TABLE, **arguments)
    assert kind == "bad_arguments" and told in reason


def test_a_name_that_is_close_is_suggested() -> None:
    """And all there are are listed."""
    with pytest.raises(ToolFault) as caught:
        Checker([TABLE]).check(ToolCall(name="bookTable"))
    assert caught.value.kind == "unknown_tool"
    assert "did you mean 'book_table'?" in caught.value.reason and "there are: book_table" in caught.value.reason


def test_a_schema_may_say_what_further_arguments_are_like() -> None:
    """Only where it does not, they are refused."""
    open_tool = Tool(name="f", parameters={"type": "object", "additionalProperties": {"type": "integer"}})
    Checker([open_tool]).check(ToolCall(name="f", arguments={"x": 1}))
    assert fault(open_tool, x="1")[1] == 'f: x: expected integer; got string "1"'


def test_composed_schemas_know_their_arguments() -> None:
    """Arguments that ``allOf`` and references name are no further ones."""
    parameters = {
        "allOf": [{"properties": {"a": {"$ref": "#/$defs/n"}}}],
        "properties": {"b": {"type": "string"}},
        "$defs": {"n": {"type": "integer"}},
    }
    composed = Tool(name="f", parameters=parameters)
    Checker([composed]).check(ToolCall(name="f", arguments={"a": 1, "b": "x"}))
    assert "unexpected argument 'c'" in fault(composed, a=1, c=2)[1]
    assert "a: expected integer" in fault(composed, a="x")[1]


def test_a_pattern_that_never_ends_is_stopped() -> None:
    """It is matched in a sandbox that is killed; the next check is good."""
    slow = tool(x={"type": "string", "pattern": "^(a+)+$"})
    kind, reason = fault(slow, x="a" * 60 + "!")
    assert kind == "timeout" and "takes too long" in reason
    Checker([slow]).check(ToolCall(name=slow.name, arguments={"x": "aaa"}))
    assert fault(slow, x="b")[0] == "bad_arguments"


def test_checks_that_would_never_end_are_stopped() -> None:
    """Branching references, and uniqueness of what cannot be sorted, are told within bounds."""
    both = [{"properties": {"x": {"$ref": "#"}}}] * 2
    branching = Tool(name="f", parameters={"allOf": both, "properties": {"x": {}}})
    nested: dict[str, Any] = {}
    for _ in range(40):
        nested = {"x": nested}
    assert fault(branching, **nested)[0] == "too_large"
    unique = tool(x={"type": "array", "uniqueItems": True})
    Checker([unique]).check(
        ToolCall(name=unique.name, arguments={"x": [{"i": i} for i in range(4000)] + [1, True, "1"]})
    )
    assert fault(unique, x=[{"i": 1}, {"i": 1.0}])[0] == "bad_arguments"
    assert fault(unique, x=[0] * 20_000)[0] == "too_large"


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"type": "array"}, "of an object"),
        ({"type": "objekt"}, "of an object"),
        ({"properties": {"x": {"type": "strng"}}}, "no JSON Schema"),
        ({"properties": {"x": {"$ref": "https://example.org/x"}}}, "outside of themselves"),
        ({"patternProperties": {"^x": {}}}, "not supported"),
    ],
)
def test_declarations_that_are_none(parameters: dict[str, Any], told: str) -> None:
    """They are the task's mistake, not the agent's."""
    with pytest.raises(ConfigError, match=told):
        Checker([Tool(name="f", parameters=parameters)])


def test_two_tools_of_one_name() -> None:
    """Are a mistake."""
    with pytest.raises(ConfigError, match="two tools are called 'book_table'"):
        Checker([TABLE, TABLE])


@given(
    arguments=st.dictionaries(
        st.sampled_from(["name", "guests", "place", "dishes", "x"]),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
    )
)
def test_agrees_with_the_plain_validator(arguments: dict[str, Any]) -> None:
    """But for arguments that are not named, what jsonschema passes passes, and nothing else."""
    from jsonschema import Draft202012Validator

    expected = Draft202012Validator({**TABLE.parameters, "additionalProperties": False}).is_valid(arguments)
    try:
        Checker([TABLE]).check(ToolCall(name="book_table", arguments=arguments))
    except ToolFault:
        assert not expected
    else:
        assert expected


@pytest.mark.parametrize("step", [0.1, 0.5, 3])
def test_numbers_beyond_floats(step: float) -> None:
    """A whole number of thousands of digits is checked or refused, and breaks nothing."""
    wanted = tool(n={"type": "number", "multipleOf": step})
    assert fault(wanted, n=10**4000)[0] in ("too_large", "bad_arguments")
