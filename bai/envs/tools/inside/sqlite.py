"""SQLite inside a sandbox: one database file, one statement at a time, within limits.

This file is loaded as source in the sandbox (:class:`bai.envs.tools.sqlite.SQLiteSource` does it). The host sends
statements and gets plain values; what SQLite could not be stopped from doing ends this process, not the host's.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

FILE = "episode.db"
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

_connection: sqlite3.Connection | None = None
_refused = ""
_deadline = 0.0


def begin(script: str, pages: int, writable: bool, foreign_keys: bool) -> None:
    """Opens the database, after ``script`` (which is trusted) has filled it; only the file is kept where it is None."""
    global _connection
    forget()
    connection = sqlite3.connect(FILE, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute(f"PRAGMA foreign_keys={int(foreign_keys)}")
    connection.execute("PRAGMA trusted_schema=OFF")
    if script:
        connection.executescript(f"BEGIN;\n{script}\n;COMMIT;")
    connection.execute(f"PRAGMA max_page_count={pages}")
    for category, most in _SIZES.items():
        connection.setlimit(category, most)
    connection.set_progress_handler(lambda: time.monotonic() > _deadline, 10_000)
    connection.set_authorizer(lambda *what: _authorize(writable, *what))
    _connection = connection


def forget() -> None:
    """Closes the database."""
    global _connection
    if _connection is not None:
        _connection.close()
        _connection = None


def clear() -> None:
    """Closes the database and removes its files."""
    forget()
    for name in (FILE, f"{FILE}-journal", f"{FILE}-wal", f"{FILE}-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _authorize(writable: bool, action: int, first: str | None, second: str | None, base: str | None, by: Any) -> int:
    global _refused
    if action in _ALWAYS and not (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS):
        return sqlite3.SQLITE_OK
    if writable and action in _WRITING:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and first in _TELLING:
        return sqlite3.SQLITE_OK
    _refused = " ".join(filter(None, [_NAMES.get(action, "a change"), first if action in _NAMES else second]))
    return sqlite3.SQLITE_DENY


def query(statement: str, wall_s: float, most_rows: int) -> dict[str, Any]:
    """Runs one statement. Gives ``columns``, ``rows`` and ``changed``; or ``fault``, a kind, and ``reason``."""
    global _refused, _deadline
    assert _connection is not None
    _refused, _deadline = "", time.monotonic() + wall_s
    before = _connection.total_changes
    cursor = _connection.cursor()
    try:
        cursor.execute(statement)
        rows = cursor.fetchmany(most_rows + 1)
        if len(rows) > most_rows:
            return _fault("too_large", f"more than {most_rows} rows came; ask for fewer")
        columns = [column[0] for column in cursor.description or ()]
        return {"columns": columns, "rows": [list(row) for row in rows], "changed": _connection.total_changes - before}
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        return _explain(error, wall_s)
    finally:
        cursor.close()


def _explain(error: Exception, wall_s: float) -> dict[str, Any]:
    if _refused:
        return _fault("refused", f"not allowed here: {_refused}")
    if isinstance(error, sqlite3.OperationalError) and str(error) == "interrupted":
        return _fault("timeout", f"the statement took more than {wall_s:g} s and was stopped")
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.Warning) and "one statement" in str(error):
        return _fault("failed", "one statement at a time")
    kind = "too_large" if isinstance(error, sqlite3.DataError) or "full" in str(error) else "failed"
    return _fault(kind, str(error)[:500])


def _fault(kind: str, reason: str) -> dict[str, Any]:
    return {"fault": kind, "reason": reason}


def tables() -> dict[str, Any]:
    """Gives all tables with all their rows: name -> columns and rows."""
    global _deadline
    assert _connection is not None
    _deadline = time.monotonic() + 3600.0
    named = _connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
    ).fetchall()
    found = {}
    for (name,) in named:
        quoted = name.replace('"', '""')
        cursor = _connection.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608 - an identifier, quoted
        found[name] = {"columns": [column[0] for column in cursor.description], "rows": [list(row) for row in cursor]}
    return found
