"""Finding and reading BFCL's files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bai.envs.tasks.files import Row, read_rows
from bai.envs.tasks.folders import find_files

__all__ = ["answered", "named", "rows"]


def rows(name: str) -> dict[str, Row]:
    """Gives the rows of a file by their ids (function docs: by their names), in its order.

    Raises:
        TaskSetNotFound: It is not on this machine; the message says where to put it.
        MalformedRow: A row breaks the format, or an id comes twice.
    """
    found: dict[str, Row] = {}
    (path,) = find_files("bfcl", "tools/bfcl", name)
    for row in read_rows(path):
        key = row.text("id" if "id" in row else "name")
        if key in found:
            raise row.malformed("id", f"{key!r} comes twice")
        found[key] = row
    return found


def answered(name: str) -> list[tuple[Row, Row]]:
    """Gives the rows of ``NAME.jsonl`` with those of ``NAME_answers.jsonl``, by id.

    Raises:
        TaskSetNotFound: One of the files is not on this machine.
        MalformedRow: A row breaks the format, or has no answer.
    """
    answers = rows(f"{name}_answers.jsonl")
    pairs = []
    for key, row in rows(f"{name}.jsonl").items():
        if key not in answers:
            raise row.malformed("id", f"{key!r} has no row in {name}_answers.jsonl")
        pairs.append((row, answers[key]))
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
