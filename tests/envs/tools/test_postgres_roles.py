"""Roles on a real PostgreSQL server: of whoever makes databases, and of the episodes that are in them."""

from __future__ import annotations

import gc

import pytest

from bai.envs.tools.postgres import PostgresSource
from bai.errors import ConfigError, ToolFault

TABLE = "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2);"


def source(url: str, script: str = TABLE) -> PostgresSource:
    made = PostgresSource(url=url, statement_s=10.0, size_mb=1)
    made.begin({"script": script})
    return made


def ask(made: PostgresSource, query: str) -> str:
    return made.call("sql", {"query": query})


def role_of(made: PostgresSource) -> str:
    return ask(made, "SELECT current_user").splitlines()[1].strip('["]')


def present(url: str, *names: str) -> int:
    """How many roles and databases of these names there are."""
    import psycopg

    query = (
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = ANY(%(names)s)) "
        "+ (SELECT count(*) FROM pg_database WHERE datname = ANY(%(names)s))"
    )
    with psycopg.connect(url) as admin:
        row = admin.execute(query, {"names": list(names)}).fetchone()
    assert row is not None
    return int(row[0])


def test_a_role_that_may_make_databases_and_roles_is_enough(postgres_url: str) -> None:
    """Making, branching, packing and dropping need no superuser."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE maker LOGIN CREATEDB CREATEROLE")
    made = source(url := postgres_url.replace("bai@", "maker@"))
    with pytest.raises(ToolFault, match="too large"):
        ask(made, "INSERT INTO t SELECT g FROM generate_series(3, 60000) g")
    other = source(url)
    other.set_state(made.get_state())
    assert ask(other, "DELETE FROM t WHERE a = 1") == "ok, 1 row changed"
    assert other.end_state() == {"tables": {"t": {"columns": ["a"], "rows": [[2]]}}}
    names = role_of(made), role_of(other)
    assert present(url, *names) == 4
    made.close()
    other.close()
    gc.collect()
    assert present(url, *names) == 0
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("DROP ROLE maker")


@pytest.mark.parametrize("script", ["CREATE", "SELECT 1 / 0", f"{TABLE} INSERT INTO t VALUES (1)", "SELECT 'x'::int"])
def test_a_script_that_fails_is_a_mistake_of_whoever_wrote_it(postgres_url: str, script: str) -> None:
    """Whatever it fails at, the machinery is whole."""
    with pytest.raises(ConfigError):
        source(postgres_url, script)
