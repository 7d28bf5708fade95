"""How large a database on a PostgreSQL server is, and how what nothing needs in its files is got rid of."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from bai.envs.tools.postgres_sessions import connect, import_psycopg, watched

if TYPE_CHECKING:
    import psycopg

    from bai.envs.tools.postgres_databases import Database

__all__ = ["pack", "size_of"]

_PACK_S = 5.0
"""Seconds for packing, in which code of the agent's may run: that of its indexes."""
_LOOK_S = 0.02
_SIZE = b"SELECT pg_catalog.pg_database_size(pg_catalog.current_database())"
"""Names the functions in full: a statement may have put others of these names before them."""
_HORIZON = b"""
SELECT pg_catalog.pg_snapshot_xmin(now), pg_catalog.pg_snapshot_xmax(now) FROM pg_catalog.pg_current_snapshot() AS now
"""
_PACKABLE = b"""
SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace,
LATERAL pg_total_relation_size(pg_class.oid) AS size
WHERE relkind IN ('r', 'm') AND NOT relisshared AND size > CASE nspname WHEN 'pg_catalog' THEN 65536 ELSE 0 END
ORDER BY size DESC
"""
"""What is worth it, most of all first; what the server shares among its databases is not ours to lock."""


def size_of(session: psycopg.Connection[Any]) -> int:
    """Gives the bytes that the files of a session's database take, rows that are gone among them."""
    row = session.execute(_SIZE).fetchone()
    assert row is not None
    return int(row[0])


def pack(database: Database, most: int, patience_s: float) -> int:
    """Writes a database's files anew without the rows that are gone, where they take more than ``most`` bytes.

    A server keeps rows that a transaction of any database may still see: those that are under way are waited for, up to
    ``patience_s``. What the episode made can keep files from being packed, such as an index whose function fails or
    does not end: no fault of ours. The server runs such functions as their owner.

    Returns:
        The size then.

    Raises:
        InfraError, ConfigError: As :func:`~bai.envs.tools.postgres_sessions.connect`.
    """
    from psycopg import sql

    psycopg = import_psycopg()
    with connect(database.url, dbname=database.name) as admin:
        if (size := size_of(admin)) <= most:
            return size
        admin.execute(b"SET search_path = pg_catalog")  # no operator of the agent's runs with our rights
        _wait_for_others(admin, patience_s)
        with watched(admin, database.url, _PACK_S):
            for name in admin.execute(_PACKABLE).fetchall():
                with contextlib.suppress(psycopg.Error):
                    admin.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(*name)))
    with connect(database.url, dbname=database.name) as admin:
        return size_of(admin)


def _wait_for_others(admin: psycopg.Connection[Any], seconds: float) -> None:
    """Waits until all transactions of the server that are under way have ended, but no longer than so many seconds."""
    deadline = time.monotonic() + seconds
    _, newest = _horizon(admin)
    while _horizon(admin)[0] < newest and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def _horizon(admin: psycopg.Connection[Any]) -> tuple[int, int]:
    """Gives the oldest transaction that has not ended, and the first that has not begun."""
    row = admin.execute(_HORIZON).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
