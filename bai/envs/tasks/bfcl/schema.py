"""BFCL's words for values and types, and its function docs, whose types are Python's in part, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bai.envs.tools.base import Tool

__all__ = ["OPTIONAL", "TYPES", "declaration", "json_schema"]

OPTIONAL = ""
"""Among the right values of a parameter: it may be left out."""

TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
"""BFCL's types to those of JSON values."""

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}
_KEPT = ("description", "default", "enum", "format", "maximum", "minimum", "minItems", "maxItems", "required")


def declaration(function: Mapping[str, Any]) -> Tool:
    """Gives the tool of a function doc; what the doc does not name is no argument of it."""
    schema = {**json_schema(function["parameters"]), "additionalProperties": False}
    return Tool(name=function["name"], description=function["description"], parameters=schema)


def json_schema(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the JSON Schema (draft 2020-12) of a BFCL type, at any depth.

    ``dict`` is an object, ``float`` a number, ``tuple`` an array, and ``any`` is anything; the rest are JSON's names.

    Raises:
        TypeError: A type is none of BFCL's.
    """
    if declared["type"] not in TYPES:
        raise TypeError(f"expected one of the types {', '.join(TYPES)}; got {declared['type']!r:.40}")
    schema = {name: value for name, value in declared.items() if name in _KEPT}
    if declared["type"] != "any":
        schema["type"] = _TYPES.get(declared["type"], declared["type"])
    if "properties" in declared:
        schema["properties"] = {name: json_schema(inner) for name, inner in declared["properties"].items()}
    if "items" in declared:
        schema["items"] = json_schema(declared["items"])
    return schema
