"""A task for notebooks: a question about tables, and the values that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bai.types import Task

__all__ = ["Expected", "NotebookTask"]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One value of an answer."""

    name: str
    """What it is called in the answer: ``@name[value]``."""
    value: str
    """The value, as it is written."""
    tolerance: float = 0.0
    """By how much a number may differ, where that is more than the judge's own tolerance."""


@dataclass(frozen=True, kw_only=True)
class NotebookTask(Task):
    """What the agent may see is the prompt and the files; the rest stays on the host."""

    files: Mapping[str, bytes] = field(repr=False)
    """The tables, by their names in the workspace."""
    expected: tuple[Expected, ...]
    """The values that are right."""
    solution: str = ""
    """Code of a cell that prints the answer, or an empty string where there is none."""
    wanted_pictures: int = 0
    """Pictures that the notebook must show."""
