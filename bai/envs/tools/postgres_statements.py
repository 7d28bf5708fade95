"""Statements for a PostgreSQL server: which of them are not run, and what the errors of the others mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bai.envs.tools.postgres_sessions import import_psycopg
from bai.errors import ToolFault

if TYPE_CHECKING:
    import psycopg

__all__ = ["encoded", "expect_allowed", "explained", "is_lost", "is_of_server"]

_REFUSED = frozenset(
    """
    begin start commit end rollback abort savepoint release prepare execute deallocate set reset listen unlisten notify
    copy discard lock declare fetch move close load vacuum cluster checkpoint
    """.split()  # noqa: SIM905 - so many words read better so
)
"""First words of statements that would outlive their call, or reach beyond the database."""
_OF_ROLES = frozenset({"role", "user"})
"""What follows ALTER where it is about the episode's role, whose password and settings are not its to change."""
_BLANK = re.compile(r"(?:[\s;]|--[^\n\r]*(?:[\n\r]|$)|/\*(?:[^*/]|\*(?!/)|/(?!\*))*\*/)*")
_WORD = re.compile(r"[A-Za-z]+")
_OF_SERVER = frozenset({"53100", "58030", "XX001", "57P02", "57P03"})
"""Errors that the server has by itself: a full disk, one that fails, data that are broken, a crash and its mending."""


def encoded(statement: str) -> bytes:
    """Gives the bytes of a statement. Raises ValueError where it has none that the server would read to its end."""
    if "\0" in statement:
        raise ValueError("a statement holds no NUL character")
    try:
        return statement.encode()
    except UnicodeEncodeError:
        raise ValueError("a statement holds no half of a surrogate pair") from None


def expect_allowed(statement: str) -> None:
    """Raises ToolFault for a statement that would outlive its call, or reach beyond the database."""
    blank = _BLANK.match(statement)
    start = blank.end() if blank else 0
    if statement.startswith("/*", start):
        raise ToolFault("not allowed here: a comment in a comment before the statement", "refused")
    word = _WORD.match(statement, start)
    if word is None:
        return
    if word[0].lower() in _REFUSED:
        raise ToolFault(f"not allowed here: {word[0].upper()}", "refused")
    gap = _BLANK.match(statement, word.end())
    second = _WORD.match(statement, gap.end() if gap else word.end())
    if word[0].lower() == "alter" and second is not None and second[0].lower() in _OF_ROLES:
        raise ToolFault(f"not allowed here: ALTER {second[0].upper()}", "refused")


def is_lost(error: psycopg.Error) -> bool:
    """Whether the session is gone with the error: ended by itself, from outside, or with the server."""
    psycopg = import_psycopg()
    lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return lost or isinstance(error, psycopg.errors.AdminShutdown)


def is_of_server(error: psycopg.Error) -> bool:
    """Whether an error is the server's own; code may raise any, but says so: its languages are named ``pl...``."""
    return error.sqlstate in _OF_SERVER and not (error.diag.source_file or "").startswith("pl")


def explained(error: psycopg.Error, seconds: float, *, late: bool) -> ToolFault:
    """Gives the fault that an error of a statement is, which might take ``seconds``; ``late``, where it took them."""
    psycopg = import_psycopg()
    kinds: dict[Any, str] = {
        psycopg.errors.QueryCanceled: "timeout",
        psycopg.errors.InsufficientPrivilege: "refused",
        psycopg.errors.ReadOnlySqlTransaction: "refused",
        psycopg.errors.ProgramLimitExceeded: "too_large",
        psycopg.errors.ConfigurationLimitExceeded: "too_large",
        psycopg.errors.OutOfMemory: "too_large",
    }
    kind = next((kind for known, kind in kinds.items() if isinstance(error, known)), "failed")
    if is_lost(error):
        kind = "timeout" if late else "died"
    if kind == "timeout":
        return ToolFault(f"the statement took more than {seconds:g} s and was stopped", kind)
    return ToolFault(str(error).strip()[:500] or type(error).__name__, kind)
