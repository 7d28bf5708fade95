"""Golden answers with what they leave open, and the functions they call."""

from __future__ import annotations

from typing import Any

import pytest

from bai.envs.tasks.toolalpaca.documentation import Function, functions, widened
from bai.envs.tasks.toolalpaca.golden import OPEN, GoldCall, Placeholder, coerced, parse_call
from bai.envs.tasks.toolalpaca.scripts import write_script
from bai.envs.tools.base import Tool, ToolCall


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"a": "x", "b": "", "c": 1}', {"a": "x", "c": 1}),
        ('{"a": ${id from find}}', {"a": Placeholder("id", "find")}),
        ('{"a": "${id from find}"}', {"a": Placeholder("id", "find")}),
        ('{"a": ${the id name from find}}', {"a": Placeholder("the id name from find", "")}),
        ('{"a": ${id name from find}}', {"a": Placeholder("id", "find")}),
        ('{"a": ${start date}"}', {"a": Placeholder("start date", "")}),
        ('{"a": ${x from f, "b": ${y from f}}', {"a": Placeholder("x", "f"), "b": Placeholder("y", "f")}),
        ('{"a": [${some}]}', {"a": Placeholder("some", "")}),
        ('{"a": [{"b": "${text}"}]}', {"a": Placeholder("text", "")}),
        ('{"a": "Pa$$w0rd"}', {"a": "Pa$$w0rd"}),
    ],
)
def test_open_values_are_read(text: str, arguments: dict[str, Any]) -> None:
    """With quotes or without, with their closing brace or without; empty texts stand for nothing."""
    assert parse_call({"Action": "f", "Action_Input": text}) == GoldCall(name="f", arguments=arguments)


def test_an_optional_call_is_marked() -> None:
    """By what its name begins with."""
    assert parse_call({"Action": "[Optional]f", "Action_Input": "{}"}).optional


def test_what_is_no_json_is_an_error() -> None:
    """Even with its open values filled in."""
    with pytest.raises(ValueError, match="Expecting"):
        parse_call({"Action": "f", "Action_Input": "{a}"})


def test_texts_that_spell_numbers_become_numbers() -> None:
    """Where the schema wants them."""
    schema = {"properties": {"n": {"type": "integer"}, "t": {"type": "string"}}}
    assert coerced({"n": "100", "t": "100", "x": "1"}, schema) == {"n": 100, "t": "100", "x": "1"}


DOCUMENT: dict[str, Any] = {
    "paths": {
        "/find": {
            "get": {"summary": "Find.", "parameters": [{"name": "q", "required": True, "schema": {"type": "string"}}]}
        },
        "/set/{id}": {
            "put": {
                "description": "Set.",
                "parameters": [
                    {"name": "id", "required": True, "description": "Which.", "schema": {"type": "integer"}}
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}},
            }
        },
    },
    "components": {
        "schemas": {
            "Body": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "kind": {"type": "string", "enum": ["a", "b"], "description": "The kind (default is 'a')."},
                },
                "required": ["kind"],
            }
        }
    },
}
KNOWN = functions(DOCUMENT, {"find": ["/find", "get"], "put": ["/set/{id}", "put"]})


def test_functions_are_read_from_openapi() -> None:
    """Parameters and body together, references followed, the method told."""
    assert (KNOWN["find"].reads, KNOWN["put"].reads) == (True, False)
    assert KNOWN["find"].tool.description == "Find."
    assert KNOWN["put"].tool.parameters == {
        "type": "object",
        "properties": {
            "id": {"description": "Which.", "type": "integer"},
            "kind": {"type": "string", "enum": ["a", "b"], "description": "The kind (default is 'a')."},
        },
        "required": ["id", "kind"],
    }


def test_gold_calls_widen_what_they_break_and_nothing_else() -> None:
    """A value outside, a missing argument, one that is not documented; open values are no evidence."""
    assert widened(KNOWN["put"], [{"id": 1, "kind": "b"}, {"id": OPEN, "kind": OPEN}]) == KNOWN["put"]
    wide = widened(KNOWN["put"], [{"id": "one", "new": [1]}, {"id": 2, "kind": "c"}])
    assert wide.added == {"new"}
    assert wide.tool.parameters["required"] == ["id"]
    assert wide.tool.parameters["properties"] == {
        "id": {"description": "Which.", "type": ["integer", "string"]},
        "kind": {"description": "The kind (default is 'a').", "type": "string"},
        "new": {"type": "array"},
    }


def function(name: str, **properties: Any) -> Function:
    return Function(
        tool=Tool(name=name, parameters={"type": "object", "properties": properties, "required": []}), reads=True
    )


def test_a_script_leaves_nothing_open() -> None:
    """Identifiers come from the API, details from the user, the rest is free; all by a hash of the task."""
    known = {"find": function("find", q={}), "put": function("put", itemId={"type": "integer"}, note={}, day={})}
    gold = [
        GoldCall(name="find", arguments={"q": "red lamp"}),
        GoldCall(name="getDetails", arguments={"Question": "Which note?"}),
        GoldCall(
            name="put",
            arguments={
                "itemId": Placeholder("itemId", "find"),
                "note": Placeholder("note", "getDetails"),
                "day": Placeholder("some day", ""),
            },
        ),
    ]
    script = write_script("t", "Find the red lamp", gold, known)
    number = script.answers["find"]["itemId"]
    note = script.calls[1].arguments["note"]
    assert isinstance(number, int) and f'note is "{note}"' in script.reply
    assert script.question == "Which note?"
    assert script.calls[0] == ToolCall(name="find", arguments={"q": "red lamp"})
    assert script.wanted[1]["arguments"] == {"itemId": number, "note": note}
    assert script.wanted[1]["free"] == ["day"]
    assert write_script("t", "Find the red lamp", gold, known) == script
    assert write_script("u", "Find the red lamp", gold, known).answers != script.answers


def test_two_uses_of_what_an_api_tells_are_two_values() -> None:
    """The first two members are not one."""
    known = {"find": function("find"), "put": function("put", userId={"type": "string"})}
    use = GoldCall(name="put", arguments={"userId": Placeholder("userId", "find")})
    script = write_script("t", "", [GoldCall(name="find", arguments={}), use, use], known)
    first, second = (want["arguments"]["userId"] for want in script.wanted[1:])
    assert first != second and script.answers["find"]["userId"] == [first, second]
