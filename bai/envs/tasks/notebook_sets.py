"""From a name to a task set for notebooks."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.folders import find_files
from bai.envs.tasks.notebook import NotebookTask
from bai.envs.tasks.notebook_dabench import load_dabench
from bai.envs.tasks.notebook_rows import notebook_task_of
from bai.envs.tasks.own import load_own
from bai.envs.tasks.selection import select
from bai.envs.tasks.tables import TablesTaskSet

__all__ = ["NOTEBOOK_SETS", "load_notebook_set"]

NOTEBOOK_SETS = ("tables", "dabench")
"""Names of the sets."""


def load_notebook_set(name: str, **filters: Any) -> TaskSet[NotebookTask]:
    """Gives a task set; files that were read before are read again only if they have changed since.

    Args:
        name: ``tables`` or ``dabench``; or the path of a file of rows, whose tables are read again only with it.
        filters: ``split``, ``family`` and ``difficulty``, where the set has them; None means no filter. ``dabench`` has
            ``difficulty`` alone: ``easy``, ``medium``, ``hard``, or several of them. ``seed`` fixes another order.

    Raises:
        ConfigError: A filter that the set does not know, or that leaves no task.
        TaskSetNotFound: There is no such set, or its files are not on this machine.
        MalformedRow: A row of its files breaks the format.
    """
    given: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in filters.items() if v is not None}
    if name == "tables":
        return TablesTaskSet(**given)
    if name != "dabench":
        return select(load_own(name, notebook_task_of, NOTEBOOK_SETS), given)
    files = find_files("dabench", "notebook/dabench", "questions.jsonl", "labels.jsonl", "tables")
    return select(_dabench(files[0].parent, stamp(files)), given, ["difficulty"])


@functools.lru_cache(maxsize=4)
def _dabench(folder: Path, stamp: Stamp) -> FiniteTaskSet[NotebookTask]:
    return load_dabench(folder)
