"""What is expected of a gold query: its rows, and which of them its order does not settle."""

from __future__ import annotations

import sqlite3

import pytest

from bai.envs.tasks.spider.gold import expected_result


def test_without_an_order_only_the_rows_count(shop: sqlite3.Connection) -> None:
    """An ORDER BY within parentheses is not the result's."""
    expected = expected_result(shop, "SELECT id FROM (SELECT id FROM item ORDER BY id LIMIT 2)")
    assert expected == {"columns": ["id"], "rows": [[1], [2]], "ordered": False}


@pytest.mark.parametrize(
    ("query", "rows", "ranks", "tied"),
    [
        ("SELECT id FROM item ORDER BY id", [1, 2, 3, 4], [0, 1, 2, 3], []),
        ("SELECT id FROM item ORDER BY price DESC, sold", [4, 3, 1, 2], [0, 1, 2, 3], []),
        ("SELECT id FROM item ORDER BY price DESC", [3, 4, 1, 2], [0, 0, 1, 2], []),
        ("SELECT id FROM item ORDER BY price DESC LIMIT 1;", [3], [0], [[4]]),
        ("SELECT id FROM item ORDER BY price DESC LIMIT 3", [3, 4, 1], [0, 0, 1], []),
        ("SELECT max(id) FROM item GROUP BY `made in` ORDER BY count(*) LIMIT 1", [4], [0], [[2]]),
    ],
)
def test_ties_are_found(
    shop: sqlite3.Connection, query: str, rows: list[int], ranks: list[int], tied: list[list[int]]
) -> None:
    """Rows with equal keys have one rank; those that a limit cut off beside the last are told."""
    expected = expected_result(shop, query)
    assert (expected["rows"], expected["ordered"]) == ([[row] for row in rows], True)
    assert (expected["ranks"], expected["tied"]) == (ranks, tied)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT DISTINCT price FROM item ORDER BY price",
        "SELECT id FROM item UNION SELECT 9 ORDER BY id",
        "SELECT price * 2 AS twice FROM item ORDER BY twice",
    ],
)
def test_where_ties_cannot_be_found_every_place_counts(shop: sqlite3.Connection, query: str) -> None:
    """Then there are no ranks."""
    assert set(expected_result(shop, query)) == {"columns", "rows", "ordered"}


def test_a_query_that_does_not_run_is_an_error(shop: sqlite3.Connection) -> None:
    """It is never an empty result."""
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        expected_result(shop, "SELECT colour FROM item")
