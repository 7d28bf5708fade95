"""Comparison of what two queries gave; of their SQL nothing is asked.

A result set is ``{"columns": [name, ...], "rows": [[value, ...], ...]}``. Two are the same if their rows are, as often
as each comes, where

* columns may come in any order, one for all rows, and their names do not matter: few questions name or order what they
  ask for (the test suites of Zhong et al. 2020, arXiv:2010.02840, compare likewise);
* rows may come in any order, unless the question asks for one; then rows that its order does not tell apart may still
  come in any order among themselves, and where only the first few are wanted, any of those that tie for the last place;
* numbers are compared as numbers, whatever their type, and those with a fraction to 12 significant digits, because a
  sum depends on the order of its terms; texts are compared letter by letter; NULL equals NULL alone, and a number no
  text.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["same_result_set"]

_MOST_TRIES = 2_000
"""Most ways to pair columns that are looked at, before the results count as different."""

Cell = tuple[int, Any]
Column = tuple[Cell, ...]


def same_result_set(actual: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether a query's result is the expected one.

    Args:
        actual: Its ``columns`` and ``rows``.
        expected: ``columns`` and ``rows``, and how they are ordered: ``ordered`` (False where it is left out), whether
            the order of rows counts; ``ranks``, one number a row, growing, equal for rows whose order among themselves
            does not count (left out: none are equal); and ``tied`` (left out: none), rows that may stand in the place
            of those of the last rank.
    """
    height, width = len(expected["rows"]), len(expected["columns"])
    if (len(actual["rows"]), len(actual["columns"])) != (height, width):
        return False
    ranks = expected.get("ranks") or range(height)
    groups = list(_spans(ranks)) if expected.get("ordered") else [slice(0, height)]
    tied = expected.get("tied") or [] if height else []
    groups[-1:] = [slice(group.start, group.stop + len(tied)) for group in groups[-1:]]
    return _pair(_columns(actual["rows"], width), _columns([*expected["rows"], *tied], width), groups)


def _spans(ranks: Sequence[int]) -> Iterator[slice]:
    start = 0
    for _, rows in itertools.groupby(ranks):
        end = start + sum(1 for _ in rows)
        yield slice(start, end)
        start = end


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[Column]:
    cells = [tuple(map(_cell, row)) for row in rows]
    return list(zip(*cells, strict=True)) if cells else [()] * width


def _cell(value: Any) -> Cell:
    """Gives what a value is compared by."""
    if value is None:
        return (0, None)
    if isinstance(value, float):
        rounded = float(f"{value:.12g}")
        return (1, int(rounded) if rounded.is_integer() else str(rounded))
    return (1, int(value)) if isinstance(value, int) else (2, str(value))


def _pair(actual: list[Column], expected: list[Column], groups: list[slice]) -> bool:
    """Whether the actual columns can be put in an order in which their rows are among the expected ones, group by
    group.

    There are as many of both, but for the last group, which more may be expected of than there are.
    """
    tries = itertools.count()

    def fits(chosen: tuple[int, ...]) -> bool:
        taken = [actual[index] for index in chosen]
        wanted = expected[: len(chosen)]
        return all(_rows(taken, group) <= _rows(wanted, group) for group in groups)

    def search(chosen: tuple[int, ...]) -> bool:
        if len(chosen) == len(expected):
            return True
        seen: set[Column] = set()
        for index in sorted(set(range(len(actual))) - set(chosen), key=lambda index: index != len(chosen)):
            if actual[index] in seen:
                continue  # the same column again
            seen.add(actual[index])
            if next(tries) >= _MOST_TRIES:
                return False
            if fits((*chosen, index)) and search((*chosen, index)):
                return True
        return False

    return search(())


def _rows(columns: list[Column], group: slice) -> Counter[tuple[Cell, ...]]:
    return Counter(zip(*(column[group] for column in columns), strict=True))
