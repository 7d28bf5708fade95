"""Rows of databases as JSON values: for the agent to read, for a judge to compare."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["plain_row", "plain_tables", "sorted_rows", "told_changes", "told_rows"]


_DEEPEST = 64
"""Most levels of lists and objects in a value."""


def plain_row(row: Sequence[Any]) -> list[Any]:
    """Gives a row's values as JSON has them; what JSON lacks becomes text of a fixed form.

    Raises:
        ValueError: A value nests more than 64 levels.
    """
    return [_plain(value) for value in row]


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise ValueError(f"a value nests more than {_DEEPEST} levels")
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | bytearray() | memoryview():
            return f"x'{bytes(value).hex()}'"
        case decimal.Decimal():
            return _plain_decimal(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case list() | tuple():
            return [_plain(inner, depth + 1) for inner in value]
        case dict():
            return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
        case uuid.UUID():
            return str(value)
        case _:
            return str(value)


def _plain_decimal(value: decimal.Decimal) -> Any:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    return float(value) if math.isfinite(float(value)) else str(value)


def sorted_rows(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Gives rows in an order that depends on what they hold alone, and not on the last digits of sums of floats."""
    return sorted((list(row) for row in rows), key=lambda row: [_rank(value) for value in row])


def _rank(value: Any) -> tuple[int, Any]:
    match value:
        case None:
            return (0, 0)
        case bool():
            return (1, value)
        case float():
            return (2, float(f"{value:.6g}"))
        case int():
            return (2, value)
        case str():
            return (3, value)
    return (4, json.dumps(value, sort_keys=True))


def plain_tables(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Gives tables (name -> columns and rows) as JSON, rows sorted: a table is a bag."""
    return {
        name: {"columns": list(table["columns"]), "rows": sorted_rows([plain_row(row) for row in table["rows"]])}
        for name, table in sorted(tables.items())
    }


def told_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], shown: int) -> str:
    """Writes a result for the agent: the columns, then the first ``shown`` rows, each a line of JSON."""
    head = json.dumps(list(columns), ensure_ascii=False)
    lines = [json.dumps(list(row), ensure_ascii=False) for row in rows[:shown]]
    if len(rows) > shown:
        lines.append(f"[{len(rows) - shown} more rows not shown]")
    return "\n".join([head, *lines] if lines else [head, "no rows"])


def told_changes(count: int) -> str:
    """Writes what a statement without a result did."""
    return f"ok, {count} row{'' if count == 1 else 's'} changed"
