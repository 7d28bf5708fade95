"""MATH-500: 500 competition problems of seven subjects and five levels, with answers in LaTeX.

Source: Hendrycks et al. 2021, "Measuring Mathematical Problem Solving With the MATH Dataset" (arXiv:2103.03874); the
500 test problems are those of Lightman et al. 2023, "Let's Verify Step by Step" (arXiv:2305.20050); file
``math500.jsonl`` with ``problem``, ``solution``, ``answer``, ``subject``, ``level`` and ``unique_id``.
"""

from __future__ import annotations

from pathlib import Path

from bai.envs.tasks.files import Row, locate, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.maths.task import MathTask

__all__ = ["load_math500"]


def load_math500(path: Path | None = None) -> FiniteTaskSet[MathTask]:
    """Loads MATH-500.

    Raises:
        TaskSetNotFound: The file is not on this machine.
        MalformedRow: A row breaks the format.
    """
    path = path or locate("math500", "math500.jsonl", kind="math")
    return FiniteTaskSet("math500", (_task(row) for row in read_rows(path)))


def _task(row: Row) -> MathTask:
    if not row.text("answer").strip():
        raise row.malformed("answer", "expected an answer; got an empty string")
    return MathTask(
        task_id=row.text("unique_id").removesuffix(".json"),
        prompt=row.text("problem"),
        metadata={
            "source": "math500",
            "split": "test",
            "difficulty": int(row.number("level", 0)),
            "subject": row.text("subject", "unknown"),
        },
        gold=row.text("answer"),
        solution=row.text("solution", " ").strip(),
    )
