"""Game of 24: 1,362 puzzles, each of four numbers to combine to 24.

Source: the puzzles of 4nums.com with the times people took, used by Yao et al. 2023, "Tree of Thoughts"
(arXiv:2305.10601), whose test puzzles, ranks 901 to 1,000, are the split ``test`` here; file ``game24.csv`` with
``Rank`` and ``Puzzles``. Every puzzle can be solved. Difficulty is the fifth of the ranks that a puzzle is in, 1 the
easiest.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from bai.envs.tasks.files import locate
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.maths.task import MathTask
from bai.errors import MalformedRow

__all__ = ["TARGET", "combine", "load_game24"]

TARGET = 24
_TEST = range(901, 1001)

Way = Any
"""How a value comes about: a number, or a sign and the ways of two values."""
Term = tuple[int, int, Way]
"""A value as numerator and denominator, not reduced, and its way."""


def load_game24(path: Path | None = None) -> FiniteTaskSet[MathTask]:
    """Loads the puzzles.

    Raises:
        TaskSetNotFound: The file is not on this machine.
        MalformedRow: A row breaks the format.
    """
    path = path or locate("game24", "game24.csv", kind="math")
    rows = list(_rows(path))
    return FiniteTaskSet("game24", (_task(rank, numbers, len(rows)) for rank, numbers in rows))


def _rows(path: Path) -> Iterator[tuple[int, tuple[int, ...]]]:
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                yield int(row["Rank"]), tuple(int(item) for item in row["Puzzles"].split())
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise MalformedRow(str(path), line, "", f"expected a rank and a puzzle of numbers; {error}") from error


def _task(rank: int, numbers: tuple[int, ...], count: int) -> MathTask:
    metadata = {
        "source": "game24",
        "split": "test" if rank in _TEST else "train",
        "difficulty": 1 + (rank - 1) * 5 // count,
    }
    listed = " ".join(map(str, numbers))
    return MathTask(
        task_id=f"game24/{rank}",
        prompt=f"Combine the numbers {listed} with +, -, * and / to get 24. Use each number exactly once.",
        metadata=metadata,
        gold=str(TARGET),
        operands=numbers,
    )


def combine(numbers: tuple[int, ...], target: int = TARGET) -> str | None:
    """Gives an expression that uses each number once and comes to ``target``; None where there is none."""
    found = _combined([(number, 1, number) for number in numbers], target)
    return None if found is None else _written(found, outermost=True)


def _combined(terms: list[Term], target: int) -> Way | None:
    if len(terms) == 1:
        above, below, way = terms[0]
        return way if above == target * below else None
    for one, other in combinations(range(len(terms)), 2):
        rest = [term for place, term in enumerate(terms) if place not in (one, other)]
        for term in _results(terms[one], terms[other]):
            found = _combined([*rest, term], target)
            if found is not None:
                return found
    return None


def _results(first: Term, second: Term) -> Iterator[Term]:
    (a, b, left), (c, d, right) = first, second
    yield a * d + c * b, b * d, ("+", left, right)
    yield a * c, b * d, ("*", left, right)
    yield a * d - c * b, b * d, ("-", left, right)
    yield c * b - a * d, b * d, ("-", right, left)
    if c:
        yield a * d, b * c, ("/", left, right)
    if a:
        yield c * b, d * a, ("/", right, left)


def _written(way: Way, *, outermost: bool = False) -> str:
    if isinstance(way, int):
        return str(way)
    sign, left, right = way
    text = f"{_written(left)} {sign} {_written(right)}"
    return text if outermost else f"({text})"
