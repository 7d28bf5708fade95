"""Task sets of one's own: files of rows, read once and again when they have changed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.files import Row, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.errors import ConfigError, TaskSetNotFound
from bai.types import Task

__all__ = ["load_own", "refuse_unknown"]

T = TypeVar("T", bound=Task)


def load_own(name_or_path: str | Path, task_of: Callable[[Row], T], known: Iterable[str]) -> FiniteTaskSet[T]:
    """Reads a file, or a directory, of rows (see ``docs/own_tasks.md``).

    Args:
        name_or_path: Where it lies: ``.jsonl``, ``.json`` (lines too), either gzipped; or what ``datasets`` reads:
            ``.parquet``, ``.csv``, ``.arrow``, or a directory.
        task_of: Reads a row.
        known: Names of sets that might have been meant.

    Raises:
        ConfigError: It is no path.
        TaskSetNotFound: It is not there.
        MalformedRow: A row breaks the format; names the file, the line and the field.
    """
    if not isinstance(name_or_path, (str, Path)) or not str(name_or_path):
        raise ConfigError(f"expected the name of a task set or the path of a file; got {name_or_path!r:.200}")
    path = Path(name_or_path).expanduser()
    if not path.exists():
        raise TaskSetNotFound(
            f"there is no task set and no file {str(name_or_path)!r:.200}: expected one of {', '.join(known)}, or the "
            "path of a file of rows (docs/own_tasks.md)"
        )
    return _load(str(path.resolve()), task_of, stamp([path.resolve()]))


@functools.lru_cache(maxsize=16)
def _load(path: str, task_of: Callable[[Row], T], stamp: Stamp) -> FiniteTaskSet[T]:
    return FiniteTaskSet(path, (task_of(row) for row in read_rows(Path(path))))


def refuse_unknown(row: Row, fields: Iterable[str]) -> None:
    """Passes rows that have none but these fields.

    Raises:
        MalformedRow: There is another.
    """
    if unknown := sorted(set(row) - set(fields)):
        raise row.malformed(unknown[0], f"is no field of the format; expected {', '.join(sorted(fields))}")
