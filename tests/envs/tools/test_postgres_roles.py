"""Roles on a real PostgreSQL server: of whoever makes databases, and of the episodes that are in them."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from bai.envs.tools.postgres import PostgresSource
from bai.errors import ConfigError, ToolFault

Fault = Callable[..., tuple[str, str]]
Begun = Callable[..., PostgresSource]
Ask = Callable[[PostgresSource, str], str]
TABLE = "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2);"


def role_of(made: PostgresSource) -> str:
    return made.call("sql", {"query": "SELECT current_user"}).splitlines()[1].strip('["]')


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


def test_a_role_that_may_make_databases_and_roles_is_enough(begun: Begun, ask: Ask, maker_url: str) -> None:
    """Making, branching, packing and dropping need no superuser, nor do schemas."""
    made = begun(TABLE, url=maker_url)
    ask(made, "CREATE SCHEMA sales")
    with pytest.raises(ToolFault, match="too large"):
        ask(made, "INSERT INTO t SELECT g FROM generate_series(3, 60000) g")
    other = begun(TABLE, url=maker_url)
    other.set_state(made.get_state())
    ask(other, "DROP SCHEMA sales")
    assert ask(other, "DELETE FROM t WHERE a = 1") == "ok, 1 row changed"
    assert other.end_state() == {"tables": {"t": {"columns": ["a"], "rows": [[2]]}}}
    names = role_of(made), role_of(other)
    assert present(maker_url, *names) == 4
    made.close()
    other.close()
    gc.collect()
    assert present(maker_url, *names) == 0


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
def test_nothing_is_about_a_role_by_name(begun: Begun, postgres_url: str, fault_of: Fault, statement: str) -> None:
    """Such things are refused, hidden ones too: branches have them not, and no role stays behind for their sake."""
    made, bystander, branch = begun(TABLE), begun(TABLE), begun(TABLE)
    other = role_of(bystander)
    said = hidden(statement.format(other=other))
    assert fault_of(made, "sql", query=said)[0] == "refused"
    with pytest.raises(ConfigError, match="role"):
        begun(TABLE + statement.format(other=other))
    branch.set_state(made.get_state())
    names = role_of(made), role_of(branch), other
    for one in (made, bystander, branch):
        one.close()
    gc.collect()
    assert present(postgres_url, *names) == 0


def test_what_is_about_a_role_is_asked_of_the_server(begun: Begun, ask: Ask, fault_of: Fault) -> None:
    """An operator of the agent's that has the name of the server's does not answer."""
    made = begun(TABLE)
    ask(made, "CREATE FUNCTION never(a oid, b oid) RETURNS bool LANGUAGE sql AS 'SELECT false'")
    ask(made, "CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = oid, FUNCTION = never)")
    code = f"SET search_path = public, pg_catalog$s$; EXECUTE $s${NAMED[0]}"
    assert fault_of(made, "sql", query=hidden(code))[0] == "refused"


def test_what_names_no_role_is_allowed(begun: Begun, ask: Ask) -> None:
    """Rights and policies of everybody come over to a branch, whose role is then the one that gave them."""
    made, branch = begun(TABLE), begun(TABLE)
    ask(made, "GRANT SELECT ON t TO PUBLIC")
    ask(made, "CREATE POLICY all_of_it ON t USING (true)")
    branch.set_state(made.get_state())
    question = "SELECT replace(relacl::text, current_user, 'me'), (SELECT count(*) FROM pg_policy) FROM pg_class"
    said = ask(made, f"{question} WHERE relname = 't'")
    assert ask(branch, f"{question} WHERE relname = 't'") == said
    assert "=r/me" in said


def test_who_gives_up_all_it_has_may_go_on(begun: Begun, ask: Ask) -> None:
    """The right to enter the database is not the role's to drop."""
    made = begun(TABLE)
    ask(made, "DROP OWNED BY CURRENT_USER")
    assert made.end_state() == {"tables": {}}
    assert ask(made, "SELECT 1") == '["?column?"]\n[1]'


def test_settings_in_other_databases_are_put_back(begun: Begun, ask: Ask, postgres_url: str) -> None:
    """What a role sets for its sessions elsewhere is gone with the next statement, and costs that one alone."""
    import psycopg

    made = begun(TABLE)
    ask(made, hidden("ALTER ROLE CURRENT_USER IN DATABASE postgres SET work_mem = '77MB'"))
    ask(made, "SELECT 1")
    with psycopg.connect(postgres_url) as admin:
        query = "SELECT count(*) FROM pg_db_role_setting WHERE array_to_string(setconfig, ',') LIKE '%work_mem%'"
        assert admin.execute(query).fetchone() == (0,)


@pytest.mark.parametrize("lock", ["pg_advisory_lock", "pg_advisory_xact_lock", "pg_try_advisory_lock_shared"])
def test_the_servers_locks_are_not_taken_away_from_others(begun: Begun, fault_of: Fault, lock: str) -> None:
    """There is one table of them for all: locks that are made by a number are refused."""
    made = begun(TABLE)
    assert fault_of(made, "sql", query=f"SELECT {lock}(g) FROM generate_series(1, 1000) g")[0] == "refused"


def test_locks_are_let_go_of_before_a_call_ends(begun: Begun, ask: Ask, fault_of: Fault, postgres_url: str) -> None:
    """Whatever a statement held when it failed, nothing is held any more when its fault is told."""
    import psycopg

    made = begun(TABLE)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        for query in ("DO $$ BEGIN LOCK t; RAISE 'no'; END $$", "DELETE FROM t WHERE a / 0 = 1", "SELECT a / 0 FROM t"):
            assert fault_of(made, "sql", query=query)[0] == "failed"
            row = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (role_of(made),)).fetchone()
            assert row == (0,)
