"""SQL on a real PostgreSQL server."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable

import pytest

from bai.envs.tools.postgres import PostgresSource
from bai.envs.tools.registry import make_source
from bai.envs.tools.servers import PostgresServer
from bai.errors import CannotFork, ConfigError, InfraError, ToolFault

SCRIPT = (
    "CREATE TABLE stock (item TEXT PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO stock VALUES ('pen', 3), ('cup', 5);"
)
STOCK = {"tables": {"stock": {"columns": ["item", "n"], "rows": [["cup", 5], ["pen", 3]]}}}
Fault = Callable[..., tuple[str, str]]
Begun = Callable[..., PostgresSource]
Ask = Callable[[PostgresSource, str], str]


@pytest.fixture
def stock(begun: Begun) -> PostgresSource:
    """A source with one table."""
    return begun(SCRIPT, statement_s=1.0, size_mb=16)


def test_statements_and_what_they_say(ask: Ask, stock: PostgresSource) -> None:
    """Rows of any type as JSON, changes as a number, and no rows as such."""
    assert ask(stock, "SELECT * FROM stock ORDER BY n") == '["item", "n"]\n["pen", 3]\n["cup", 5]'
    assert ask(stock, "UPDATE stock SET n = n + 1") == "ok, 2 rows changed"
    assert ask(stock, "SELECT item FROM stock WHERE false") == '["item"]\nno rows'
    ask(stock, "CREATE TABLE kinds (d date, j jsonb, x numeric, b bytea, a int[])")
    row = """["2020-01-31", {"k": [1]}, 1.5, "x'0001'", [1, 2]]"""
    query = "INSERT INTO kinds VALUES ('2020-01-31', '{\"k\": [1]}', 1.50, '\\x0001', '{1,2}') RETURNING *"
    assert ask(stock, query).splitlines()[1] == row
    assert stock.end_state()["tables"]["kinds"]["rows"] == [["2020-01-31", {"k": [1]}, 1.5, "x'0001'", [1, 2]]]


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) SELECT COUNT(*) FROM r", {"timeout"}),
        ("SELECT pg_sleep(60)", {"timeout"}),
        ("DO $$ BEGIN LOOP END LOOP; END $$", {"timeout"}),
        ("SELECT * FROM generate_series(1, 1000000)", {"too_large"}),
        ("INSERT INTO stock SELECT 'k' || g, g FROM generate_series(1, 10000000) g", {"timeout", "too_large"}),
        ("SELECT repeat('x', 2000000000)", {"too_large", "timeout"}),
        ("SELECT repeat('x', 900000000)", {"too_large", "timeout"}),
        ("SELECT repeat('x', 100000) FROM generate_series(1, 100)", {"too_large"}),
        ("DROP TABLE stock; SELECT 1", {"failed"}),
        ("/* a /* */ -- b\n COMMIT", {"refused", "failed"}),
        ("COMMIT", {"refused"}),
        ("COPY stock TO PROGRAM 'id'", {"refused"}),
        ("SET statement_timeout = 0", {"refused"}),
        ("SELECT pg_read_file('/etc/passwd')", {"refused"}),
        ("SELECT lo_import('/etc/passwd')", {"refused"}),
        ("SELECT lo_from_bytea(0, repeat('x', 10000)::bytea)", {"refused"}),
        ("CREATE ROLE x", {"refused"}),
        ("CREATE DATABASE x", {"failed", "refused"}),
        ("CREATE EXTENSION dblink", {"refused", "failed"}),
        ("ALTER SYSTEM SET fsync = on", {"failed", "refused"}),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user", {"refused"}),
        ("SELECT pg_terminate_backend(pg_backend_pid())", {"died"}),
        ("INSERT INTO stock VALUES ('pen', 1)", {"failed"}),
        ("SELEC", {"failed"}),
        ("SELECT 'a\0b'", {"failed"}),
    ],
)
def test_what_goes_wrong_is_bounded_and_leaves_all_as_it_was(
    stock: PostgresSource, query: str, kinds: set[str], fault_of: Fault
) -> None:
    """Endless statements, giant results, escapes from the transaction, reaches beyond the database, and mistakes."""
    kind, reason = fault_of(stock, "sql", query=query)
    assert kind in kinds, reason
    assert stock.end_state() == STOCK


def hidden(statement: str) -> str:
    """A statement in a block of code, where its first words are not looked at."""
    return f"DO $$ BEGIN EXECUTE $s${statement}$s$; END $$"


@pytest.mark.parametrize(
    "change",
    [
        "PASSWORD 'x'",
        "SET search_path = nowhere",
        "SET statement_timeout = 1",
        "SET local_preload_libraries = 'nothing'",
        "SET default_transaction_read_only = on",
        "IN DATABASE {name} SET lock_timeout = 1",
    ],
)
def test_a_role_cannot_lock_us_out(ask: Ask, stock: PostgresSource, fault_of: Fault, change: str) -> None:
    """Its own password and settings are not its to change; hidden in code, that changes nothing of what is seen."""
    name = ask(stock, "SELECT current_database()").splitlines()[1].strip('["]')
    for start in ("ALTER ROLE", "alter/**/user"):
        statement = f"{start} CURRENT_USER {change.format(name=name)}"
        assert fault_of(stock, "sql", query=statement)[0] == "refused"
    ask(stock, hidden(statement))
    assert stock.end_state() == STOCK
    ask(stock, "SELECT set_config('statement_timeout', '0', false)")
    assert ask(stock, "UPDATE stock SET n = n") == "ok, 2 rows changed"
    assert "off" in ask(stock, "SELECT current_setting('is_superuser')")


@pytest.mark.parametrize(
    ("name", "value"), [("work_mem", "77MB"), ("bytea_output", "escape"), ("enable_seqscan", "off")]
)
def test_a_branch_has_its_parents_settings(
    begun: Begun, ask: Ask, stock: PostgresSource, name: str, value: str
) -> None:
    """Whatever the parent's role was told, both answer alike afterwards; temporary files stay bounded in both."""
    question = f"SELECT current_setting('{name}', true), current_setting('temp_file_limit')"
    before = ask(stock, question)
    ask(stock, hidden(f"ALTER ROLE CURRENT_USER SET {name} = '{value}'"))
    state, other = stock.get_state(), begun(SCRIPT)
    other.set_state(state)
    assert ask(other, question) == ask(stock, question) == before
    assert "64MB" in before


def test_every_episode_is_clean(ask: Ask, stock: PostgresSource) -> None:
    """A database of its own each time; the schema that was dropped is back."""
    ask(stock, "DROP SCHEMA public CASCADE")
    assert stock.end_state() == {"tables": {}}
    stock.begin({"script": SCRIPT})
    assert stock.end_state() == STOCK
    stock.begin(None)
    assert stock.end_state() == {"tables": {}}


def test_branches_are_independent(begun: Begun, ask: Ask, stock: PostgresSource) -> None:
    """A state can be gone back to any number of times, and its new owner may do all in it."""
    ask(stock, "CREATE VIEW few AS SELECT * FROM stock WHERE n < 4")
    ask(stock, "DELETE FROM stock WHERE item = 'cup'")
    state, other = stock.get_state(), begun(SCRIPT)
    ask(stock, "DROP TABLE stock CASCADE")
    for branch in (other, stock):
        branch.set_state(state)
        assert branch.end_state()["tables"]["stock"]["rows"] == [["pen", 3]]
        ask(branch, "ALTER TABLE stock ADD COLUMN x INTEGER")
        ask(branch, "DROP VIEW few")


def test_what_was_made_is_dropped(begun: Begun, postgres_url: str) -> None:
    """Databases and roles of sources and states that are gone are gone."""
    import psycopg

    made = begun(SCRIPT)
    state = made.get_state()
    made.set_state(state)
    del state
    made.close()
    gc.collect()
    with psycopg.connect(postgres_url) as admin:
        gone = "SELECT datname::text FROM pg_database WHERE datname LIKE 'bai!_%' ESCAPE '!'"
        roles = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'bai!_%' ESCAPE '!'"
        assert admin.execute(gone).fetchall() == admin.execute(roles).fetchall() == []


def test_a_database_that_may_not_be_changed(begun: Begun, ask: Ask, fault_of: Fault) -> None:
    """Reading works, nothing else does; the end state may be the last result."""
    made = begun(SCRIPT, writable=False, report="result")
    ask(made, "SELECT item FROM stock ORDER BY item")
    for query in ("DELETE FROM stock", "SELECT lo_from_bytea(0, 'x')"):
        assert fault_of(made, "sql", query=query)[0] == "refused"
    assert made.end_state() == {"columns": ["item"], "rows": [["cup"], ["pen"]]}


def test_what_cannot_be_looked_at_is_the_agents_fault(ask: Ask, stock: PostgresSource) -> None:
    """A value that nests deeper than any may cannot be read back."""
    ask(stock, "CREATE TABLE t (x jsonb)")
    ask(stock, "INSERT INTO t VALUES ((repeat('[', 200) || repeat(']', 200))::jsonb)")
    with pytest.raises(ToolFault, match="cannot be read"):
        stock.end_state()


def test_mistakes_of_whoever_makes_it(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No address, a setup that is none, a script that fails, and a server that is not there are told apart."""
    monkeypatch.delenv("BAI_POSTGRES_URL", raising=False)
    with pytest.raises(ConfigError, match="BAI_POSTGRES_URL"):
        make_source("postgres")
    made = make_source("postgres", {"url": postgres_url})
    for setup in ({"script": "CREATE"}, {"file": "x"}, 3):
        with pytest.raises(ConfigError):
            made.begin(setup)
    with pytest.raises(InfraError):
        make_source("postgres", {"url": "postgresql:///postgres?host=/nowhere"}).begin(None)


def test_a_server_that_went_away_is_a_fault_of_the_machinery(begun: Begun, ask: Ask) -> None:
    """And leaves no process and no file."""
    pytest.importorskip("psycopg", reason="needs psycopg")
    if (reason := PostgresServer.unavailable_reason()) is not None:
        pytest.skip(f"needs PostgreSQL: {reason}")
    server = PostgresServer().start()
    made, folder = begun(SCRIPT, url=server.url), server.folder
    server.close()
    server.close()
    assert not folder.exists()
    with pytest.raises(InfraError):
        ask(made, "SELECT 1")
    made.close()
    with pytest.raises(InfraError, match="does not run"):
        _ = server.url


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ('1' || repeat('0', 5000))::json",
        "SELECT (repeat('[', 3000) || repeat(']', 3000))::json",
        "SELECT (repeat('[', 200) || repeat(']', 200))::json",
        "SELECT repeat('x', 20000000)",
        "SELECT repeat('x', 200000000)",
        "SELECT repeat('x', 10000) FROM generate_series(1, 5000)",
    ],
)
def test_values_that_cannot_be_held_are_faults(ask: Ask, stock: PostgresSource, fault_of: Fault, query: str) -> None:
    """What the server can hold and this process cannot, or should not, is a fault of the call, not of ours."""
    assert fault_of(stock, "sql", query=query)[0] in ("failed", "too_large", "timeout")
    assert ask(stock, "SELECT 1") == '["?column?"]\n[1]'
    assert stock.end_state() == STOCK


def test_numbers_beyond_floats(ask: Ask, stock: PostgresSource) -> None:
    """A number that no float holds is told as text: JSON has no infinity."""
    assert ask(stock, "SELECT '1e400'::numeric").splitlines()[1] == f'["1{"0" * 400}"]'


@pytest.mark.parametrize("start", [";", "/*/**/*/", " ; ", "--\n;/* */"])
def test_nothing_before_a_word_hides_it(stock: PostgresSource, fault_of: Fault, start: str) -> None:
    """Statements that are refused are so behind empty statements and comments, too."""
    assert fault_of(stock, "sql", query=f"{start}COMMIT")[0] == "refused"


@pytest.mark.parametrize(
    "setting",
    ["IntervalStyle='sql_standard'", "client_encoding='EUC_TW'", "DateStyle='German'", "TimeZone='Asia/Tokyo'"],
)
def test_settings_of_a_role_do_not_change_what_is_read(ask: Ask, stock: PostgresSource, setting: str) -> None:
    """What an episode sets for its role changes neither how values look nor whether they can be read."""
    ask(stock, "CREATE TABLE kinds (i interval, d timestamptz)")
    ask(stock, "INSERT INTO kinds VALUES ('1 day', '2020-01-02 03:04:05+00')")
    before, said = stock.end_state(), ask(stock, "SELECT * FROM kinds")
    ask(stock, hidden(f"ALTER ROLE CURRENT_USER SET {setting}"))
    assert (stock.end_state(), ask(stock, "SELECT * FROM kinds")) == (before, said)


def test_policies_hide_no_rows_and_run_nothing_when_read(ask: Ask, stock: PostgresSource) -> None:
    """A table whose policies would hide rows from its owner, or sleep, is not read: the judge is told so at once."""
    ask(
        stock,
        "CREATE FUNCTION slow() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3600); RETURN false; END $$",
    )
    ask(stock, "CREATE POLICY hidden ON stock USING (slow())")
    ask(stock, "ALTER TABLE stock ENABLE ROW LEVEL SECURITY")
    assert stock.end_state() == STOCK
    ask(stock, "ALTER TABLE stock FORCE ROW LEVEL SECURITY")
    with pytest.raises(ToolFault, match="cannot be read"):
        stock.end_state()


def test_the_size_is_asked_of_the_server(begun: Begun, ask: Ask, fault_of: Fault) -> None:
    """A function of the agent's that has the name of the server's does not answer for the size of the database."""
    made = begun(SCRIPT, size_mb=1)
    ask(made, "CREATE FUNCTION public.pg_database_size(name) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'")
    grow = (
        "WITH s AS MATERIALIZED (SELECT set_config('search_path', 'public, pg_catalog', false)) "
        "INSERT INTO stock SELECT g || repeat(md5(g::text), 30), g FROM s, generate_series(1, 10000) g"
    )
    assert fault_of(made, "sql", query=grow)[0] == "too_large"


def test_a_database_is_not_pickled(stock: PostgresSource) -> None:
    """It would be dropped under whoever has the copy."""
    with pytest.raises(CannotFork, match="pickled"):
        pickle.dumps(stock.get_state())
