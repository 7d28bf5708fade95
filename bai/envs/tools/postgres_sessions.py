"""Sessions on a PostgreSQL server: watched from outside while they last, and gone when they are left."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bai.errors import ConfigError, InfraError, MissingDependency

if TYPE_CHECKING:
    import psycopg

__all__ = ["connect", "import_psycopg", "is_watching", "watched"]

_CONNECT_S = 10
_GRACE_S = 2
"""Seconds that asking for the end of a session may take, and then its end."""
_HERE = threading.local()
"""``watching``: whether this thread is amid a session."""


def import_psycopg() -> Any:
    """Gives the library. Raises MissingDependency where it is absent."""
    try:
        import psycopg
    except ImportError as error:
        raise MissingDependency("psycopg", "pip install 'bai-rl[tools]'", "tools on PostgreSQL") from error
    return psycopg


@contextlib.contextmanager
def connect(url: str, **changes: Any) -> Iterator[psycopg.Connection[Any]]:
    """Opens a connection for the length of a block.

    Raises:
        InfraError: The server cannot be reached, or what we ask of it ourselves fails.
        ConfigError: The address is none.
    """
    psycopg = import_psycopg()
    given = {"autocommit": True, "connect_timeout": _CONNECT_S, "prepare_threshold": None, **changes}
    try:
        with contextlib.closing(psycopg.connect(url, **given)) as connection:
            yield connection
    except psycopg.ProgrammingError as error:
        raise ConfigError(f"PostgreSQL refuses: {error}") from error
    except psycopg.Error as error:
        raise InfraError(f"PostgreSQL failed: {error}") from error


@contextlib.contextmanager
def watched(session: psycopg.Connection[Any], url: str, seconds: float) -> Iterator[None]:
    """Bounds a session that may run code of the agent's, whatever that catches; closes it at the end of the block.

    After ``seconds`` the session is ended from outside. Where even that fails, as on a server that takes no more
    connections, our line to it is cut, so that nobody here waits on. However it ended, what it held on the server (its
    transaction, its locks) is let go of when the block is left.
    """
    left = threading.Event()
    with socket.socket(fileno=os.dup(session.fileno())) as line:
        timer = threading.Timer(seconds, _end, (url, session.info.backend_pid, line, left))
        timer.daemon = True
        timer.start()
        _HERE.watching = True
        try:
            yield
        finally:
            try:
                _leave(session, line)
            finally:
                _HERE.watching = False
                left.set()
                timer.cancel()


def is_watching() -> bool:
    """Whether this thread is amid a session.

    A server drops no database before all its sessions have taken note of it, and one whose rows nobody takes does not:
    who drops one here and now waits for itself.
    """
    return getattr(_HERE, "watching", False)


def _leave(session: psycopg.Connection[Any], line: socket.socket) -> None:
    """Closes a session, and waits until the server's process for it has ended: the server closes its side then."""
    with contextlib.suppress(import_psycopg().Error):
        session.cancel_safe(timeout=_GRACE_S)  # does nothing where nothing runs
    session.close()
    with contextlib.suppress(OSError):
        line.setblocking(True)
        line.shutdown(socket.SHUT_WR)
        while line.recv(65_536):
            pass


def _end(url: str, process: int, line: socket.socket, left: threading.Event) -> None:
    with contextlib.suppress(InfraError, ConfigError), connect(url, connect_timeout=_GRACE_S) as admin:
        admin.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (process,))
    if not left.wait(_GRACE_S):
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
