"""SQL on SQLite: a database of the episode's own, kept as bytes and worked on in a sandbox that can be killed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from bai.envs.arguments import expect_counts, expect_one_of, expect_seconds
from bai.envs.sandbox.base import MIB, CallResult, Limits
from bai.envs.tools.base import Tool, ToolSource
from bai.envs.tools.rows import plain_row, plain_tables, told_changes, told_rows
from bai.envs.tools.workers import Workers, shared_workers
from bai.errors import ConfigError, InfraError, ToolFault

__all__ = ["SQL", "Report", "SQLiteSource", "check_sql_settings", "sql_tool"]

Report = Literal["tables", "result"]
"""What the end state is: all tables, or the rows of the last statement that gave some."""

_SOURCE = (files("bai.envs.tools.inside") / "sqlite.py").read_text(encoding="utf-8")
_PAGE = 4096
_READ_S = 30.0
"""Seconds for making a database, or reading all of it."""
_GRACE_S = 2.0
"""Seconds after a statement's time before its process is killed: it is interrupted by itself before."""


def sql_tool(dialect: str) -> Tool:
    """Declares the tool that runs a statement."""
    return Tool(
        name=SQL,
        description=f"Run one SQL statement ({dialect}).",
        parameters={
            "type": "object",
            "properties": {"query": {"type": "string", "description": "The statement."}},
            "required": ["query"],
        },
    )


SQL = "sql"
"""Name of the tool."""


def check_sql_settings(report: Any, statement_s: Any, most_rows: Any, shown_rows: Any, size_mb: Any) -> None:
    """Refuses settings of a source of SQL that are out of range. Raises ConfigError."""
    expect_one_of("report", report, get_args(Report))
    expect_seconds(3_600, statement_s=statement_s)
    expect_counts(most_rows=most_rows, shown_rows=shown_rows, size_mb=size_mb)


class SQLiteSource(ToolSource):
    """One SQLite database; the tool is ``sql``, with one statement as ``query``.

    The setup is ``{"script": SQL}``, ``{"file": PATH}`` (an SQLite file of this machine, which is copied), or None for
    an empty database. Each statement is a transaction of its own; there is no ATTACH, no PRAGMA but those that tell, no
    transaction control, no virtual table and no extension.

    Args:
        writable: Whether statements may change anything.
        report: What the end state is (:data:`Report`); a result of the last statement that gave rows is
            ``{"columns": [...], "rows": [...]}``, or None before one did.
        statement_s: Seconds a statement may take.
        most_rows: Rows that a statement may give; more is a fault.
        shown_rows: Rows that the agent sees of them.
        size_mb: Mebibytes that the database may grow to.
        foreign_keys: Whether references are enforced.
        sandbox: Backend.

    Raises:
        ConfigError: An argument is out of range.
    """

    def __init__(
        self,
        *,
        writable: bool = True,
        report: Report = "tables",
        statement_s: float = 2.0,
        most_rows: int = 10_000,
        shown_rows: int = 50,
        size_mb: int = 16,
        foreign_keys: bool = True,
        sandbox: str = "auto",
    ) -> None:
        check_sql_settings(report, statement_s, most_rows, shown_rows, size_mb)
        self._report, self._statement_s, self._shown_rows = report, statement_s, shown_rows
        self._size, self._backend = size_mb * MIB, sandbox
        self._options = {
            "writable": writable,
            "foreign_keys": foreign_keys,
            "wall_s": statement_s,
            "most_rows": most_rows,
            "pages": self._size // _PAGE,
        }
        self._data = b""
        self._last: dict[str, Any] | None = None

    def tools(self) -> tuple[Tool, ...]:
        return (sql_tool("SQLite"),)

    def begin(self, setup: Any) -> None:
        script, data = _read_setup(setup)
        self._data = _built(script, self._workers()) if script else data
        self._last = None

    def _workers(self) -> Workers:
        # They are this process's own, so they are asked for anew after a fork or an unpickling.
        limits = Limits(wall_s=60.0, memory_bytes=256 * MIB + 4 * self._size)
        return shared_workers(_SOURCE, self._backend, limits)

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        given = (self._data, arguments["query"], self._options)
        result = self._workers().call("query", given, self._statement_s + _GRACE_S)
        if result.status != "returned":  # whatever it was, the statement has led to it
            kind = _KIND.get(result.status, "failed")
            raise ToolFault(_GONE.get(result.status, "the statement failed; nothing was changed"), kind)
        found: dict[str, Any] = result.value
        if "fault" in found:
            raise ToolFault(found["reason"], found["fault"])
        self._data = found.get("data", self._data)
        if not found["columns"]:
            return told_changes(found["changed"])
        rows = [plain_row(row) for row in found["rows"]]
        self._last = {"columns": found["columns"], "rows": rows}
        return told_rows(found["columns"], rows, self._shown_rows)

    def end_state(self) -> Any:
        if self._report == "result":
            return self._last
        result = self._workers().call("tables", (self._data,), _READ_S)
        if result.status != "returned":
            raise ToolFault(f"the database cannot be read: {result.message:.200}", "failed")
        return {"tables": plain_tables(result.value)}

    def get_state(self) -> Any:
        return self._data, self._last

    def set_state(self, state: Any) -> None:
        self._data, self._last = state


_KIND = {"timeout": "timeout", "memory": "too_large", "opaque": "too_large", "crashed": "died"}
_GONE = {
    "timeout": "the statement took too much time and was ended",
    "memory": "the statement took too much memory and was ended",
    "opaque": "the result, or the database with it, would be too large; nothing was changed",
    "crashed": "the statement ended the database's process; nothing was changed",
}


def _trusted(result: CallResult) -> Any:
    """The value of a call that can only fail by a fault of the machinery."""
    if result.status != "returned":
        raise InfraError(f"SQLite failed in its sandbox: {result.status} {result.exception} {result.message}"[:500])
    return result.value


@functools.lru_cache(maxsize=1024)
def _built(script: str, workers: Workers) -> bytes:
    result = workers.call("build", (script,), _READ_S)
    if result.status == "raised":
        raise ConfigError(f"the database could not be set up: {result.exception}: {result.message}")
    data: bytes = _trusted(result)
    return data


def _read_setup(setup: Any) -> tuple[str, bytes]:
    """Gives the script and the bytes of the file that a setup names."""
    match setup:
        case None:
            return "", b""
        case {"script": str(script), **rest} if not rest:
            return script, b""
        case {"file": str(path), **rest} if not rest:
            try:
                return "", _without_log(Path(path).read_bytes())
            except OSError as error:
                raise ConfigError(f"the database {path} cannot be read: {error}") from error
    raise ConfigError(f"expected {{'script': SQL}}, {{'file': PATH}} or None as the setup; got {setup!r:.200}")


def _without_log(data: bytes) -> bytes:
    """Marks a database as one without a write-ahead log, which one in memory cannot have."""
    return data[:18] + b"\x01\x01" + data[20:] if data[18:20] == b"\x02\x02" else data
