"""SQL on SQLite, in a sandbox: a database of the episode's own, and a process that can be killed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from bai.envs.sandbox import make_sandbox
from bai.envs.sandbox.base import MIB, CallResult, Limits, LoadedModule, Sandbox
from bai.envs.tools.base import Tool, ToolSource
from bai.envs.tools.rows import plain_row, plain_tables, told_changes, told_rows
from bai.errors import ConfigError, InfraError, SandboxDied, ToolFault

__all__ = ["SQL", "Report", "SQLiteSource", "sql_tool"]

Report = Literal["tables", "result"]
"""What the end state is: all tables, or the rows of the last statement that gave some."""

_SOURCE = (files("bai.envs.tools.inside") / "sqlite.py").read_text(encoding="utf-8")
_FILE = "episode.db"
_PAGE = 4096
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
        if report not in get_args(Report):
            raise ConfigError(f"report must be 'tables' or 'result'; got {report!r:.100}")
        if not 0 < statement_s <= 3600 or min(most_rows, shown_rows, size_mb) < 1:
            raise ConfigError(
                f"expected positive limits, and at most an hour; got {statement_s!r}, {most_rows!r}, {shown_rows!r} "
                f"and {size_mb!r}"
            )
        self._writable, self._report, self._foreign_keys = writable, report, foreign_keys
        self._statement_s, self._most_rows, self._shown_rows = statement_s, most_rows, shown_rows
        self._size, self._backend = size_mb * MIB, sandbox
        self._sandbox: Sandbox | None = None
        self._module: LoadedModule | None = None
        self._last: dict[str, Any] | None = None

    def tools(self) -> tuple[Tool, ...]:
        return (sql_tool("SQLite"),)

    def begin(self, setup: Any) -> None:
        script, data = _read_setup(setup)
        self._last = None
        self._fill(script, data)

    def _fill(self, script: str, data: bytes) -> None:
        """Puts a database in the place of the one there is."""
        module = self._opened()
        self._trusted(module.call("clear"))
        if data:
            assert self._sandbox is not None
            self._sandbox.write(_FILE, data)
        result = self._begun(module, script)
        if result.status == "raised":
            raise ConfigError(f"the database could not be set up: {result.exception}: {result.message}")
        self._trusted(result)

    def _opened(self) -> LoadedModule:
        """The live process; started where there is none, or it was killed."""
        if self._sandbox is None or not self._sandbox.alive:
            self.close()
            room = 4 * self._size + 64 * MIB
            limits = Limits(wall_s=60.0, memory_bytes=256 * MIB + room, disk_bytes=room, output_bytes=MIB)
            self._sandbox = make_sandbox(self._backend, limits)
            self._sandbox.start()
        if self._module is None:
            self._module = self._sandbox.load(_SOURCE)
            if self._module.load_error is not None:
                raise InfraError(f"SQLite could not be loaded in a sandbox: {self._module.load_error.message}")
        return self._module

    def _begun(self, module: LoadedModule, script: str = "") -> CallResult:
        return module.call("begin", (script, self._size // _PAGE, self._writable, self._foreign_keys))

    @staticmethod
    def _trusted(result: CallResult) -> Any:
        """The value of a call that nothing of the agent's is in."""
        if result.status != "returned":
            raise InfraError(f"SQLite failed in its sandbox: {result.status} {result.exception} {result.message}"[:500])
        return result.value

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        wall_s = self._statement_s
        result = self._present().call("query", (arguments["query"], wall_s, self._most_rows), wall_s=wall_s + _GRACE_S)
        if result.is_gone:
            self._revive()
            raise ToolFault(
                f"the statement took too much {'memory' if result.status == 'memory' else 'time'}", _KIND[result.status]
            )
        found = self._trusted(result)
        if "fault" in found:
            raise ToolFault(found["reason"], found["fault"])
        if not found["columns"]:
            return told_changes(found["changed"])
        rows = [plain_row(row) for row in found["rows"]]
        self._last = {"columns": found["columns"], "rows": rows}
        return told_rows(found["columns"], rows, self._shown_rows)

    def _present(self) -> LoadedModule:
        if self._module is None or self._sandbox is None or not self._sandbox.alive:
            raise SandboxDied("the sandbox that held the database is gone")
        return self._module

    def _revive(self) -> None:
        """Opens the database again after its process was killed; what was half done is rolled back."""
        assert self._module is not None and self._sandbox is not None
        self._module.close()
        self._module = None
        if not self._sandbox.alive:
            raise SandboxDied("the sandbox that held the database is gone")
        self._trusted(self._begun(self._opened()))

    def end_state(self) -> Any:
        if self._report == "result":
            return self._last
        result = self._present().call("tables")
        if result.status != "returned":
            raise ToolFault(f"the database cannot be read: {result.message:.200}", "failed")
        return {"tables": plain_tables(result.value)}

    def get_state(self) -> Any:
        self._trusted(self._present().call("forget"))
        assert self._sandbox is not None
        data = self._sandbox.read(_FILE, max_bytes=2 * self._size)
        self._trusted(self._begun(self._present()))
        return {"data": data, "last": self._last}

    def set_state(self, state: Any) -> None:
        self._fill("", state["data"])
        self._last = state["last"]

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox = self._module = None


_KIND = {"timeout": "timeout", "memory": "too_large", "crashed": "died"}


def _read_setup(setup: Any) -> tuple[str, bytes]:
    """Gives the script and the bytes of the file that a setup names."""
    match setup:
        case None:
            return "", b""
        case {"script": str(script), **rest} if not rest:
            return script, b""
        case {"file": str(path), **rest} if not rest:
            try:
                return "", Path(path).read_bytes()
            except OSError as error:
                raise ConfigError(f"the database {path} cannot be read: {error}") from error
    raise ConfigError(f"expected {{'script': SQL}}, {{'file': PATH}} or None as the setup; got {setup!r:.200}")
