"""SQL on SQLite: what works, what is refused, what is stopped, and that nothing of it stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bai.envs.tools.registry import make_source
from bai.envs.tools.sqlite import SQLiteSource
from bai.errors import ConfigError, ToolFault

SCRIPT = (
    "CREATE TABLE stock (item TEXT PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO stock VALUES ('pen', 3), ('cup', 5);"
)
STOCK = {"columns": ["item", "n"], "rows": [["cup", 5], ["pen", 3]]}
Fault = Callable[..., tuple[str, str]]


def source(setup: Any = None, **settings: Any) -> SQLiteSource:
    made = make_source("sqlite", {"sandbox": "process", **settings})
    assert isinstance(made, SQLiteSource)
    made.begin({"script": SCRIPT} if setup is None else setup)
    return made


def ask(made: SQLiteSource, query: str) -> str:
    return made.call("sql", {"query": query})


def test_statements_and_what_they_say() -> None:
    """Rows as lines of JSON below the columns, changes as a number; the state is every table."""
    stock = source()
    assert ask(stock, "SELECT * FROM stock ORDER BY n") == '["item", "n"]\n["pen", 3]\n["cup", 5]'
    assert ask(stock, "UPDATE stock SET n = n + 1") == "ok, 2 rows changed"
    assert ask(stock, "SELECT 1 WHERE 0") == '["1"]\nno rows'
    assert ask(stock, "CREATE TABLE old (a)") == "ok, 0 rows changed"
    assert ask(stock, "INSERT INTO old VALUES (x'00ff'), (NULL), (1.5), (9e999) RETURNING a").endswith('["inf"]')
    assert stock.end_state() == {
        "tables": {
            "old": {"columns": ["a"], "rows": [[None], [1.5], ["inf"], ["x'00ff'"]]},
            "stock": {"columns": ["item", "n"], "rows": [["cup", 6], ["pen", 4]]},
        }
    }


def test_every_episode_is_clean() -> None:
    """A dropped table is back."""
    stock = source()
    ask(stock, "DROP TABLE stock")
    assert stock.end_state() == {"tables": {}}
    stock.begin({"script": SCRIPT})
    assert stock.end_state() == {"tables": {"stock": STOCK}}


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH DATABASE '/tmp/x.db' AS x",
        "ATTACH ':memory:' AS x",
        "DETACH main",
        "VACUUM INTO '/tmp/x.db'",
        "PRAGMA journal_mode=WAL",
        "PRAGMA writable_schema=1",
        "PRAGMA max_page_count=1000000",
        "SELECT load_extension('x')",
        "BEGIN",
        "SAVEPOINT a",
        "CREATE VIRTUAL TABLE v USING fts5(a)",
        "CREATE TEMP TABLE t (a)",
        "UPDATE sqlite_master SET sql = ''",
    ],
)
def test_what_is_refused(query: str, fault_of: Fault) -> None:
    """Is named, and nothing has changed."""
    stock = source()
    kind, reason = fault_of(stock, "sql", query=query)
    assert kind in ("refused", "failed") and reason
    assert stock.end_state() == {"tables": {"stock": STOCK}}


def test_pragmas_that_tell() -> None:
    """An agent may look at the schema."""
    stock = source()
    assert '"item"' in ask(stock, "PRAGMA table_info(stock)")
    assert "CREATE TABLE" in ask(stock, "SELECT sql FROM sqlite_master")


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) SELECT COUNT(*) FROM r", "timeout"),
        ("WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) INSERT INTO stock SELECT a, a FROM r", None),
        ("WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r LIMIT 1000000) SELECT a FROM r", "too_large"),
        ("SELECT randomblob(1000000000)", "too_large"),
        ("SELECT replace(hex(zeroblob(400000)), '0', 'abcdefgh')", "too_large"),
        (
            "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r LIMIT 900) SELECT zeroblob(900000) FROM r",
            None,
        ),
        ("SELECT 1; DROP TABLE stock", "failed"),
        ("SELEC 1", "failed"),
        ("SELECT * FROM nowhere", "failed"),
        ("INSERT INTO stock VALUES ('pen', 1)", "failed"),
        ("SELECT '\0'", "failed"),
        ("", None),
    ],
)
def test_what_goes_wrong_is_bounded_and_leaves_all_as_it_was(query: str, kind: str | None, fault_of: Fault) -> None:
    """Endless recursion, a million rows, giant values, several statements, and mistakes."""
    stock = source(statement_s=0.5)
    if query:
        found, reason = fault_of(stock, "sql", query=query)
        assert found == kind or kind is None, reason
    else:
        assert ask(stock, query) == "ok, 0 rows changed"
    assert stock.end_state() == {"tables": {"stock": STOCK}}


def test_memory_is_bounded(fault_of: Fault) -> None:
    """A statement that keeps megabytes of values ends its process at worst; the database and the next call are good."""
    stock = source(statement_s=10.0, size_mb=1)
    query = (
        "WITH RECURSIVE r(a, b) AS (SELECT 1, randomblob(900000) UNION SELECT a + 1, randomblob(900000) FROM r "
        "LIMIT 100000) SELECT COUNT(*) FROM r ORDER BY b"
    )
    assert fault_of(stock, "sql", query=query)[0] in ("too_large", "timeout", "failed")
    assert stock.end_state() == {"tables": {"stock": STOCK}}


def test_a_database_that_may_not_be_changed(fault_of: Fault) -> None:
    """Reading works, nothing else does."""
    stock = source(writable=False)
    assert "pen" in ask(stock, "SELECT * FROM stock")
    for query in ("DELETE FROM stock", "DROP TABLE stock", "CREATE TABLE x (a)"):
        assert fault_of(stock, "sql", query=query)[0] == "refused"
    assert stock.end_state() == {"tables": {"stock": STOCK}}


def test_the_last_result_as_end_state() -> None:
    """It is whole, where the agent sees only its beginning; None before there is one."""
    stock = source(report="result", shown_rows=1)
    assert stock.end_state() is None
    assert ask(stock, "SELECT n FROM stock ORDER BY n").endswith("[1 more rows not shown]")
    ask(stock, "DELETE FROM stock")
    with pytest.raises(ToolFault):
        ask(stock, "SELECT nothing")
    assert stock.end_state() == {"columns": ["n"], "rows": [[3], [5]]}


def test_branches_are_independent() -> None:
    """A state can be gone back to any number of times, here and in another source."""
    one, other = source(), source()
    ask(one, "DELETE FROM stock WHERE item = 'cup'")
    state = one.get_state()
    ask(one, "DELETE FROM stock")
    for branch in (other, one):
        branch.set_state(state)
        assert branch.end_state()["tables"]["stock"]["rows"] == [["pen", 3]]
    ask(other, "DELETE FROM stock")
    assert one.end_state()["tables"]["stock"]["rows"] == [["pen", 3]]


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_file_is_copied(tmp_path: Path, journal: str) -> None:
    """It is read, whatever its journal, and never written."""
    path = tmp_path / "stock.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.executescript(SCRIPT)
    connection.close()
    before = path.read_bytes()
    stock = source({"file": str(path)})
    ask(stock, "DELETE FROM stock")
    assert stock.end_state()["tables"]["stock"]["rows"] == [] and path.read_bytes() == before


def test_mistakes_of_whoever_makes_it() -> None:
    """Are told with what was expected and what came."""
    for settings in ({"report": "rows"}, {"statement_s": 0}, {"most_rows": 0}, {"size_mb": True}, {"colour": "red"}):
        with pytest.raises(ConfigError):
            make_source("sqlite", settings)
    for setup in ({"script": "CREATE"}, {"file": "/nowhere"}, {"scrpt": ""}, 3, {"script": "", "file": ""}):
        with pytest.raises(ConfigError):
            source(setup)
    with pytest.raises(ConfigError, match="there is no tool source 'sqlit'"):
        make_source("sqlit")


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 40) SELECT randomblob(500000) FROM r",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 20) "
        "INSERT INTO big SELECT zeroblob(950000) FROM r",
    ],
)
def test_results_and_databases_beyond_what_is_passed_on(fault_of: Fault, query: str) -> None:
    """More than can be passed out of the sandbox is the statement's fault, never the machinery's."""
    made = make_source("sqlite", {"statement_s": 20.0, "size_mb": 32})
    made.begin({"script": "CREATE TABLE big (b)"})
    assert fault_of(made, "sql", query=query)[0] == "too_large"
    assert made.end_state() == {"tables": {"big": {"columns": ["b"], "rows": []}}}
