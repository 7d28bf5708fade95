"""Admission: which rows of a set of repair tasks are sound enough to train and to evaluate on.

A row is admitted if its gold patch resolves it in every one of several runs and an empty patch does not. Everything
else is quarantined with the reason. A fault of the machinery says nothing about a row: it is tried once more and
otherwise reported apart.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bai.envs.grading.gold import gold_changes
from bai.envs.grading.repair import TEST_LIMITS, RepairGrader
from bai.envs.machines.base import Workshop
from bai.envs.machines.environment import Environment
from bai.envs.sandbox.base import Limits
from bai.envs.tasks.repair import RepairTask
from bai.errors import ConfigError, DataError, InfraError
from bai.evals.admission_runs import Answer, RunKey, RunRecord, RunStore, digest_of

__all__ = ["Admission", "Finding", "admit"]

TRIES = 2
"""Times that a run is tried where the machinery fails."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found of one row."""

    task_id: str
    """The row."""
    reason: str = ""
    """Why it is quarantined; empty if it is admitted or if it is not known yet."""
    fault: str = ""
    """What failed of the machinery, so that nothing is known; empty if nothing did."""
    flaky: tuple[str, ...] = ()
    """Expected tests that did not come out alike in all runs of the gold patch."""
    gold: tuple[str, ...] = ()
    """The verdicts' statuses on the gold patch."""
    empty: str = ""
    """The verdict's status on the empty patch."""
    seconds: float = 0.0
    """That the tests took in a run, the mean over the runs."""
    python: str = ""
    """The interpreter's version; empty where it is an image's own."""
    python_differs: str = ""
    """The version that the specification names, where the interpreter is of another."""

    @property
    def admitted(self) -> bool:
        """Whether the row is sound."""
        return not self.reason and not self.fault

    def to_json(self) -> dict[str, Any]:
        """Gives plain JSON values."""
        lists = {"flaky": list(self.flaky), "gold": list(self.gold)}
        return {**vars(self), **lists, "admitted": self.admitted}


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What was found of a set."""

    tasks: tuple[RepairTask, ...] = field(repr=False)
    """The admitted tasks, in the set's order."""
    findings: tuple[Finding, ...]
    """What was found of each row, in the set's order."""
    reused: int
    """Runs that were taken from an admission before that was cut off."""

    @property
    def quarantined(self) -> tuple[Finding, ...]:
        """Rows that are unsound."""
        return tuple(finding for finding in self.findings if finding.reason)

    @property
    def lost(self) -> tuple[Finding, ...]:
        """Rows of which nothing is known, because the machinery failed."""
        return tuple(finding for finding in self.findings if finding.fault)

    def to_json(self) -> dict[str, Any]:
        """Gives plain JSON values."""
        counts = {"admitted": len(self.tasks), "quarantined": len(self.quarantined), "lost": len(self.lost)}
        rows = [finding.to_json() for finding in self.findings]
        return {"rows": len(rows), **counts, "reused_runs": self.reused, "findings": rows}


def admit(
    tasks: Iterable[RepairTask],
    workshop: Workshop,
    *,
    repeat: int = 3,
    jobs: int = 1,
    seed: int = 0,
    limits: Limits = TEST_LIMITS,
    journal: Path | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Admission:
    """Runs the gold patch several times and the empty patch once on every task.

    Args:
        tasks: The rows; their ids differ.
        workshop: Where trees and machines come from.
        repeat: Runs of the gold patch, at least 1.
        jobs: Runs at a time, each in a sandbox of its own; at least 1.
        seed: Names the tests that must fail.
        limits: What a run may take.
        journal: A folder for finished runs, made if absent: called again with the same arguments, perhaps after its
            process was killed, no finished run is repeated. None keeps nothing.
        on_progress: Called with (runs done, runs wanted, what was done last).

    Raises:
        ConfigError: A number is out of range, two rows have one id, or the journal is of another admission or in use.
        MissingDependency: ``swebench`` is not installed.
    """
    rows = tuple(tasks)
    if repeat < 1 or jobs < 1:
        raise ConfigError(f"repeat and jobs are at least 1; got {repeat!r} and {jobs!r}")
    if len({task.task_id for task in rows}) < len(rows):
        raise ConfigError("two rows have the same instance_id: each must have its own")
    identity = {"seed": seed, "limits": vars(limits), "workshop": _name_of(workshop)}
    with RunStore(journal, identity) as store:
        admission = _Admission(workshop, limits, store, repeat, seed)
        admission.run(rows, jobs, on_progress or (lambda done, total, note: None))
        found = tuple(map(admission.finding, rows))
    sound = {finding.task_id for finding in found if finding.admitted}
    kept = tuple(task for task in rows if task.task_id in sound)
    return Admission(tasks=kept, findings=found, reused=admission.reused)


def _name_of(workshop: Workshop) -> str:
    return str(getattr(workshop, "backend", type(workshop).__name__))


class _Admission:
    """The runs of one admission."""

    def __init__(self, workshop: Workshop, limits: Limits, store: RunStore, repeat: int, seed: int) -> None:
        self._workshop, self._limits, self._store = workshop, limits, store
        self._grader = RepairGrader(workshop, limits=limits, second_look=False)
        self._repeat, self._seed = repeat, seed
        self._digests: dict[str, str] = {}
        self._unusable: dict[str, str] = {}
        self._faults: dict[str, str] = {}
        self.reused = 0

    def run(self, tasks: Sequence[RepairTask], jobs: int, tell: Callable[[int, int, str], None]) -> None:
        """Makes all runs that are not in the store; a row's runs stand together, so that its tree is found once."""
        self._digests = {task.task_id: digest_of(task) for task in tasks}
        wanted = [(task, key) for task in tasks for key in self._keys(task)]
        missing = [(task, key) for task, key in wanted if self._store.get(key) is None]
        self.reused = done = len(wanted) - len(missing)
        tell(done, len(wanted), "")
        with ThreadPoolExecutor(jobs) as pool:
            left: set[Future[str]] = {pool.submit(self._try, task, key) for task, key in missing}
            try:
                while left:
                    ended, left = wait(left, return_when=FIRST_COMPLETED)
                    for future in ended:
                        done += 1
                        tell(done, len(wanted), future.result())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _keys(self, task: RepairTask) -> list[RunKey]:
        answers: list[tuple[Answer, int]] = [("gold", number) for number in range(self._repeat)]
        return [(task.task_id, self._digests[task.task_id], *each) for each in (*answers, ("empty", 0))]

    def _try(self, task: RepairTask, key: RunKey) -> str:
        """Makes one run; gives what to tell of it."""
        if task.task_id in self._unusable:
            return task.task_id
        for attempt in range(1, TRIES + 1):
            try:
                run = self._judge(task, key)
            except InfraError as error:
                if attempt == TRIES:
                    self._faults[task.task_id] = f"{type(error).__name__}: {error}"
            except DataError as error:
                self._unusable[task.task_id] = str(error)
                break
            else:
                self._store.add(run)
                return f"{task.task_id}: {key[2]} {run.status}"
        return f"{task.task_id}: {key[2]} not run"

    def _judge(self, task: RepairTask, key: RunKey) -> RunRecord:
        _, _, answer, number = key
        rng = np.random.default_rng([self._seed, zlib.crc32(task.task_id.encode()), number, answer == "gold"])
        if answer == "empty":
            return RunRecord.of(key, self._grader.grade(task, {}, rng=rng))
        brings = task.patch or "harbor" in task.origin
        gold = gold_changes(task, self._workshop, self._limits) if brings else {}
        return RunRecord.of(key, self._grader.grade(task, gold, rng=rng))

    # What it comes to.

    def finding(self, task: RepairTask) -> Finding:
        """Decides on one row."""
        runs = [run for key in self._keys(task) if (run := self._store.get(key)) is not None]
        gold, empty = ([run for run in runs if run.answer == answer] for answer in ("gold", "empty"))
        flaky = _flaky(gold)
        fault = self._faults.get(task.task_id, "")
        unusable = self._unusable.get(task.task_id, "")
        reason = f"cannot be set up: {unusable}" if unusable else "" if fault else _reason(gold, empty, flaky)
        python, differs = ("", "") if unusable or fault else self._interpreter(task)
        return Finding(
            task_id=task.task_id,
            reason=reason,
            fault=fault,
            flaky=flaky,
            gold=tuple(run.status for run in gold),
            empty=empty[0].status if empty else "",
            seconds=round(sum(run.seconds for run in runs) / max(1, len(runs)), 3),
            python=python,
            python_differs=differs,
        )

    def _interpreter(self, task: RepairTask) -> tuple[str, str]:
        """The interpreter's version, and the one that the specification names where that is another."""
        try:
            environment = getattr(self._workshop.machine(task), "environment", None)
        except InfraError:  # every run is from the journal, and the machine is gone since
            return "", ""
        if not isinstance(environment, Environment):
            return "", ""
        return environment.python, "" if environment.as_specified else environment.wanted


def _flaky(gold: Sequence[RunRecord]) -> tuple[str, ...]:
    failed = [frozenset(run.failed) for run in gold if run.failed is not None]
    return tuple(sorted(frozenset().union(*failed) - failed[0].intersection(*failed))) if failed else ()


def _reason(gold: Sequence[RunRecord], empty: Sequence[RunRecord], flaky: Sequence[str]) -> str:
    """Why a row is unsound, or an empty string."""
    reasons = []
    bad = [run for run in gold if not run.resolved]
    if bad:
        times = "never" if len(bad) == len(gold) else f"in {len(gold) - len(bad)} of {len(gold)} runs only"
        reasons.append(f"the gold patch resolves it {times} ({bad[0].status}: {bad[0].detail})")
        if not flaky and bad[0].failed:
            reasons.append(f"failing: {_listed(bad[0].failed)}")
    if flaky:
        reasons.append(f"flaky: {_listed(flaky)}")
    if any(run.resolved for run in empty):
        reasons.append("an empty patch resolves it")
    return "; ".join(reasons)


def _listed(tests: Sequence[str]) -> str:
    shown = ", ".join(tests[:5])
    return f"{shown} and {len(tests) - 5} more" if len(tests) > 5 else shown
