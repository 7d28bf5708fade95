"""From a MySQL dump to SQLite."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bai.envs.tasks.spider.databases import open_read_only, schema, sqlite_files
from bai.envs.tasks.spider.dump import scripts
from bai.errors import DataError


def test_rows_come_over_unchanged(shop: sqlite3.Connection) -> None:
    """Texts with quotes and semicolons, NULLs, whole and broken numbers."""
    assert shop.execute('SELECT * FROM item ORDER BY "id"').fetchall() == [
        (1, 'It\'s; a "cup"', 2.5, "DE", 1.0),
        (2, "plate", None, "FR", 2.5),
        (3, "Bowl", 4, "DE", 1000.0),
        (4, "jug", 4, None, None),
    ]


def test_columns_keep_what_counts(shop: sqlite3.Connection) -> None:
    """Type, NOT NULL, default, key, unique key, foreign key."""
    columns = shop.execute("PRAGMA table_info(item)").fetchall()
    assert [(name, kind, bool(filled), default, key) for _, name, kind, filled, default, key in columns] == [
        ("id", "INTEGER", True, None, 1),
        ("Name", "TEXT", True, "''", 0),
        ("price", "NUMERIC", False, "NULL", 0),
        ("made in", "TEXT", False, None, 0),
        ("sold", "REAL", False, "'0.0'", 0),
    ]
    assert shop.execute("PRAGMA foreign_key_list(item)").fetchone()[2:5] == ("country", "made in", "code")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        shop.execute("INSERT INTO item (\"Name\") VALUES ('BOWL')")


def test_case_counts_where_the_collation_says_so(shop: sqlite3.Connection) -> None:
    """Collations that end in _ci ignore it, a binary one does not."""
    assert shop.execute("SELECT id FROM item WHERE name = 'bowl'").fetchall() == [(3,)]
    assert shop.execute("SELECT id FROM item WHERE \"made in\" = 'de'").fetchall() == []


def test_databases_are_kept_apart(dump: str) -> None:
    """Tables of one name in two databases are two tables."""
    made = scripts(dump)
    assert {name: len(script) for name, script in made.items()} == {"shop": 3, "other": 1}


@pytest.mark.parametrize(
    ("dump", "says"),
    [
        ("CREATE TABLE `a` (`b` int);", "expected USE before CREATE TABLE"),
        ("USE `x`; CREATE TABLE `a` (`b` int;", "close its parenthesis"),
        ("USE `x`; ALTER TABLE `a` ADD `b` int;", "does not hold 'ALTER TABLE'"),
        ("USE `x`; CREATE TABLE `a` (CHECK (1));", "does not hold 'CHECK"),
    ],
)
def test_what_is_not_understood_is_an_error(dump: str, says: str) -> None:
    """No statement on tables is passed over in silence."""
    with pytest.raises(DataError, match=says):
        scripts(dump)


def test_files_are_made_once_and_cannot_be_changed(tmp_path: Path, dump: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same dump gives the same files, another dump others; a connection of ours cannot write."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "dump.sql"
    path.write_text(dump)
    files = sqlite_files(path)
    changed = {name: file.stat().st_mtime_ns for name, file in files.items()}
    assert sorted(files) == ["other", "shop"]
    assert {name: file.stat().st_mtime_ns for name, file in sqlite_files(path).items()} == changed
    path.write_text(dump.replace("plate", "dish"))
    assert sqlite_files(path)["shop"].parent != files["shop"].parent
    connection = open_read_only(files["shop"])
    assert schema(connection).startswith('CREATE TABLE "item" (\n  "id" INTEGER NOT NULL,')
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM item")
    connection.close()
