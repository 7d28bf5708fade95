"""Databases of episodes on a PostgreSQL server: each with a role of its own, made, branched and dropped.

An episode's statements reach one database, as a role that may do nothing beside it. What holds the server's own rights
is in this file alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from bai.errors import CannotFork, ConfigError, InfraError, MissingDependency

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

__all__ = [
    "Database",
    "connect",
    "copy_database",
    "enter",
    "import_psycopg",
    "make_database",
    "pack",
    "size_of",
    "taking",
    "unwelcome",
]

_TEMPORARY = "64MB"
"""What the sorts and temporary tables of one session may take on disk."""
_HERE = threading.local()
"""``taking``: whether this thread is amid a result."""
_SETTINGS = " ".join(
    f"-c {name}"
    for name in (
        "search_path=public",
        "client_encoding=UTF8",
        "datestyle=ISO",
        "intervalstyle=postgres",
        "timezone=UTC",
        "statement_timeout=0",
        "lock_timeout=0",
        "idle_session_timeout=0",
        "idle_in_transaction_session_timeout=0",
    )
)
"""Of every session, before anything is known of the role: a role may have settings, which these are stronger than."""
_SIZE = b"SELECT pg_catalog.pg_database_size(pg_catalog.current_database())"
"""Names the functions in full: a statement may have put others of these names before them."""
_UNWELCOME = b"""
SELECT CASE
    WHEN EXISTS (
        SELECT FROM pg_catalog.pg_shdepend JOIN pg_catalog.pg_database AS one ON one.oid = dbid
        WHERE datname = pg_catalog.current_database() AND refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
        AND (deptype <> 'o' OR classid = 'pg_catalog.pg_default_acl'::pg_catalog.regclass)
    ) THEN 'default rights, or rights and policies of a named role'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata) THEN 'large objects'
END
"""
"""The first finds what refers to a role and is not merely owned by it."""
_OF_ROLE = b"""
SELECT one FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole, unnest(setconfig) AS one
WHERE rolname = current_user AND NOT starts_with(one, 'temp_file_limit=')
"""
"""What a role has set for its sessions to come."""


@dataclass(frozen=True, eq=False)
class Database:
    """A database and the role that owns all in it, of one name; dropped when nothing refers to it any more."""

    url: str
    """The server's, with rights to make databases and roles."""
    name: str
    """Of the database and of the role."""
    password: str
    """The role's."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Database:
        return self  # what it names does not change, and a copy would drop it twice

    def __reduce__(self) -> NoReturn:
        raise CannotFork("a database goes with its owner and cannot be pickled: fork() the episode, or replay it")


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
    try:
        with contextlib.closing(
            psycopg.connect(url, autocommit=True, connect_timeout=10, prepare_threshold=None, **changes)
        ) as connection:
            yield connection
    except psycopg.ProgrammingError as error:
        raise ConfigError(f"PostgreSQL refuses: {error}") from error
    except psycopg.Error as error:
        raise InfraError(f"PostgreSQL failed: {error}") from error


def make_database(url: str) -> Database:
    """Makes an empty database. Raises as :func:`connect`."""
    return _make(url, "template0", None)


def copy_database(source: Database) -> Database:
    """Branches a database, to which nobody may be connected. Raises as :func:`connect`."""
    return _make(source.url, source.name, source)


def _make(url: str, template: str, source: Database | None) -> Database:
    from psycopg import sql

    token = secrets.token_hex(8)
    made = Database(url, f"bai_{token}", secrets.token_hex(16))
    weakref.finalize(made, _let_go, os.getpid(), url, made.name)
    name = sql.Identifier(made.name)
    with connect(url) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}").format(
                name, sql.Literal(made.password)
            )
        )
        # Whoever is no superuser may give to the role, and end its sessions, as a member of it alone.
        admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
        _bound(admin, name)
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template)))
        admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        admin.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {0} TO {0}").format(name))
    with connect(url, dbname=made.name) as inner:
        if source is None:
            inner.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(name))
        else:
            inner.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(sql.Identifier(source.name), name))
    return made


@contextlib.contextmanager
def enter(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """Opens a connection to an episode's database as its role, for the length of a block. Raises as :func:`connect`.

    A role may change its own password and, for its sessions to come, its own settings. Both are put back: they keep
    nobody from seeing what it left, and a branch, which has a role of its own, behaves as what it was taken from.
    """
    given = {
        "dbname": database.name,
        "user": database.name,
        "password": database.password,
        "options": _SETTINGS,
    }
    with contextlib.ExitStack() as stack:
        try:
            session = stack.enter_context(connect(database.url, **given))
            is_changed = session.execute(_OF_ROLE).fetchone() is not None
        except InfraError:
            is_changed = True
        if is_changed:
            stack.close()
            _renew(database)
            session = stack.enter_context(connect(database.url, **given))
        yield session


def size_of(session: psycopg.Connection[Any]) -> int:
    """Gives the bytes that the files of a session's database take, rows that are gone among them."""
    row = session.execute(_SIZE).fetchone()
    assert row is not None
    return int(row[0])


def unwelcome(session: psycopg.Connection[Any]) -> str | None:
    """Says what a session's database holds that it may not, or None.

    What is about a role by name cannot be handed to a branch's role, and a role that it is about cannot be dropped.
    Large objects are in no table, and some servers let them be made where nothing may be written.

    Puts the search path back to the server's own for what is left of the transaction, so that no operator of the
    agent's answers.
    """
    session.execute(b"SET LOCAL search_path = pg_catalog")
    row = session.execute(_UNWELCOME).fetchone()
    assert row is not None
    found: str | None = row[0]
    return found


def pack(database: Database, most: int, seconds: float) -> int:
    """Writes a database's files anew without the rows that are gone, where they take more than ``most`` bytes.

    What the episode made can keep that from being done, such as an index whose function fails: no fault of ours. The
    server runs such functions as their owner. Raises as :func:`connect`.

    Returns:
        The size then.
    """
    psycopg = import_psycopg()
    with connect(database.url, dbname=database.name) as admin:
        if (size := size_of(admin)) <= most:
            return size
        admin.execute(f"SET statement_timeout = {int(1000 * seconds)}".encode())
        with contextlib.suppress(psycopg.Error):
            admin.execute(b"VACUUM FULL")
        return size_of(admin)


def _renew(database: Database) -> None:
    """Puts a role back to what it was made as."""
    from psycopg import sql

    name = sql.Identifier(database.name)
    with connect(database.url) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(database.password)))
        admin.execute(sql.SQL("ALTER ROLE {0} IN DATABASE {0} RESET ALL").format(name))
        admin.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(name))
        _bound(admin, name)


def _bound(admin: psycopg.Connection[Any], name: sql.Identifier) -> None:
    from psycopg import sql

    with contextlib.suppress(import_psycopg().errors.InsufficientPrivilege):  # for superusers alone to set
        admin.execute(sql.SQL("ALTER ROLE {} SET temp_file_limit = {}").format(name, sql.Literal(_TEMPORARY)))


@contextlib.contextmanager
def taking() -> Iterator[None]:
    """Says that this thread is amid a result: what it lets go of meanwhile is dropped by another thread.

    A server drops no database before all its sessions have taken note of it, and one whose rows nobody takes does not.
    What nothing refers to may be found at any time, so that this thread would wait for itself.
    """
    _HERE.taking = True
    try:
        yield
    finally:
        _HERE.taking = False


def _let_go(owner: int, url: str, name: str) -> None:
    if os.getpid() != owner:
        return  # a forked child: it is its parent's
    if getattr(_HERE, "taking", False):
        threading.Thread(target=_drop, args=(url, name)).start()
    else:
        _drop(url, name)


def _drop(url: str, name: str) -> None:
    from psycopg import sql

    with contextlib.suppress(InfraError, ConfigError), connect(url) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
