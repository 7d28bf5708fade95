"""What is read of a real PostgreSQL server, and what becomes of that which is let go meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from bai.envs.tools.postgres import PostgresSource
from bai.envs.tools.postgres_databases import Database, enter, make_database
from bai.envs.tools.postgres_reading import Allowance, read_result
from bai.errors import ToolFault

PACKED = [
    ("x text", "SELECT repeat('x', 3000000) FROM generate_series(1, 4)"),
    ("x jsonb", "SELECT ('[' || repeat('[],', 300000) || '0]')::jsonb"),
    (", ".join(f"c{at} int" for at in range(500)), "SELECT NULL FROM generate_series(1, 3000)"),
]


@pytest.mark.parametrize(("columns", "query"), PACKED, ids=["text", "lists", "nulls"])
def test_an_end_state_is_bounded(postgres_url: str, columns: str, query: str) -> None:
    """What the server packs well, or what takes more room here than there, is not unpacked without end."""
    made = PostgresSource(url=postgres_url, size_mb=1, statement_s=10.0)
    made.begin({"script": f"CREATE TABLE t ({columns})"})
    made.call("sql", {"query": f"INSERT INTO t {query}"})
    with pytest.raises(ToolFault, match="bytes") as caught:
        made.end_state()
    assert caught.value.kind == "too_large"


class LettingGo(Allowance):
    """An allowance that lets go of a database with the first row, as a collection of garbage may at any time."""

    def __init__(self, database: Database) -> None:
        super().__init__(10_000_000)
        self._kept = [database]

    def take(self, result: Any) -> None:
        self._kept.clear()
        super().take(result)


def test_what_is_let_go_amid_a_result_is_dropped_after_it(postgres_url: str) -> None:
    """The server drops nothing while rows wait to be taken: whoever takes them does not wait for that."""
    import psycopg

    allowance = LettingGo(gone := make_database(postgres_url))
    name = gone.name
    del gone
    with enter(make_database(postgres_url), 60.0) as session:
        query = b"SELECT repeat('x', 1000) FROM generate_series(1, 5000)"
        assert len(read_result(session, query, allowance)["rows"]) == 5_000
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        while admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
            time.sleep(0.02)


def test_no_operator_of_the_agents_answers_for_an_end_state(begun: Callable[..., PostgresSource]) -> None:
    """One that says that no table is any hides none."""
    made = begun("CREATE TABLE t (a int)")
    for statement in (
        "CREATE FUNCTION never(name, name) RETURNS bool LANGUAGE sql AS 'SELECT false'",
        "CREATE OPERATOR !~~ (LEFTARG = name, RIGHTARG = name, FUNCTION = never)",
        "CREATE OPERATOR <> (LEFTARG = name, RIGHTARG = name, FUNCTION = never)",
    ):
        made.call("sql", {"query": statement})
    assert made.end_state() == {"tables": {"t": {"columns": ["a"], "rows": []}}}
