"""Code on a real PostgreSQL server that does not end: it costs its call a few seconds, and nobody else anything."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from bai.envs.tools import postgres, postgres_sessions, postgres_size
from bai.envs.tools.postgres import PostgresSource
from bai.envs.tools.postgres_databases import enter, make_database
from bai.envs.tools.postgres_reading import Allowance, read_result
from bai.envs.tools.postgres_statements import expect_allowed
from bai.errors import CannotFork, InfraError, ToolFault

Fault = Callable[..., tuple[str, str]]
Begun = Callable[..., PostgresSource]
Ask = Callable[[PostgresSource, str], str]
STUBBORN = "LOOP BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP;"
"""Code that catches the server's own way of stopping it."""
TABLE = "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2);"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less time for what the server does not stop by itself."""
    monkeypatch.setattr(postgres, "_GRACE_S", 0.3)
    monkeypatch.setattr(postgres_sessions, "_GRACE_S", 1)
    monkeypatch.setattr(postgres_size, "_PACK_S", 0.5)


def sessions_of(url: str, made: PostgresSource) -> int:
    """How many sessions there are in a source's database."""
    import psycopg

    assert made._database is not None
    with psycopg.connect(url) as admin:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        row = admin.execute(query, (made._database.name,)).fetchone()
    assert row is not None
    return int(row[0])


def test_a_statement_that_catches_its_end_ends(begun: Begun, ask: Ask, fault_of: Fault, postgres_url: str) -> None:
    """It is a timeout, its session is gone, and the source goes on."""
    made = begun(TABLE, statement_s=0.5)
    assert fault_of(made, "sql", query=f"DO $$ BEGIN {STUBBORN} END $$")[0] == "timeout"
    assert sessions_of(postgres_url, made) == 0
    assert ask(made, "SELECT count(*) FROM t") == '["count"]\n[2]'


def test_code_that_waits_for_the_end_of_a_transaction_ends(begun: Begun, ask: Ask, fault_of: Fault) -> None:
    """A deferred trigger is bounded like the statement that it belongs to."""
    made = begun(
        f"""{TABLE}
        CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {STUBBORN} END $$;
        CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            EXECUTE FUNCTION hang();""",
        statement_s=0.5,
    )
    assert fault_of(made, "sql", query="UPDATE t SET a = 3")[0] == "timeout"
    assert ask(made, "SELECT min(a) FROM t") == '["min"]\n[1]'


def test_other_threads_go_on(begun: Begun, ask: Ask) -> None:
    """A statement that takes its time takes nobody else's in this process."""
    made, looks, is_over = begun(statement_s=5.0), [], threading.Event()

    def look() -> None:
        while not is_over.wait(0.01):
            looks.append(time.monotonic())

    thread = threading.Thread(target=look)
    thread.start()
    ask(made, "SELECT pg_sleep(1)")
    is_over.set()
    thread.join()
    assert len(looks) > 20


def test_an_index_that_never_ends_does_not_keep_files_from_being_packed_for_ever(
    begun: Begun, ask: Ask, fault_of: Fault, postgres_url: str
) -> None:
    """Its function runs when files are written anew: the statement is refused, and all goes on."""
    made = begun(TABLE)
    define = "CREATE OR REPLACE FUNCTION f(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN {} END $$"
    ask(made, define.format("RETURN a;"))
    ask(made, "CREATE INDEX ON t (f(a))")
    ask(made, define.format(f"IF a > 5 THEN RETURN a; END IF; {STUBBORN}"))
    assert fault_of(made, "sql", query="INSERT INTO t SELECT g FROM generate_series(10, 100000) g")[0] == "too_large"
    assert sessions_of(postgres_url, made) == 0
    assert ask(made, "SELECT count(*) FROM t") == '["count"]\n[2]'


def test_a_server_that_takes_no_more_connections_keeps_nobody(postgres_url: str) -> None:
    """Where nobody may enter to end a session, our end of the line is cut."""
    import psycopg

    database, started = make_database(postgres_url), time.monotonic()
    with pytest.raises(InfraError), ExitStack() as stack:
        session = stack.enter_context(enter(database, 0.5))
        with pytest.raises(psycopg.OperationalError, match=r"too many|reserved"):
            while True:
                stack.enter_context(psycopg.connect(postgres_url))
        read_result(session, f"DO $$ BEGIN {STUBBORN} END $$".encode(), Allowance(1_000))
    assert time.monotonic() - started < 30.0


@pytest.mark.parametrize("blank", ["--x\r", "--x\n", "/*\r*/", "\f", "--\r--\r\n"])
@pytest.mark.parametrize("query", ["COPY t TO STDOUT", "COPY t FROM STDIN", "SET work_mem = '1MB'", "ROLLBACK"])
def test_nothing_before_a_word_hides_what_would_go_on(blank: str, query: str) -> None:
    """A comment ends where the server says so."""
    with pytest.raises(ToolFault, match="not allowed"):
        expect_allowed(f"{blank}{query}")


@pytest.mark.parametrize("query", [b"COPY pg_class TO STDOUT", b"COPY t FROM STDIN"])
def test_a_copy_is_left(postgres_url: str, query: bytes) -> None:
    """Were one to come through, its session would end all the same."""
    import psycopg

    with enter(make_database(postgres_url), 60.0) as session:
        session.execute("CREATE TABLE t (a int)")
        with pytest.raises(psycopg.Error):
            read_result(session, query, Allowance(1_000))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a timer may not have ended yet
def test_a_forked_child_does_not_go_on_in_its_parents_database(begun: Begun, ask: Ask) -> None:
    """It is told to begin an episode of its own, may, and leaves the parent's as it is."""
    made = begun(TABLE)
    child = os.fork()
    if child == 0:
        told = 0
        for step in (lambda: ask(made, "INSERT INTO t VALUES (3)"), made.end_state, made.get_state):
            try:
                step()
            except CannotFork:
                told += 1
        made.begin({"script": TABLE})
        ask(made, "DELETE FROM t")
        told += made.end_state()["tables"]["t"]["rows"] == []
        made.close()
        os._exit(0 if told == 4 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert made.end_state()["tables"]["t"]["rows"] == [[1], [2]]


def test_code_does_not_fill_the_log(begun: Begun, ask: Ask, postgres_url: str) -> None:
    """Nothing bounds what it may say there: a private server writes none of it down."""
    log = Path(postgres_url.split("host=")[1]) / "log"
    made, before = begun(), log.stat().st_size
    ask(made, "DO $$ BEGIN FOR i IN 1..50 LOOP RAISE LOG '%', repeat('x', 100000); END LOOP; END $$")
    assert log.stat().st_size - before < 100_000
