"""Roles on a real PostgreSQL server: of whoever makes databases, and of the episodes that are in them."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from bai.envs.tools.postgres import PostgresSource
from bai.errors import ConfigError, ToolFault

Fault = Callable[..., tuple[str, str]]
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


NAMED = [
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC",
    "CREATE POLICY mine ON t TO CURRENT_USER USING (true)",
    "GRANT SELECT ON t TO {other}",
]


def hidden(statement: str) -> str:
    """A statement in a block of code, where its first words are not looked at."""
    return f"DO $$ BEGIN EXECUTE $s${statement}$s$; END $$"


@pytest.mark.parametrize("statement", NAMED)
def test_nothing_is_about_a_role_by_name(postgres_url: str, fault_of: Fault, statement: str) -> None:
    """Such things are refused, hidden ones too: branches have them not, and no role stays behind for their sake."""
    made, bystander, branch = source(postgres_url), source(postgres_url), source(postgres_url)
    other = role_of(bystander)
    said = hidden(statement.format(other=other))
    assert fault_of(made, "sql", query=said)[0] == "refused"
    with pytest.raises(ConfigError, match="role"):
        source(postgres_url, TABLE + statement.format(other=other))
    branch.set_state(made.get_state())
    names = role_of(made), role_of(branch), other
    for one in (made, bystander, branch):
        one.close()
    gc.collect()
    assert present(postgres_url, *names) == 0


def test_what_is_about_a_role_is_asked_of_the_server(postgres_url: str, fault_of: Fault) -> None:
    """An operator of the agent's that has the name of the server's does not answer."""
    made = source(postgres_url)
    ask(made, "CREATE FUNCTION never(a oid, b oid) RETURNS bool LANGUAGE sql AS 'SELECT false'")
    ask(made, "CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = oid, FUNCTION = never)")
    code = f"SET search_path = public, pg_catalog$s$; EXECUTE $s${NAMED[0]}"
    assert fault_of(made, "sql", query=hidden(code))[0] == "refused"


def test_what_names_no_role_is_allowed(postgres_url: str) -> None:
    """Rights and policies of everybody come over to a branch, whose role is then the one that gave them."""
    made, branch = source(postgres_url), source(postgres_url)
    ask(made, "GRANT SELECT ON t TO PUBLIC")
    ask(made, "CREATE POLICY all_of_it ON t USING (true)")
    branch.set_state(made.get_state())
    question = "SELECT replace(relacl::text, current_user, 'me'), (SELECT count(*) FROM pg_policy) FROM pg_class"
    said = ask(made, f"{question} WHERE relname = 't'")
    assert ask(branch, f"{question} WHERE relname = 't'") == said
    assert "=r/me" in said


def test_who_gives_up_all_it_has_may_go_on(postgres_url: str) -> None:
    """The right to enter the database is not the role's to drop."""
    made = source(postgres_url)
    ask(made, "DROP OWNED BY CURRENT_USER")
    assert made.end_state() == {"tables": {}}
    assert ask(made, "SELECT 1") == '["?column?"]\n[1]'
