"""Finding and reading BFCL's files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bai.envs.tasks.files import Row, read_rows
from bai.envs.tasks.folders import find_files

__all__ = ["answered", "find_bfcl", "named", "rows"]


def find_bfcl(*names: str) -> tuple[Path, ...]:
    """Finds files of BFCL's, by their paths in its folder.

    Raises:
        TaskSetNotFound: One is not on this machine; the message says where to put them.
    """
    return find_files("bfcl", "tools/bfcl", *names)


def rows(path: Path) -> dict[str, Row]:
    """Gives the rows of a file by their ids (function docs: by their names), in its order.

    Raises:
        MalformedRow: A row breaks the format, or an id comes twice.
    """
    found: dict[str, Row] = {}
    for row in read_rows(path):
        key = row.text("id" if "id" in row else "name")
        if key in found:
            raise row.malformed("id", f"{key!r} comes twice")
        found[key] = row
    return found


def answered(questions: Path, answers: Path) -> list[tuple[Row, Row]]:
    """Gives the rows of one file with those of another, by id.

    Raises:
        MalformedRow: A row breaks the format, or has no answer.
    """
    given = rows(answers)
    pairs = []
    for key, row in rows(questions).items():
        if key not in given:
            raise row.malformed("id", f"{key!r} has no row in {answers.name}")
        pairs.append((row, given[key]))
    return pairs


@contextlib.contextmanager
def named(row: Row) -> Iterator[None]:
    """Names the row where what is made of it fails for its form.

    Raises:
        MalformedRow: Something is missing in it, or of another kind.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise row.malformed("", f"has not the form of a row of BFCL's: {error!r:.200}") from error
