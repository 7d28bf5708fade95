"""How large a database on a real PostgreSQL server may grow, and what becomes of what went beyond."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable

import pytest

from bai.envs.tools.postgres import PostgresSource
from bai.errors import ToolFault

Fault = Callable[..., tuple[str, str]]
Begun = Callable[..., PostgresSource]
Ask = Callable[[PostgresSource, str], str]
TABLE = "CREATE TABLE t (a int PRIMARY KEY, x text); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g;"
FILL = "INSERT INTO t SELECT g, repeat(md5(g::text), 30) FROM generate_series({first}, {last}) g"
"""A thousand rows take a mebibyte."""


def size(made: PostgresSource) -> int:
    return int(made.call("sql", {"query": "SELECT pg_database_size(current_database())"}).splitlines()[1].strip("[]"))


@pytest.mark.parametrize(
    "query",
    [
        FILL.format(first=1_000, last=9_000),
        FILL.format(first=1_000, last=9_000) + " RETURNING *",
        "DO $$ BEGIN FOR i IN 1..400 LOOP EXECUTE 'CREATE TABLE t' || i || ' (a text PRIMARY KEY)'; END LOOP; END $$",
    ],
    ids=["rows", "rows that are told", "tables"],
)
def test_a_refused_statement_costs_the_call_and_nothing_else(
    begun: Begun, ask: Ask, fault_of: Fault, query: str
) -> None:
    """What it wrote before it was undone takes no room from the statements that follow."""
    made = begun(TABLE)
    before, first = made.end_state(), size(made)
    assert fault_of(made, "sql", query=query)[0] == "too_large"
    assert (made.end_state(), size(made) <= first + 500_000) == (before, True)
    assert ask(made, "SELECT count(*) FROM t").endswith("[100]")
    assert ask(made, "UPDATE t SET x = 'y'") == "ok, 100 rows changed"
    assert ask(made, FILL.format(first=1_000, last=1_200)) == "ok, 201 rows changed"
    assert ask(made, "DELETE FROM t") == "ok, 301 rows changed"
    ask(made, "TRUNCATE t")
    ask(made, "DROP TABLE t")


def test_rows_that_were_replaced_make_room(begun: Begun, ask: Ask) -> None:
    """Updates may go on for ever, though each writes all rows anew."""
    made = begun(f"{TABLE} {FILL.format(first=101, last=500)}")
    for _ in range(8):
        assert ask(made, "UPDATE t SET x = x || 'x'") == "ok, 500 rows changed"
    assert made.end_state()["tables"]["t"]["rows"][0] == [1, "x" * 9]


def deferred(code: str) -> str:
    """Statements that make a trigger which runs at the end of a transaction that changes ``t``."""
    return f"""{TABLE}
    CREATE TABLE other (a int, x text);
    CREATE FUNCTION grow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {code} RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION grow();"""


GROW = FILL.format(first=1, last=5_000).replace("INTO t", "INTO public.other") + ";"
AGAIN = "SET CONSTRAINTS ALL DEFERRED; UPDATE public.t SET x = 'z' WHERE a = 2;"


@pytest.mark.parametrize(
    ("code", "kinds"),
    [(GROW, {"too_large"}), (f"IF NEW.a = 1 THEN {AGAIN} ELSE {GROW} END IF;", {"refused"})],
    ids=["once", "put off again"],
)
def test_what_is_put_off_to_the_end_counts(begun: Begun, ask: Ask, fault_of: Fault, code: str, kinds: set[str]) -> None:
    """A deferred trigger runs before the size is asked, and one that puts itself off once more changes nothing."""
    made = begun(deferred(code))
    before = made.end_state()
    assert fault_of(made, "sql", query="UPDATE t SET x = 'y' WHERE a = 1")[0] in kinds
    assert made.end_state() == before
    assert ask(made, "SELECT count(*) FROM other").endswith("[0]")


CHAIN = """
IF NEW.x = 'y' THEN SET CONSTRAINTS ALL DEFERRED; UPDATE public.t SET x = 'z' WHERE a = 2;
ELSE PERFORM pg_catalog.lo_from_bytea(0, pg_catalog.convert_to(pg_catalog.repeat('x', 4000000), 'UTF8')); END IF;
"""
"""Puts itself off, and makes a large object when it runs again; some servers allow that where one may only read."""


def test_what_is_put_off_twice_is_looked_at(begun: Begun, ask: Ask, fault_of: Fault, maker_url: str) -> None:
    """Where we may not take away the right to make large objects, they are found before the transaction ends."""
    made = begun(deferred(CHAIN), url=maker_url)
    assert fault_of(made, "sql", query="UPDATE t SET x = 'y' WHERE a = 1")[0] == "refused"
    assert ask(made, "SELECT count(*) FROM t WHERE x = 'x'").endswith("[100]")


def test_rows_make_room_whatever_others_do(begun: Begun, ask: Ask, postgres_url: str) -> None:
    """A transaction elsewhere that is older than the rows that are gone is waited for."""
    import psycopg

    made = begun(f"{TABLE} {FILL.format(first=101, last=500)}")
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT pg_current_xact_id()")
        end = threading.Timer(1.5, other.rollback)
        end.start()
        for _ in range(5):
            assert ask(made, "UPDATE t SET x = x || 'x'") == "ok, 500 rows changed"
        end.join()


def test_an_index_that_cannot_be_built_anew_is_no_fault_of_ours(begun: Begun, ask: Ask, fault_of: Fault) -> None:
    """Files that cannot be packed stay as they are; statements that do not grow go on."""
    made = begun(TABLE)
    define = "CREATE OR REPLACE FUNCTION f(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN {} END $$"
    ask(made, define.format("RETURN a;"))
    ask(made, "CREATE INDEX ON t (f(a))")
    ask(made, define.format("IF a < 100 THEN RAISE 'no'; END IF; RETURN a;"))
    assert fault_of(made, "sql", query=FILL.format(first=1_000, last=9_000))[0] == "too_large"
    assert ask(made, "DELETE FROM t WHERE a < 100") == "ok, 99 rows changed"
    assert ask(made, "SELECT count(*) FROM t").endswith("[1]")


def test_a_fault_of_size_can_be_sent(begun: Begun, ask: Ask) -> None:
    """It is a tool's fault like any other, wherever it is taken to."""
    made = begun(TABLE)
    with pytest.raises(ToolFault) as caught:
        ask(made, FILL.format(first=1_000, last=9_000))
    sent = pickle.loads(pickle.dumps(caught.value))
    assert (type(sent), sent.kind, sent.reason) == (ToolFault, "too_large", caught.value.reason)
