"""What a gold query gives, and how much of the choice and the order of its rows it settles."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import dataclass
from typing import Any, Self

from bai.envs.tasks.spider.dialect import Token, quoted, tokens

__all__ = ["expected_result"]

Row = list[Any]


def expected_result(connection: sqlite3.Connection, gold: str) -> dict[str, Any]:
    """Runs a gold query of MySQL's dialect, and gives what :func:`~bai.envs.grading.tools.result_sets.same_result_set`
    expects.

    Order counts where the outermost query has an ORDER BY. Which rows its keys do not tell apart, and which rows a
    LIMIT has cut off though they are as good as the last one, is found by running it once more with the keys among its
    columns and without the limit; where that does not work (DISTINCT, UNION and their like), every row's place counts.

    Raises:
        sqlite3.Error: The query does not run.
        DataError: It cannot be read.
    """
    query = _Query.read(gold)
    cursor = connection.execute(quoted(query.tokens))
    columns, rows = [name for name, *_ in cursor.description], [list(row) for row in cursor]
    return {"columns": columns, "rows": rows, "ordered": bool(query.keys), **_ties(connection, query, rows)}


@dataclass(frozen=True)
class _Query:
    """A query and where the clauses of its outermost SELECT are."""

    tokens: list[Token]
    keys: list[list[Token]]
    """The keys of its ORDER BY, without their directions."""
    end: int
    """Where its ORDER BY ends: at the LIMIT, or with the query."""
    select_end: int | None
    """Where columns can be added without changing its rows; None where they cannot."""

    @classmethod
    def read(cls, sql: str) -> Self:
        pieces = [token for token in tokens(sql) if token != ("sign", ";")]
        outer = [place for place in _outer(pieces) if pieces[place].kind == "word" or pieces[place].value == ","]

        def first(word: str, after: int = -1) -> int | None:
            return next((place for place in outer if place > after and pieces[place].is_word(word)), None)

        order = first("ORDER")
        mixed = any(pieces[place].is_word("DISTINCT", "UNION", "INTERSECT", "EXCEPT") for place in outer)
        if order is None:
            return cls(pieces, [], len(pieces), None)
        by = first("BY", order)
        assert by is not None
        end = first("LIMIT", by) or len(pieces)
        cuts = [by, *(place for place in outer if by < place < end and pieces[place].value == ","), end]
        keys = [[t for t in pieces[a + 1 : b] if not t.is_word("ASC", "DESC")] for a, b in itertools.pairwise(cuts)]
        return cls(pieces, keys, end, None if mixed else first("FROM"))

    def with_keys(self) -> list[Token]:
        """The query with its keys as further columns, and without its limit."""
        assert self.select_end is not None
        added = [token for key in self.keys for token in (Token("sign", ","), Token("space", " "), *key)]
        return [*self.tokens[: self.select_end], *added, Token("space", " "), *self.tokens[self.select_end : self.end]]


def _outer(pieces: list[Token]) -> list[int]:
    """The places that are outside all parentheses."""
    steps = ({"(": 1, ")": -1}.get(token.value, 0) if token.kind == "sign" else 0 for token in pieces)
    return [place for place, depth in enumerate(itertools.accumulate(steps)) if depth == 0]


def _ties(connection: sqlite3.Connection, query: _Query, rows: list[Row]) -> dict[str, Any]:
    if query.select_end is None or not rows:
        return {}
    try:
        keyed = [list(row) for row in connection.execute(quoted(query.with_keys()))]
    except sqlite3.Error:  # a key that only the result has, such as a column's new name
        return {}
    width = len(rows[0])
    if [row[:width] for row in keyed[: len(rows)]] != rows:
        return {}
    ranks = _numbered([row[width:] for row in keyed])
    last = len(rows) - 1
    tied = [row[:width] for row, rank in zip(keyed, ranks, strict=True) if rank == ranks[last]]
    return {"ranks": ranks[: len(rows)], "tied": tied[ranks[: len(rows)].count(ranks[last]) :]}


def _numbered(keys: list[Row]) -> list[int]:
    changes = (place > 0 and key != keys[place - 1] for place, key in enumerate(keys))
    return list(itertools.accumulate(changes, lambda rank, changed: rank + changed, initial=0))[1:]
