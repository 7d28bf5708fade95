"""What was tried so far, on disk: a run that was cut off goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bai.envs.tasks.files import Row
from bai.envs.tasks.line_journal import LineJournal
from bai.envs.tasks.mutation.make import Finding, Tried
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.swebench_rows import row_of, task_of

__all__ = ["Journal", "Noted"]


@dataclass(frozen=True, kw_only=True)
class Noted:
    """One fault that was tried, as far as a report needs it."""

    key: str
    """The candidate's."""
    operators: tuple[str, ...]
    """Names of its operators."""
    finding: Finding
    """What became of it."""
    seconds: float
    """Of real time."""
    task: RepairTask | None = None
    """The task, where one was made."""

    @classmethod
    def of(cls, tried: Tried) -> Self:
        """Takes down what was tried."""
        candidate = tried.candidate
        return cls(
            key=candidate.key,
            operators=candidate.operators,
            finding=tried.finding,
            seconds=tried.seconds,
            task=tried.task,
        )


class Journal:
    """A file of one JSON object a line: what the run is, then every fault that was tried, in order.

    Args:
        path: The file; made where it is absent.
        run: What the faults depend on: project, seed, settings.

    Raises:
        ConfigError: The file is of another run, or was damaged.
    """

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self._lines = LineJournal(path, run, of="project, seed or settings", read=_read)
        self.noted = list(self._lines.entries)
        """What was tried so far."""

    def add(self, noted: Noted) -> None:
        """Writes one fault down."""
        row = {"key": noted.key, "operators": noted.operators, "finding": noted.finding, "seconds": noted.seconds}
        task = {} if noted.task is None else {"task": row_of(noted.task)}
        self._lines.add({**row, **task})
        self.noted.append(noted)


def _read(row: Row) -> Noted:
    task = task_of(Row(row["task"], Path(row.path), row.line)) if "task" in row else None
    values = {name: row[name] for name in ("key", "finding", "seconds")}
    return Noted(**values, operators=tuple(row["operators"]), task=task)
