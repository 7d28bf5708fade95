"""SQL on a PostgreSQL server: a database and a role of the episode's own, each statement a transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from bai.envs.sandbox.base import MIB
from bai.envs.tools.base import Tool, ToolSource
from bai.envs.tools.postgres_databases import Database, copy_database, enter, expect_own, make_database, unwelcome
from bai.envs.tools.postgres_reading import UNHELD, Allowance, read_result, read_tables
from bai.envs.tools.postgres_sessions import connect, import_psycopg
from bai.envs.tools.postgres_size import pack, size_of
from bai.envs.tools.postgres_statements import encoded, expect_allowed, explained, is_lost, is_of_server
from bai.envs.tools.rows import told_changes, told_rows
from bai.envs.tools.sqlite import Report, check_sql_settings, sql_tool
from bai.errors import CannotFork, ConfigError, InfraError, ToolFault

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresSource"]

_GRACE_S = 2.0
"""Seconds after a statement's time before its session is ended: the server stops it by itself before."""
_MOST_BYTES = 4_000_000
"""Bytes that the rows of a result may hold, as :class:`Allowance` counts them."""
_READ_S = 30.0
"""Seconds for reading the whole database."""
_SETUP_S = 600.0
"""Seconds for setting it up, and reading it once."""


class _Full(ToolFault):
    """A statement was undone that would have taken the database beyond its bound."""

    def __init__(self, before: int) -> None:
        super().__init__("the database would grow too large; nothing was changed", "too_large")
        self.before = before

    def __reduce__(self) -> tuple[type[ToolFault], tuple[str, str]]:
        return ToolFault, (self.reason, self.kind)


class PostgresSource(ToolSource):
    """One PostgreSQL database; the tool is ``sql``, with one statement as ``query``.

    The setup is ``{"script": SQL}``, run as the episode's role, or None for an empty database. Each statement runs in a
    session and a transaction of its own: a fault of any kind leaves the database as it was. The role owns what is in
    the database and may do nothing beside it: it is no superuser, so that there are no files of the server, no
    programs and no extensions but trusted ones. What it sets for its own sessions to come (``ALTER ROLE``) is
    refused, or gone with the statement that hid it, so that a branch behaves as what it was taken from. So is what is
    about a role by name (default rights, a policy ``TO`` a role, rights of another role), which no branch could have,
    and are large objects, which no table shows.

    Args:
        url: The server, as a role that may make databases and roles (a superuser before PostgreSQL 15); None for the
            variable ``BAI_POSTGRES_URL``.
        writable: As for :class:`~bai.envs.tools.sqlite.SQLiteSource`, as what follows.
        report: What the end state is.
        statement_s: Seconds a statement may take.
        most_rows: Rows that a statement may give; more is a fault.
        shown_rows: Rows that the agent sees of them.
        size_mb: Mebibytes that the database may grow by, over what the setup and the 8 or so of an empty one take. Rows
            that a statement replaces or deletes count until it has ended; those of earlier ones make room. The end
            state may hold no more text, beside the setup's, than such a database has bytes, however well the server
            packs it.

    Raises:
        ConfigError: There is no address, or an argument is out of range.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        writable: bool = True,
        report: Report = "tables",
        statement_s: float = 2.0,
        most_rows: int = 10_000,
        shown_rows: int = 50,
        size_mb: int = 16,
    ) -> None:
        check_sql_settings(report, statement_s, most_rows, shown_rows, size_mb)
        self._url = url or os.environ.get("BAI_POSTGRES_URL", "")
        if not self._url:
            raise ConfigError("PostgreSQL needs a server: give postgres_url, or set BAI_POSTGRES_URL")
        self._writable, self._report = writable, report
        self._statement_s, self._most_rows, self._shown_rows = statement_s, most_rows, shown_rows
        self._size = size_mb * MIB
        self._database: Database | None = None
        self._first_size = self._first_text = 0
        self._last: dict[str, Any] | None = None

    def tools(self) -> tuple[Tool, ...]:
        return (sql_tool("PostgreSQL"),)

    def begin(self, setup: Any) -> None:
        match setup:
            case None:
                script = ""
            case {"script": str(script), **rest} if not rest:
                pass
            case _:
                raise ConfigError(f"expected {{'script': SQL}} or None as the setup; got {setup!r:.200}")
        import_psycopg()
        self._database, self._last = make_database(self._url), None
        with self._session(_SETUP_S) as session:
            if script:
                _set_up(session, script, self._url)
            self._first_size, self._first_text = size_of(session), 0
            if script and self._report == "tables":
                self._first_text = _text_of(session, self._most())

    def _session(self, seconds: float) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A session as the episode's role."""
        if self._database is None:
            raise InfraError("there is no database: call begin() first")
        return enter(self._database, seconds)

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        try:
            statement = encoded(arguments["query"])
        except ValueError as error:
            raise ToolFault(str(error), "failed") from None
        expect_allowed(arguments["query"])
        found = self._answer(statement)
        if found["columns"] is None:
            return told_changes(found["changed"])
        self._last = {"columns": found["columns"], "rows": found["rows"]}
        return told_rows(found["columns"], found["rows"], self._shown_rows)

    def _answer(self, statement: bytes) -> dict[str, Any]:
        """Runs a statement; once more where the room that it lacked was that of rows that are gone."""
        try:
            return self._attempt(statement)
        except _Full as full:
            if self._reclaimed() >= full.before:
                raise
        except ToolFault:
            self._reclaimed()  # what was undone stays in the files
            raise
        try:
            return self._attempt(statement)
        except ToolFault:
            self._reclaimed()
            raise

    def _attempt(self, statement: bytes) -> dict[str, Any]:
        psycopg = import_psycopg()
        started = time.monotonic()
        with self._session(self._statement_s + _GRACE_S) as session:
            try:
                return self._run(session, statement)
            except psycopg.Error as error:
                if is_of_server(error):
                    raise
                late = time.monotonic() - started > self._statement_s
                raise explained(error, self._statement_s, late=late) from None
            except UNHELD as error:
                raise ToolFault(f"a value of the result cannot be shown: {error}"[:300], "failed") from None

    def _run(self, session: psycopg.Connection[Any], statement: bytes) -> dict[str, Any]:
        """Runs a statement and ends its transaction; a fault leaves it to end with the session."""
        before = size_of(session)
        session.execute(b"BEGIN" if self._writable else b"BEGIN READ ONLY")
        session.execute(f"SET LOCAL statement_timeout = {int(1000 * self._statement_s)}".encode())
        found = read_result(session, statement, Allowance(_MOST_BYTES, self._most_rows))
        session.execute(b"SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the end runs now, and counts
        session.execute(b"SET TRANSACTION READ ONLY")
        session.execute(b"SET CONSTRAINTS ALL IMMEDIATE")  # what was made to wait once more, which may only read
        after = size_of(session)
        if after > self._most() and after > before:
            raise _Full(before)
        if held := unwelcome(session):
            raise ToolFault(f"not allowed here: {held}", "refused")
        session.execute(b"COMMIT")
        return found

    def _most(self) -> int:
        """Bytes that the database may take."""
        return self._first_size + self._size

    def _reclaimed(self) -> int:
        """Gives the database's size, after its files were packed where they take more than they may."""
        assert self._database is not None
        return pack(self._database, self._most(), self._statement_s + _GRACE_S)

    def end_state(self) -> Any:
        if self._report == "result":
            return self._last
        psycopg = import_psycopg()
        with self._session(_READ_S + _GRACE_S) as session:
            try:
                return {"tables": _read(session, Allowance(self._first_text + self._most()))}
            except (psycopg.Error, *UNHELD) as error:
                if _is_machinerys(error):
                    raise
                raise ToolFault(f"the database cannot be read: {error}", "failed") from error

    def get_state(self) -> Any:
        if self._database is None:
            raise CannotFork("there is no database to branch: call begin() first")
        expect_own(self._database)
        return copy_database(self._database), self._first_size, self._first_text, self._last

    def set_state(self, state: Any) -> None:
        database, self._first_size, self._first_text, self._last = state
        self._database = copy_database(database)

    def close(self) -> None:
        self._database = None


def _set_up(session: psycopg.Connection[Any], script: str, url: str) -> None:
    psycopg = import_psycopg()
    try:
        session.execute(encoded(script))
    except (psycopg.Error, ValueError) as error:
        if isinstance(error, psycopg.Error):
            _expect_whole(error, url)
        raise ConfigError(f"the database could not be set up: {error}"[:500]) from error
    with session.transaction():
        if held := unwelcome(session):
            raise ConfigError(f"the database may not be set up with {held}")


def _expect_whole(error: psycopg.Error, url: str) -> None:
    """Raises where an error of a script's is the server's own, or the server is gone."""
    if is_of_server(error):
        raise error
    if is_lost(error):
        with connect(url):
            pass


def _text_of(session: psycopg.Connection[Any], most: int) -> int:
    """Gives the bytes that an end state would hold now. Raises ConfigError where there could be none."""
    allowance = Allowance(most)
    try:
        _read(session, allowance)
    except (ToolFault, import_psycopg().Error, *UNHELD) as error:
        if _is_machinerys(error):
            raise
        raise ConfigError(f"the database could be set up, and not be read for a judge: {error}"[:500]) from error
    return allowance.taken


def _is_machinerys(error: Exception) -> bool:
    """Whether what kept tables from being read is nothing in them."""
    return isinstance(error, import_psycopg().Error) and (is_of_server(error) or is_lost(error))


def _read(session: psycopg.Connection[Any], allowance: Allowance) -> dict[str, Any]:
    session.execute(f"SET statement_timeout = {int(1000 * _READ_S)}".encode())
    session.execute(b"SET search_path = pg_catalog")  # no operator of the agent's answers
    # Else a policy hides rows, or runs what the agent wrote: a table with one is not read.
    session.execute(b"SET row_security = off")
    return read_tables(session, allowance)
