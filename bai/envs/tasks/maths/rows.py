"""Problems of one's own, as rows of a file. The format is in ``docs/own_tasks.md``."""

from __future__ import annotations

from bai.envs.tasks.files import Row
from bai.envs.tasks.maths.task import MathTask
from bai.envs.tasks.own import refuse_unknown

__all__ = ["math_task_of"]

_FIELDS = ("task_id", "prompt", "answer", "solution", "metadata")


def math_task_of(row: Row) -> MathTask:
    """Reads one row.

    Raises:
        MalformedRow: It breaks the format.
    """
    refuse_unknown(row, _FIELDS)
    return MathTask(
        task_id=row.filled("task_id"),
        prompt=row.filled("prompt"),
        metadata=row.mapping("metadata"),
        gold=row.filled("answer"),
        solution=row.text("solution", ""),
    )
