"""SQLite inside a sandbox: one statement at a time, on a database that comes and goes as bytes.

This file is loaded as source in the sandbox (:class:`bai.envs.tools.sqlite.SQLiteSource` does it) and keeps nothing.
What SQLite cannot be stopped from doing ends this process, not the host's, and leaves the database as it was.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import Any

_SIZES = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 20,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_MOST_BYTES = 4_000_000
"""Text and bytes that the rows of a result may hold."""
_ALWAYS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_WRITING = {
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_CREATE_TABLE,
    sqlite3.SQLITE_CREATE_INDEX,
    sqlite3.SQLITE_CREATE_VIEW,
    sqlite3.SQLITE_CREATE_TRIGGER,
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_DROP_INDEX,
    sqlite3.SQLITE_DROP_VIEW,
    sqlite3.SQLITE_DROP_TRIGGER,
    sqlite3.SQLITE_ALTER_TABLE,
    sqlite3.SQLITE_REINDEX,
    sqlite3.SQLITE_ANALYZE,
}
_TELLING = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"}
"""Pragmas that only tell."""
_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_NAMES = {
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
    sqlite3.SQLITE_PRAGMA: "PRAGMA",
    sqlite3.SQLITE_TRANSACTION: "transaction control",
    sqlite3.SQLITE_SAVEPOINT: "SAVEPOINT",
    sqlite3.SQLITE_FUNCTION: "function",
    sqlite3.SQLITE_CREATE_VTABLE: "CREATE VIRTUAL TABLE",
}


class _Watch:
    """What happens while a statement of the agent's runs."""

    def __init__(self, connection: sqlite3.Connection, wall_s: float, *, writable: bool) -> None:
        self.wall_s, self._writable = wall_s, writable
        self._deadline = time.monotonic() + wall_s
        self.refused = ""
        self.wrote = False
        for category, most in _SIZES.items():
            connection.setlimit(category, most)
        connection.set_progress_handler(lambda: time.monotonic() > self._deadline, 10_000)
        connection.set_authorizer(self._authorize)

    def _authorize(self, action: int, first: str | None, second: str | None, base: str | None, by: str | None) -> int:
        if action in _ALWAYS and not (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first in _TELLING:
            return sqlite3.SQLITE_OK
        if self._writable and action in _WRITING:
            self.wrote = True
            return sqlite3.SQLITE_OK
        what = second if action == sqlite3.SQLITE_FUNCTION else first
        self.refused = " ".join(filter(None, [_NAMES.get(action, "a change of"), what]))
        return sqlite3.SQLITE_DENY


def build(script: str) -> bytes:
    """Gives the database that a script makes, which is trusted."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(script)
        return connection.serialize()


def _opened(data: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    if data:
        connection.deserialize(data)
    return connection


def query(data: bytes, statement: str, options: dict[str, Any]) -> dict[str, Any]:
    """Runs one statement on a database.

    Gives ``columns``, ``rows``, ``changed`` and, where it wrote, ``data``, the database after it; or ``fault``, a kind,
    and ``reason``.
    """
    with contextlib.closing(_opened(data)) as connection:
        connection.execute(f"PRAGMA foreign_keys={int(options['foreign_keys'])}")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute(f"PRAGMA max_page_count={int(options['pages'])}")
        watch = _Watch(connection, options["wall_s"], writable=options["writable"])
        before = connection.total_changes
        cursor = connection.cursor()
        try:
            cursor.execute(statement)
            rows = _fetched(cursor, options["most_rows"])
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            return _explain(error, watch)
        if rows is None:
            return _fault("too_large", f"more than {options['most_rows']} rows or 4 MB came; ask for fewer")
        columns = [column[0] for column in cursor.description or ()]
        changed = connection.total_changes - before
        found = {"columns": columns, "rows": rows, "changed": changed}
        cursor.close()
        return {**found, "data": connection.serialize()} if watch.wrote else found


def _fetched(cursor: sqlite3.Cursor, most: int) -> list[list[Any]] | None:
    """Gives the rows; None where they are too many, or too much."""
    rows: list[list[Any]] = []
    size = 0
    for row in cursor:
        rows.append(list(row))
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if len(rows) > most or size > _MOST_BYTES:
            return None
    return rows


def _explain(error: Exception, watch: _Watch) -> dict[str, Any]:
    text = str(error)
    if watch.refused:
        return _fault("refused", f"not allowed here: {watch.refused}")
    if text == "interrupted":
        return _fault("timeout", f"the statement took more than {watch.wall_s:g} s and was stopped")
    if "one statement" in text:
        return _fault("failed", "one statement at a time")
    kind = "too_large" if isinstance(error, sqlite3.DataError) or "is full" in text or "too big" in text else "failed"
    return _fault(kind, text[:500])


def _fault(kind: str, reason: str) -> dict[str, Any]:
    return {"fault": kind, "reason": reason}


def tables(data: bytes) -> dict[str, Any]:
    """Gives all tables with all their rows: name -> columns and rows."""
    found = {}
    with contextlib.closing(_opened(data)) as connection:
        named = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        ).fetchall()
        for (name,) in named:
            quoted = name.replace('"', '""')
            cursor = connection.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608 - an identifier, quoted
            columns = [column[0] for column in cursor.description]
            found[name] = {"columns": columns, "rows": [list(row) for row in cursor]}
    return found
