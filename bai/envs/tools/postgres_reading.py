"""Results of a PostgreSQL server: taken row by row as they come, so that no more are held than an allowance says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bai.envs.tools.postgres_sessions import import_psycopg
from bai.envs.tools.rows import plain_row, sorted_rows
from bai.errors import ToolFault

if TYPE_CHECKING:
    import psycopg

__all__ = ["UNHELD", "Allowance", "read_result", "read_tables"]

UNHELD = (ArithmeticError, NotImplementedError, RecursionError, ValueError)
"""What is raised where a value of the server's has none here, such as a whole number of JSON with 5,000 digits."""
_LEAST = 8
"""Bytes that a row, and each value in it, counts at least: NULL has no text, and a place in a list all the same."""
_NESTED = 64
"""Bytes that a bracket counts: the list or object that it may open takes as many, whatever it holds."""


class Allowance:
    """What results may hold, all that are read with it together.

    Args:
        most_bytes: Bytes, as text. A value counts 8 at least, and each bracket in it 64.
        most_rows: Rows; None for as many as there are.
    """

    def __init__(self, most_bytes: int, most_rows: int | None = None) -> None:
        self._most_bytes, self._most_rows = most_bytes, most_rows
        self.taken = 0
        """Bytes so far."""
        self._rows = 0

    def take(self, result: Any) -> None:
        """Counts what has come. Raises ToolFault where it is too much."""
        self.taken += _bytes_of(result)
        self._rows += result.ntuples
        if self.taken > self._most_bytes:
            raise ToolFault(f"more than {self._most_bytes} bytes came; ask for fewer", "too_large")
        if self._most_rows is not None and self._rows > self._most_rows:
            raise ToolFault(f"more than {self._most_rows} rows came; ask for fewer", "too_large")


def _bytes_of(result: Any) -> int:
    total: int = _LEAST * result.ntuples
    for row in range(result.ntuples):
        for column in range(result.nfields):
            value: bytes = result.get_value(row, column) or b""
            total += max(len(value), _LEAST) + _NESTED * (value.count(b"[") + value.count(b"{"))
    return total


def read_result(session: psycopg.Connection[Any], statement: bytes, allowance: Allowance) -> dict[str, Any]:
    """Runs one statement. Where it fails, nothing is left to do in the session.

    Returns:
        ``columns`` (None where it gives no rows), ``rows`` as JSON has them, and how many rows it ``changed``.

    Raises:
        ToolFault: More came than is allowed.
        psycopg.Error: The server refuses.
        ArithmeticError, NotImplementedError, RecursionError, ValueError: A value cannot be held here.
    """
    from psycopg.adapt import Transformer
    from psycopg.generators import fetch, send
    from psycopg.pq import ExecStatus

    found: dict[str, Any] = {"columns": None, "rows": [], "changed": 0}
    server, reader = session.pgconn, Transformer(session)
    server.send_query_params(statement, None)  # this way, the server takes one statement only
    server.set_single_row_mode()
    session.wait(send(server))
    # The library's own get_result() would keep all other threads waiting too, whoever ends the session among them.
    while (result := session.wait(fetch(server))) is not None:
        match result.status:
            case ExecStatus.SINGLE_TUPLE | ExecStatus.TUPLES_OK:
                allowance.take(result)
                reader.set_pgresult(result)
                found["columns"] = [(result.fname(at) or b"").decode() for at in range(result.nfields)]
                found["rows"] += [plain_row(row) for row in reader.load_rows(0, result.ntuples, tuple)]
            case ExecStatus.COMMAND_OK | ExecStatus.EMPTY_QUERY:
                found["changed"] = result.command_tuples or 0
            case _:
                raise import_psycopg().errors.error_from_result(result)
    return found


def read_tables(session: psycopg.Connection[Any], allowance: Allowance) -> dict[str, Any]:
    """Gives all tables of the schema ``public``; what is in other schemas counts under the schema's name.

    Raises:
        Exception: As :func:`read_result`.
    """
    from psycopg import sql

    named = session.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
        "c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
    ).fetchall()
    tables = {}
    for schema, table in named:
        query = sql.SQL("SELECT * FROM ONLY {}").format(sql.Identifier(schema, table))
        found = read_result(session, query.as_bytes(session), allowance)
        rows = sorted_rows(found["rows"])  # a table is a bag
        tables[_told(table) if schema == "public" else f"{_told(schema)}.{_told(table)}"] = {
            "columns": found["columns"],
            "rows": rows,
        }
    return dict(sorted(tables.items()))


def _told(name: str) -> str:
    """Writes a name so that no table has that of another: one with a dot is quoted."""
    return '"{}"'.format(name.replace('"', '""')) if "." in name or '"' in name else name
