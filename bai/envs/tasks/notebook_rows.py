"""Questions of one's own about tables, as rows of a file. The format is in ``docs/own_tasks.md``."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from bai.envs.tasks.files import Row
from bai.envs.tasks.notebook import Expected, NotebookTask
from bai.envs.tasks.own import refuse_unknown

__all__ = ["notebook_task_of"]

_FIELDS = ("task_id", "prompt", "files", "values", "tolerance", "pictures", "solution", "metadata")


def notebook_task_of(row: Row) -> NotebookTask:
    """Reads one row, and the tables that it names: files beside the row's own, or below its folder.

    Raises:
        MalformedRow: It breaks the format, or a table is not there.
    """
    refuse_unknown(row, _FIELDS)
    tolerance, pictures = row.number("tolerance", 0.0), row.number("pictures", 0)
    values = row.mapping("values")
    if not values:
        raise row.malformed("values", "expected at least one value by its name; got none")
    if not all(isinstance(value, str) for value in values.values()):
        raise row.malformed("values", "expected values as they are written, in strings")
    if pictures != int(pictures):
        raise row.malformed("pictures", f"expected a whole number; got {pictures}")
    return NotebookTask(
        task_id=row.filled("task_id"),
        prompt=row.filled("prompt"),
        metadata=row.mapping("metadata"),
        files={name: _table(row, name) for name in row.items_of("files", str)},
        expected=tuple(Expected(name=name, value=value, tolerance=tolerance) for name, value in values.items()),
        solution=row.text("solution", ""),
        wanted_pictures=int(pictures),
    )


def _table(row: Row, name: str) -> bytes:
    """Reads a file below the rows' folder: those of somebody else must not show an agent what lies elsewhere here."""
    folder = Path(row.path).resolve().parent
    path = folder / name
    told = f"expected files below {folder}, by relative names; got {name!r:.100}"
    if PurePosixPath(name).is_absolute() or not path.resolve().is_relative_to(folder):
        raise row.malformed("files", told)
    try:
        return path.read_bytes()
    except OSError as error:
        raise row.malformed("files", f"{told}: {error}") from error
