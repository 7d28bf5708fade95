"""Databases of episodes on a PostgreSQL server: each with a role of its own, made, branched and dropped.

An episode's statements reach one database, as a role that may do nothing beside it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from bai.envs.tools.postgres_sessions import connect, import_psycopg, is_watching, watched
from bai.envs.tools.postgres_values import adapters
from bai.errors import CannotFork, ConfigError, InfraError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

__all__ = [
    "Database",
    "copy_database",
    "enter",
    "expect_own",
    "make_database",
    "unwelcome",
]

_TEMPORARY = "64MB"
"""What the sorts and temporary tables of one session may take on disk."""
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
WHERE rolname = current_user AND NOT pg_catalog.starts_with(one, 'temp_file_limit=')
"""
"""What a role has set for its sessions to come."""
_WHERE_SET = """
SELECT datname FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
JOIN pg_roles ON pg_roles.oid = setrole WHERE rolname = %s
"""
"""Databases that a role has set something for, which need not be its own."""
_SHARED = b"""
DO $$
DECLARE one regprocedure;
BEGIN
    FOR one IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
        AND (proname LIKE 'pg\\_%advisory%' OR proname IN ('lo_creat', 'lo_create', 'lo_from_bytea'))
    LOOP EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', one); END LOOP;
END $$
"""
"""Takes away the locks of the server's one table that cost nothing to take, and large objects."""


@dataclass(frozen=True, eq=False)
class Database:
    """A database and the role that owns all in it, of one name; dropped when nothing refers to it any more."""

    url: str
    """The server's, with rights to make databases and roles."""
    name: str
    """Of the database and of the role."""
    password: str
    """The role's."""
    owner: int = field(default_factory=os.getpid)
    """The process that made it, and alone may go into it: a child that it forked begins an episode of its own."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Database:
        return self  # what it names does not change, and a copy would drop it twice

    def __reduce__(self) -> NoReturn:
        raise CannotFork("a database goes with its owner and cannot be pickled: fork() the episode, or replay it")


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
        admin.execute(sql.SQL("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {0} TO {0}").format(name))
    with connect(url, dbname=made.name) as inner:
        if source is None:
            with contextlib.suppress(import_psycopg().errors.InsufficientPrivilege):  # for superusers alone
                inner.execute(_SHARED)
            inner.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(name))
        else:
            inner.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(sql.Identifier(source.name), name))
    return made


def expect_own(database: Database) -> None:
    """Raises CannotFork where another process made a database: this one is a child that was forked amid an episode."""
    if os.getpid() != database.owner:
        raise CannotFork("the database is that of the process that this one was forked from: call begin() first")


@contextlib.contextmanager
def enter(database: Database, seconds: float) -> Iterator[psycopg.Connection[Any]]:
    """Opens a session in an episode's database as its role, for the length of a block or so many seconds.

    A role may change its own password and, for its sessions to come, its own settings. Both are put back: they keep
    nobody from seeing what it left, and a branch, which has a role of its own, behaves as what it was taken from.

    Raises:
        CannotFork: The database is another process's.
        InfraError, ConfigError: As :func:`~bai.envs.tools.postgres_sessions.connect`.
    """
    expect_own(database)
    with contextlib.ExitStack() as stack:
        try:
            session = stack.enter_context(_entered(database, seconds))
            is_changed = session.execute(_OF_ROLE).fetchone() is not None
        except InfraError:
            is_changed = True
        if is_changed:
            stack.close()
            _renew(database)
            session = stack.enter_context(_entered(database, seconds))
        yield session


@contextlib.contextmanager
def _entered(database: Database, seconds: float) -> Iterator[psycopg.Connection[Any]]:
    given = {
        "dbname": database.name,
        "user": database.name,
        "password": database.password,
        "options": _SETTINGS,
        "context": adapters(),
    }
    with connect(database.url, **given) as session, watched(session, database.url, seconds):
        yield session


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


def _renew(database: Database) -> None:
    """Puts a role back to what it was made as."""
    from psycopg import sql

    name = sql.Identifier(database.name)
    with connect(database.url) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(database.password)))
        for found in admin.execute(_WHERE_SET, (database.name,)).fetchall():
            admin.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(name, sql.Identifier(*found)))
        admin.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(name))
        _bound(admin, name)


def _bound(admin: psycopg.Connection[Any], name: sql.Identifier) -> None:
    from psycopg import sql

    with contextlib.suppress(import_psycopg().errors.InsufficientPrivilege):  # for superusers alone to set
        admin.execute(sql.SQL("ALTER ROLE {} SET temp_file_limit = {}").format(name, sql.Literal(_TEMPORARY)))


def _let_go(owner: int, url: str, name: str) -> None:
    if os.getpid() != owner:
        return  # a forked child: it is its parent's
    if is_watching():
        threading.Thread(target=_drop, args=(url, name)).start()
    else:
        _drop(url, name)


def _drop(url: str, name: str) -> None:
    from psycopg import sql

    with contextlib.suppress(InfraError, ConfigError), connect(url) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
