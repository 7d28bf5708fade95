"""BFCL's types in JSON Schema."""

from __future__ import annotations

from bai.envs.tasks.bfcl.schema import declaration, json_schema


def test_types_are_turned_at_any_depth() -> None:
    """Objects, numbers and arrays get JSON's names, ``any`` gets none; what describes is kept."""
    doc = {
        "type": "dict",
        "properties": {
            "price": {"type": "float", "description": "in euros", "default": 1.5},
            "pairs": {"type": "array", "items": {"type": "tuple", "items": {"type": "integer"}}},
            "what": {"type": "any", "optional": True},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "inner": {"type": "dict", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]},
        },
        "required": ["price"],
    }
    assert json_schema(doc) == {
        "type": "object",
        "properties": {
            "price": {"type": "number", "description": "in euros", "default": 1.5},
            "pairs": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            "what": {},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "inner": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]},
        },
        "required": ["price"],
    }


def test_a_function_takes_no_argument_that_it_does_not_name() -> None:
    """The declaration is closed."""
    tool = declaration({"name": "f.g", "description": "does", "parameters": {"type": "dict", "properties": {}}})
    assert (tool.name, tool.description) == ("f.g", "does")
    assert tool.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
