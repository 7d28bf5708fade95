"""Finding and reading BFCL's files."""

from __future__ import annotations

from pathlib import Path

from bai.envs.tasks.files import Row, read_rows, search_path
from bai.errors import TaskSetNotFound

__all__ = ["answered", "rows"]

_FOLDER = "tools/bfcl"


def rows(name: str) -> dict[str, Row]:
    """Gives the rows of a file by their ids (function docs: by their names), in its order.

    Raises:
        TaskSetNotFound: It is not on this machine; the message says where to put it.
        MalformedRow: A row breaks the format, or an id comes twice.
    """
    found: dict[str, Row] = {}
    for row in read_rows(_locate(name)):
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


def _locate(name: str) -> Path:
    folders = search_path(_FOLDER)
    for path in (folder / name for folder in folders):
        if path.exists():
            return path
    raise TaskSetNotFound(
        f"BFCL's {name} is not on this machine: put it at {folders[-2] / name}, or below a folder that BAI_DATA_DIR "
        f"names; looked in {', '.join(map(str, folders))}"
    )
