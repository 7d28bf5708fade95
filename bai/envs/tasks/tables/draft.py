"""What the families of questions share: rows drawn at random, files written of them, and a question in the making."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bai.envs.tasks.tables.themes import Theme

__all__ = ["DECIMALS", "Dull", "Question", "Rows", "best", "csv_of", "draw_rows", "main_file", "pick", "printing"]

DECIMALS = 3
"""Digits after the point of the numbers that are asked for."""
_CLEAR = 1e-3
"""By how much, relatively, the best has to be better than the second."""


class Dull(Exception):
    """This draw makes no good question, for its answer hangs on a tie: draw again."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The main table's columns, all of one length."""

    group: NDArray[Any]
    """Names of kinds."""
    place: NDArray[Any]
    """Names of places."""
    month: NDArray[np.int64]
    """1 to 12."""
    x: NDArray[np.float64]
    """Two digits after the point."""
    y: NDArray[np.float64]
    """Two digits after the point."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a family of questions makes of a draw."""

    text: str
    """The question, in sentences."""
    answers: Mapping[str, Any]
    """Name to value: a string, a whole number, or a number with :data:`DECIMALS` digits."""
    files: Mapping[str, bytes] = field(repr=False)
    """Tables by the names of their files."""
    solution: str
    """Code of a cell that prints the answer."""
    wanted_pictures: int = 0
    """Pictures that have to be shown."""


def draw_rows(rng: np.random.Generator, theme: Theme, count: int) -> Rows:
    """Draws the main table."""
    group = rng.integers(len(theme.groups), size=count)
    x = np.round(rng.gamma(4.0, 5.0, size=count) + 1.0, 2)
    slope, start = rng.uniform(0.5, 4.0), rng.uniform(-5.0, 20.0)
    effect = rng.normal(0.0, 6.0, size=len(theme.groups))
    y = np.round(start + slope * x + effect[group] + rng.normal(0.0, rng.uniform(2.0, 9.0), size=count), 2)
    return Rows(
        group=np.array(theme.groups)[group],
        place=np.array(theme.places)[rng.integers(len(theme.places), size=count)],
        month=rng.integers(1, 13, size=count),
        x=x,
        y=y,
    )


def csv_of(columns: Mapping[str, Iterable[Any]]) -> bytes:
    """Writes columns as a file of comma-separated values; numbers as Python prints them."""
    lines = [",".join(columns)]
    lines += [",".join(map(_written, row)) for row in zip(*columns.values(), strict=True)]
    return ("\n".join(lines) + "\n").encode()


def _written(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if "," in text else text


def main_file(theme: Theme, rows: Rows, **others: Sequence[Any]) -> dict[str, bytes]:
    """Gives the main table's file; ``others`` stand in the place of columns of :class:`Rows`."""
    columns: dict[str, Sequence[Any]] = {**vars(rows), **others}
    count = len(columns["x"])
    named = {
        "id": range(1, count + 1),
        theme.group: columns["group"],
        theme.place: columns["place"],
        "month": columns["month"],
        theme.x: columns["x"],
        theme.y: columns["y"],
    }
    return {f"{theme.table}.csv": csv_of({**named, "id": others.get("ids", named["id"])})}


def pick(rng: np.random.Generator, items: Sequence[str]) -> str:
    """Draws one."""
    return items[int(rng.integers(len(items)))]


def best(values: Mapping[str, float]) -> str:
    """Gives the name of the largest value.

    Raises:
        Dull: Another is about as large.
    """
    first, *rest = sorted(values, key=lambda name: (-values[name], name))
    if rest and values[first] - values[rest[0]] <= _CLEAR * max(1.0, abs(values[first])):
        raise Dull
    return first


def printing(**answers: str) -> str:
    """Gives the last lines of a solution: each answer's name and the expression for it; numbers are rounded."""
    return "\n".join(f"print('@{name}[' + {expression} + ']')" for name, expression in answers.items())
