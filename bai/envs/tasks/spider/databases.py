"""The databases of a dump as SQLite files, made once and kept."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from bai.envs.machines.cache import cache_folder, make_once
from bai.envs.tasks.spider.dump import scripts

__all__ = ["open_read_only", "schema", "sqlite_files"]

_FORMAT = 1
"""Of the files; to be raised when what :mod:`bai.envs.tasks.spider.dump` writes changes."""


def sqlite_files(dump: Path) -> dict[str, Path]:
    """Gives the SQLite file of each database of a MySQL dump.

    They lie in ``bai/spider`` of the user's cache directory, under the digest of the dump; nothing writes to them
    again.

    Raises:
        DataError: The dump holds what cannot be turned into SQLite.
        InfraError: The cache cannot be written.
    """
    data = dump.read_bytes()
    digest = hashlib.sha256(data).hexdigest()[:16]
    folder = make_once(cache_folder() / "spider" / f"{digest}-{_FORMAT}", lambda draft: _write(data, draft))
    return {path.stem: path for path in sorted(folder.glob("*.sqlite"))}


def _write(data: bytes, folder: Path) -> None:
    folder.mkdir()
    for name, script in scripts(data.decode("utf-8")).items():
        path = folder / f"{name}.sqlite"
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement in script:
                connection.execute(statement)
        path.chmod(0o444)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Opens a database that nothing can change by this connection."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)


def schema(connection: sqlite3.Connection) -> str:
    """Gives the statements that made a database's tables."""
    found = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL ORDER BY rowid")
    return ";\n".join(sql for (sql,) in found) + ";"
