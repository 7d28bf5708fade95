"""Coding tasks of one's own, as JSON lines or as a local data set. The format is in ``docs/task_format.md``."""

from __future__ import annotations

import base64
from collections.abc import Callable
from keyword import iskeyword
from typing import Any, get_args

from bai.envs.tasks.coding import Case, CaseTests, CodingTask, ReferenceTests, Rule, ScriptTests, Tests
from bai.envs.tasks.files import Row
from bai.envs.tasks.own import refuse_unknown
from bai.envs.tasks.syntax import parse

__all__ = ["plain_value", "task_of"]

_FIELDS = {
    *("task_id", "prompt", "entry_point", "reference", "prelude", "answer_style", "metadata", "public"),
    *("cases", "inputs", "script", "proxies", "setup", "adapter", "call", "atol", "rtol", "rule"),
}
_STYLES = ("function", "completion")
_MEANINGLESS = {
    "cases": ("proxies", "setup"),
    "inputs": ("proxies", "setup"),
    "script": ("call", "atol", "rtol", "rule"),
}
"""Fields that say nothing to a kind of tests."""


def task_of(row: Row) -> CodingTask:
    """Reads one row.

    Raises:
        MalformedRow: It breaks the format.
    """
    refuse_unknown(row, _FIELDS)
    entry_point = _identifier(row, "entry_point")
    return CodingTask(
        task_id=row.filled("task_id"),
        prompt=row.text("prompt"),
        metadata=row.mapping("metadata"),
        entry_point=entry_point,
        public=_cases(row, "public"),
        hidden=_tests(row, entry_point),
        reference=row.text("reference"),
        prelude=_python(row, "prelude", row.text("prelude", "")),
        answer_style=_choice(row, "answer_style", _STYLES),
    )


def _tests(row: Row, entry_point: str) -> Tests:
    kinds = [field for field in ("cases", "inputs", "script") if row.get(field) is not None]
    if len(kinds) != 1:
        raise row.malformed("cases", f"expected exactly one of 'cases', 'inputs' and 'script'; got {kinds or 'none'}")
    for field in _MEANINGLESS[kinds[0]]:
        if row.get(field):
            raise row.malformed(field, f"has no meaning beside {kinds[0]!r}")
    adapter = _python(row, "adapter", row.text("adapter", ""))
    if kinds == ["script"]:
        proxies = row.items_of("proxies", str) or [entry_point]
        return ScriptTests(
            script=_python(row, "script", row.filled("script")),
            proxies=tuple(proxies),
            setup=_python(row, "setup", row.text("setup", "")),
            adapter=adapter,
        )
    common: dict[str, Any] = {
        "atol": row.number("atol", 0.0),
        "rtol": row.number("rtol", 0.0),
        "rule": _choice(row, "rule", get_args(Rule)),
        "adapter": adapter,
        "call": _identifier(row, "call") if row.get("call") else "",
    }
    if kinds == ["cases"]:
        return CaseTests(cases=_at_least_one(row, "cases", _cases(row, "cases")), **common)
    inputs = tuple(tuple(_plain(row, f"inputs[{i}]", item)) for i, item in enumerate(row.items_of("inputs", list)))
    return ReferenceTests(inputs=_at_least_one(row, "inputs", inputs), **common)


def _at_least_one(row: Row, field: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise row.malformed(field, "expected at least one; got an empty list")
    return values


def _cases(row: Row, field: str) -> tuple[Case, ...]:
    cases = []
    for index, item in enumerate(row.items_of(field, dict)):
        where = f"{field}[{index}]"
        if set(item) != {"args", "expected"} or not isinstance(item["args"], list):
            raise row.malformed(where, f"expected {{'args': [...], 'expected': ...}}; got {str(item)[:80]}")
        args = tuple(_plain(row, f"{where}.args", item["args"]))
        cases.append(Case(args=args, expected=_plain(row, f"{where}.expected", item["expected"])))
    return tuple(cases)


def _identifier(row: Row, field: str) -> str:
    name = row.text(field)
    if not name.isidentifier() or iskeyword(name):
        raise row.malformed(field, f"expected the name of a function; got {name!r:.80}")
    return name


def _python(row: Row, field: str, source: str) -> str:
    try:
        parse(source)
    except ValueError as error:
        raise row.malformed(field, f"expected Python source; {error}") from error
    return source


def _choice(row: Row, field: str, choices: tuple[str, ...]) -> Any:
    value = row.text(field, choices[0])
    if value not in choices:
        raise row.malformed(field, f"expected one of {', '.join(choices)}; got {value!r:.80}")
    return value


def _plain(row: Row, field: str, value: Any) -> Any:
    try:
        return plain_value(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise row.malformed(field, f"expected a value of the format; {error}") from error


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return {plain_value(key): plain_value(value) for key, value in items}


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_TAGS: dict[str, Callable[[Any], Any]] = {
    "$tuple": lambda items: tuple(map(plain_value, items)),
    "$set": lambda items: set(map(plain_value, items)),
    "$frozenset": lambda items: frozenset(map(plain_value, items)),
    "$dict": _pairs,
    "$bytes": _bytes,
    "$float": float,
    "$complex": lambda parts: complex(*parts),
}


def plain_value(value: Any) -> Any:
    """Gives the Python value of a JSON value: tagged objects stand for what JSON lacks.

    Raises:
        ValueError: An object has one key that starts with ``$`` and is no tag of the format.
        TypeError: A tag holds something that cannot be what it says.
    """
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value)) if len(value) == 1 else ""
    if not tag.startswith("$"):
        return {key: plain_value(item) for key, item in value.items()}
    if tag not in _TAGS:
        raise ValueError(f"{tag!r} is none of {', '.join(_TAGS)}")
    return _TAGS[tag](value[tag])
