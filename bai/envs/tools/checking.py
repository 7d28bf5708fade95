"""Checking calls against what was declared, within bounds.

Arguments are held against the tool's JSON Schema (draft 2020-12, by ``jsonschema``), read a little more strictly than
the standard has it: an argument that the schema does not name is refused unless it says what further ones are like.

A check ends, whoever wrote the schema and the arguments: references must stay inside the schema and are followed a
bounded number of times, uniqueness is told in linear time, the number of values in the arguments is bounded, and a
``pattern``, which the agent's text could keep busy for years, is matched in a sandbox that can be killed.
"""

from __future__ import annotations

import contextvars
import difflib
import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bai.envs.tools.base import Tool, ToolCall
from bai.errors import ConfigError, MissingDependency, ToolFault

__all__ = ["Checker"]

MOST_VALUES = 10_000
"""Values of a call's arguments, at any depth."""
_MOST_REFERENCES = 2_000
"""References followed in one check."""
_MOST_TOLD = 3
"""Faults that an observation names."""
_PATTERN_S = 1.0
"""Seconds that a pattern may take."""
_references_left: contextvars.ContextVar[int] = contextvars.ContextVar("references_left")
"""In the check under way; environments are stepped in threads."""
_MATCHER = "import re\n\n\ndef found(pattern, text):\n    return re.search(pattern, text) is not None\n"


class Checker:
    """Holds calls against declared tools.

    Args:
        tools: What is declared.
        sandbox: Backend that patterns are matched in.

    Raises:
        ConfigError: Two tools have one name, or a schema is none, or none of an object.
        MissingDependency: ``jsonschema`` is absent.
    """

    def __init__(self, tools: Sequence[Tool], sandbox: str = "auto") -> None:
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) != len(tools):
            names = [tool.name for tool in tools]
            raise ConfigError(f"two tools are called {next(name for name in names if names.count(name) > 1)!r}")
        self._validators = {tool.name: _validator(tool, sandbox) for tool in tools}

    def check(self, call: ToolCall) -> None:
        """Passes a call that names a declared tool and gives what its schema wants.

        Raises:
            ToolFault: It does not; says which argument is at fault, what was expected and what came.
        """
        if call.name not in self._tools:
            raise ToolFault(f"there is no tool {call.name!r:.80}{_close(call.name, self._tools)}", "unknown_tool")
        if _count(call.arguments) > MOST_VALUES:
            raise ToolFault(f"the arguments may hold {MOST_VALUES} values", "too_large")
        known = list(_named(self._tools[call.name].parameters))
        try:
            errors = list(itertools.islice(self._validators[call.name](call.arguments), _MOST_TOLD))
        except RecursionError:
            raise ToolFault("the arguments nest too deeply to be checked", "too_large") from None
        except OverflowError:  # multipleOf divides, and a whole number may be beyond all floats
            raise ToolFault("a number in the arguments is too large to be checked", "too_large") from None
        if errors:
            told = "; ".join(dict.fromkeys(_tell(error, known) for error in errors))
            raise ToolFault(f"{call.name}: {told}", "bad_arguments")


def _count(value: Any) -> int:
    total, level = 0, [value]
    while level and total <= MOST_VALUES:
        total += len(level)
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return total


def _named(schema: Any) -> dict[str, None]:
    """Names of the arguments that a schema describes, its alternatives included."""
    if not isinstance(schema, dict):
        return {}
    parts = [part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, [])]
    return {name: None for names in (schema.get("properties", {}), *map(_named, parts)) for name in names}


def _close(name: str, known: Iterable[str]) -> str:
    known = list(known)
    folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name[:200].casefold(), folded, n=1)
    hint = f" (did you mean {folded[close[0]]!r}?)" if close else ""
    some = ", ".join(known[:20]) or "none"
    return f"{hint}; there are: {some}" + (", ..." if len(known) > 20 else "")


# What a fault is called.


def _tell(error: Any, known: Sequence[str]) -> str:
    """Says one of jsonschema's errors in words of ours."""
    where = _path(error.absolute_path)
    got = _shown(error.instance)
    match error.validator:
        case "required":
            missing = ", ".join(
                _path([*error.absolute_path, key]) for key in error.validator_value if key not in error.instance
            )
            return f"missing argument {missing}"
        case "additionalProperties" | "unevaluatedProperties":
            return _tell_extra(error, known)
        case "type":
            wanted = error.validator_value
            return f"{where}: expected {' or '.join(wanted) if isinstance(wanted, list) else wanted}; got {got}"
        case "enum":
            return f"{where}: expected one of {_shown(error.validator_value, 300)}; got {got}"
        case "const":
            return f"{where}: expected {_shown(error.validator_value)}; got {got}"
        case "slow":
            return f"{where}: {error.message}"
        case _:
            rule = {error.validator: error.validator_value}
            return f"{where}: expected {_shown(rule, 300)}; got {got}"


def _tell_extra(error: Any, known: Sequence[str]) -> str:
    if error.absolute_path:
        return f"{_path(error.absolute_path)}: {error.message:.200}"
    extra = [key for key in error.instance if key not in known] or list(error.instance)
    return f"unexpected argument {', '.join(extra)[:200]!r}{_close(extra[0], known)}"


def _path(parts: Iterable[Any]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")[:200] or "arguments"


def _shown(value: Any, most: int = 80) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= most else text[: most - 3] + "..."
    return f"{names.get(type(value), '')} {text}".strip()


# How a check is bounded.

Check = Callable[[Any], Iterator[Any]]
"""Gives the errors of arguments."""


def _validator(tool: Tool, sandbox: str) -> Check:
    return _cached_validator(json.dumps(tool.parameters, sort_keys=True), tool.name, sandbox)


@functools.lru_cache(maxsize=1024)
def _cached_validator(text: str, name: str, sandbox: str) -> Check:
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
    except ImportError as error:
        raise MissingDependency("jsonschema", "pip install 'bai-rl[tools]'", "checking calls of tools") from error
    schema = json.loads(text)
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise ConfigError(f"the parameters of tool {name!r} are a JSON Schema of an object; got {text:.100}")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ConfigError(f"the parameters of tool {name!r} are no JSON Schema: {error.message:.200}") from error
    _expect_local(schema, name)
    closed = {"type": "object", **schema}
    if not {"additionalProperties", "unevaluatedProperties"} & closed.keys():
        closed["unevaluatedProperties"] = False
    return _bounded(closed, sandbox)


def _expect_local(schema: Any, name: str) -> None:
    """References that leave the schema would have to be fetched from somewhere."""
    level = [schema]
    while level:
        one = level.pop()
        if isinstance(one, dict):
            if isinstance(target := one.get("$ref"), str) and not target.startswith("#"):
                raise ConfigError(f"the parameters of tool {name!r} refer to {target!r:.100}, outside of themselves")
            level.extend(one.values())
        elif isinstance(one, list):
            level.extend(one)


def _bounded(schema: Mapping[str, Any], sandbox: str) -> Check:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    plain = Draft202012Validator.VALIDATORS

    def follow(keyword: str) -> Callable[..., Iterator[Any]]:
        def check(validator: Any, target: Any, instance: Any, inner: Any) -> Iterator[Any]:
            left = _references_left.get() - 1
            _references_left.set(left)
            if left < 0:
                raise ToolFault("the arguments take too long to be checked", "too_large")
            yield from plain[keyword](validator, target, instance, inner) or ()

        return check

    def unique(validator: Any, wanted: Any, instance: Any, inner: Any) -> Iterator[Any]:
        if wanted and isinstance(instance, list) and len({_canonical(item) for item in instance}) < len(instance):
            yield ValidationError("has an item twice")

    def pattern(validator: Any, wanted: str, instance: Any, inner: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not _matches(wanted, instance, sandbox):
            yield ValidationError("does not match")

    changed = {"$ref": follow("$ref"), "$dynamicRef": follow("$dynamicRef"), "uniqueItems": unique, "pattern": pattern}
    if "patternProperties" in json.dumps(schema):
        raise ConfigError("patternProperties is not supported in the parameters of a tool")
    validator = extend(Draft202012Validator, changed)(schema)

    def check(arguments: Any) -> Iterator[Any]:
        _references_left.set(_MOST_REFERENCES)
        return iter(validator.iter_errors(arguments))

    return check


def _canonical(value: Any) -> str:
    """Writes equal JSON values alike: 1 and 1.0 are equal, 1 and true are not."""

    def plain(item: Any) -> Any:
        if isinstance(item, float) and item.is_integer():
            return int(item)
        if isinstance(item, dict):
            return {key: plain(inner) for key, inner in item.items()}
        return [plain(inner) for inner in item] if isinstance(item, list) else item

    return json.dumps(plain(value), sort_keys=True)


def _matches(pattern: str, text: str, sandbox: str) -> bool:
    from bai.envs.sandbox.pool import shared_pool

    with shared_pool(sandbox).lease() as place:
        result = place.call(_MATCHER, "found", (pattern, text), wall_s=_PATTERN_S)
    if result.status == "timeout":
        raise ToolFault(f"the pattern {pattern!r:.100} takes too long on this text", "timeout")
    if result.status != "returned":
        raise ConfigError(f"the pattern {pattern!r:.100} cannot be matched: {result.exception}: {result.message}")
    return bool(result.value)
