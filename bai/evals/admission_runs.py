"""The runs that an admission rests on, and where they are kept so that it can be cut off and go on."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

from bai.agents.lock import directory_lock
from bai.envs.grading.repair import RepairReport
from bai.envs.tasks.line_journal import LineJournal
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.swebench_rows import row_of

__all__ = ["Answer", "RunKey", "RunRecord", "RunStore", "digest_of"]

Answer = Literal["gold", "empty"]
RunKey = tuple[str, str, Answer, int]
"""(task id, digest of the task, answer, number from 0)."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run of a task's tests over one answer."""

    task_id: str
    """The task."""
    digest: str
    """Of the task as it was then, so that a row that has changed is run anew."""
    answer: Answer
    """What was judged."""
    number: int
    """Which of its runs, from 0; decides the name of the test that must fail."""
    status: str
    """The verdict's."""
    detail: str
    """What the judge said."""
    failed: tuple[str, ...] | None
    """Expected tests that did not come out as expected, sorted; None if the tests gave no answer."""
    seconds: float
    """That the tests took."""

    @property
    def resolved(self) -> bool:
        """Whether the answer resolved the task."""
        return self.status == "passed"

    @property
    def key(self) -> RunKey:
        """What it is kept by."""
        return self.task_id, self.digest, self.answer, self.number

    @classmethod
    def of(cls, key: RunKey, report: RepairReport) -> Self:
        """Takes down what a judging came to."""
        found = report.examination
        failed = None
        if found is not None and found.whole:
            results = {**found.resolution.fail_to_pass, **found.resolution.pass_to_pass}
            failed = tuple(sorted(test for test, good in results.items() if not good))
        verdict, (task_id, digest, answer, number) = report.verdict, key
        return cls(
            task_id=task_id,
            digest=digest,
            answer=answer,
            number=number,
            status=verdict.status,
            detail=verdict.detail,
            failed=failed,
            seconds=round(report.tests_s, 3),
        )

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Reads what ``asdict`` gave. Raises KeyError, TypeError or ValueError if it is something else."""
        if row["answer"] not in get_args(Answer):
            raise ValueError(f"unknown answer {row['answer']!r}")
        failed = row["failed"]
        return cls(**{**row, "failed": None if failed is None else tuple(failed)})


def digest_of(task: RepairTask) -> str:
    """Gives a digest of all that the outcome of a task's runs depends on."""
    return hashlib.sha256(json.dumps(row_of(task), sort_keys=True).encode()).hexdigest()[:16]


class RunStore:
    """Finished runs, in a folder or, without one, in memory. Safe for use from several threads.

    Use as a context manager: it holds the folder's lock. A run is finished once its line is whole.

    Args:
        folder: Made if absent; None keeps everything in memory.
        identity: What else the outcome of runs depends on, such as the sandbox. JSON values.

    Raises:
        ConfigError: The folder holds runs of another identity, or another process is writing to it, or its file
            was damaged.
    """

    def __init__(self, folder: Path | None, identity: Mapping[str, Any]) -> None:
        self._folder = folder
        self._identity = dict(identity)
        self._lines: LineJournal[RunRecord] | None = None
        self._runs: dict[RunKey, RunRecord] = {}
        self._writing = threading.Lock()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        if self._folder is not None:
            with ExitStack() as held:
                held.enter_context(directory_lock(self._folder, "admitting with"))
                path, of = self._folder / "runs.jsonl", "seed, sandbox or limits"
                self._lines = LineJournal(path, self._identity, of=of, read=RunRecord.from_json)
                self._runs = {run.key: run for run in self._lines.entries}
                self._held = held.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._held.close()

    def get(self, key: RunKey) -> RunRecord | None:
        """Gives a finished run, or None."""
        return self._runs.get(key)

    def add(self, run: RunRecord) -> None:
        """Adds a finished run."""
        with self._writing:
            if self._lines is not None:
                self._lines.add(asdict(run))
            self._runs[run.key] = run
