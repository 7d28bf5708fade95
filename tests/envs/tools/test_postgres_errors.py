"""Errors of a real PostgreSQL server: whose they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bai.envs.tools.postgres import PostgresSource
from bai.envs.tools.servers import PostgresServer
from bai.errors import ConfigError, InfraError

Fault = Callable[..., tuple[str, str]]
Begun = Callable[..., PostgresSource]
Ask = Callable[[PostgresSource, str], str]
RAISED = ["53100", "58030", "57P01", "57P02", "08006", "XX000", "XX001", "53200"]


def test_an_error_that_code_raises_is_its_own(begun: Begun, fault_of: Fault) -> None:
    """Whatever it is called: a full disk is one where the server says so."""
    made = begun()
    for code in RAISED:
        raised = f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$"
        assert fault_of(made, "sql", query=raised)[0] in ("failed", "died", "too_large")


@pytest.mark.parametrize(
    "script",
    [
        "CREATE",
        "SELECT 1 / 0",
        "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (1)",
        "SELECT 'x'::int",
        "SELECT repeat('x', 900000000)",
        "DO $$ BEGIN RAISE SQLSTATE '53100'; END $$",
        "DO $$ BEGIN RAISE SQLSTATE 'XX000'; END $$",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ],
)
def test_a_script_that_fails_is_a_mistake_of_whoever_wrote_it(begun: Begun, script: str) -> None:
    """Whatever it fails at, ends or asks too much for: the server answers still."""
    with pytest.raises(ConfigError):
        begun(script)


def test_data_that_are_broken_are_no_fault_of_a_call(postgres_url: str, begun: Begun, ask: Ask) -> None:
    """Nor of who is judged: where the server cannot read its own files, the machinery has failed."""
    import psycopg

    made = begun("CREATE TABLE t AS SELECT 1 AS a")
    assert made._database is not None
    with psycopg.connect(postgres_url, dbname=made._database.name, autocommit=True) as admin:
        admin.execute("VACUUM FULL t")  # the file is written, and nothing of it is in memory
        row = admin.execute("SELECT pg_relation_filepath('t')").fetchone()
    assert row is not None
    (Path(postgres_url.split("host=")[1]) / "data" / row[0]).write_bytes(b"\xff" * 8192)
    for step in (lambda: ask(made, "SELECT * FROM t"), made.end_state):
        with pytest.raises(InfraError, match="invalid page"):
            step()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of this test's own, which it may stop."""
    pytest.importorskip("psycopg", reason="needs psycopg")
    if (reason := PostgresServer.unavailable_reason()) is not None:
        pytest.skip(f"needs PostgreSQL: {reason}")
    with PostgresServer() as started:
        yield started


def test_a_server_that_stops_amid_a_statement_is_a_fault_of_the_machinery(server: PostgresServer, ask: Ask) -> None:
    """Its session is lost, and no call has lost it."""
    made = PostgresSource(url=server.url, statement_s=60.0)
    made.begin(None)
    stop = threading.Timer(0.5, server.close)
    stop.start()
    with pytest.raises(InfraError):
        ask(made, "SELECT pg_sleep(50)")
    stop.join()
    made.close()
