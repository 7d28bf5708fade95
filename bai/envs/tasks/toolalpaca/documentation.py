"""The functions of an API, read from its OpenAPI description as tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bai.envs.tasks.toolalpaca.golden import OPEN, Placeholder
from bai.envs.tools.base import Tool
from bai.types import JSON

__all__ = ["Function", "functions", "types_of", "widened"]


@dataclass(frozen=True, kw_only=True)
class Function:
    """One operation of an API."""

    tool: Tool
    """What the agent is told."""
    reads: bool
    """Whether it only reads: its HTTP method is GET."""
    added: frozenset[str] = frozenset()
    """Arguments that are not documented, and that gold calls give."""


def functions(documentation: Mapping[str, Any], projection: Mapping[str, Any]) -> dict[str, Function]:
    """Reads the operations of an OpenAPI 3 document.

    Args:
        documentation: The document; references into itself are followed.
        projection: Function name -> path and method.

    Raises:
        KeyError: The document lacks an operation, or what a reference names.
    """
    made = {}
    for name, (path, method) in projection.items():
        operation = _resolved(documentation["paths"][path][method], documentation)
        words = operation.get("description") or operation.get("summary") or ""
        tool = Tool(name=name, description=words, parameters=_parameters(operation))
        made[name] = Function(tool=tool, reads=method == "get")
    return made


def _resolved(value: Any, document: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, document) for item in value]
    if not isinstance(value, Mapping):
        return value
    if isinstance(reference := value.get("$ref"), str):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        return _resolved(target, document)
    return {key: _resolved(inner, document) for key, inner in value.items()}


def _parameters(operation: Mapping[str, Any]) -> JSON:
    """Puts the parameters and the fields of the body together; a parameter wins over a field of its name."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    properties = dict(body.get("properties", {}))
    required = list(body.get("required", ()))
    for parameter in operation.get("parameters", ()):
        described = {"description": parameter["description"]} if "description" in parameter else {}
        properties[parameter["name"]] = {**described, **parameter["schema"]}
        required += [parameter["name"]] if parameter.get("required") else []
    return {"type": "object", "properties": properties, "required": sorted(set(required), key=list(properties).index)}


def widened(function: Function, calls: Iterable[Mapping[str, Any]]) -> Function:
    """Gives a function whose schema allows the arguments of gold calls, which break the documentation here and there.

    What one of them leaves out is not required; an argument of another type or outside the documented values gets a
    schema of the types alone; one that is not documented is added.
    """
    given = list(calls)
    properties = {name: dict(schema) for name, schema in function.tool.parameters["properties"].items()}
    for name in dict.fromkeys(name for arguments in given for name in arguments):
        values = [arguments[name] for arguments in given if not isinstance(arguments.get(name, OPEN), Placeholder)]
        schema = properties.get(name, {})
        if values and (name not in properties or not all(_is_typed(value, schema) for value in values)):
            types = {_type_of(value) for value in values} | set(types_of(schema))
            kept = {key: schema[key] for key in ("description",) if key in schema}
            properties[name] = {**kept, "type": types.pop() if len(types) == 1 else sorted(types)}
    required = [name for name in function.tool.parameters["required"] if all(name in each for each in given)]
    parameters = {"type": "object", "properties": properties, "required": required}
    tool = Tool(name=function.tool.name, description=function.tool.description, parameters=parameters)
    added = properties.keys() - function.tool.parameters["properties"].keys()
    return Function(tool=tool, reads=function.reads, added=frozenset(added))


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _is_typed(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value has the type, the documented values and the items that a schema names."""
    types = types_of(schema)
    if types and not any(_is_a(value, kind) for kind in types):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    items = value if isinstance(value, list) else []
    return all(_is_typed(item, schema.get("items", {})) for item in items)


def _is_a(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")


def _type_of(value: Any) -> str:
    return next(name for name in _TYPES if _is_a(value, name))


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Gives the types that a schema names, one or several; none where it names none."""
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(kind)
