"""From trajectories to figures: what passed, how surely, and what was left out.

A trajectory lost to the machinery (``error`` set, or a verdict of ``infra_error``) is no
score. It is counted, printed, and a run that lost over :data:`MAX_LOST` of its samples is
not to be trusted (``bai eval`` then exits non-zero). Everything else counts: an answer that
was never graded, timed out or crashed is a failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from bai.errors import ConfigError
from bai.evals.metrics import Estimate, bootstrap_mean, paired_difference, pass_at_k
from bai.types import Status, Trajectory

__all__ = [
    "MAX_LOST",
    "STATUSES",
    "Summary",
    "TaskTally",
    "compare",
    "paired_gain",
    "status_of",
    "summarise",
    "tally",
    "tries",
]

MAX_LOST = 0.02
"""Share of samples that may be lost to the machinery before a result is not to be trusted."""

STATUSES = (*get_args(Status), "ungraded")
"""In the order that tables show them."""

LADDER = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Values of k that are reported, as far as there are samples."""


@dataclass(frozen=True, kw_only=True)
class TaskTally:
    """What became of one task's samples."""

    task_id: str
    """The task."""
    samples: int
    """Samples that count."""
    passed: int
    """Those that passed."""
    lost: int
    """Samples lost to the machinery; not among ``samples``."""
    mean_reward: float
    """Over the samples that count; NaN if there is none."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The task's public facts."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The figures of one evaluation."""

    name: str
    """What was evaluated, such as a policy's name."""
    tasks: int
    """Tasks attempted."""
    samples: int
    """Samples that count."""
    lost: int
    """Samples lost to the machinery; in no other figure."""
    statuses: Mapping[str, int]
    """Status of the verdict -> samples; ``ungraded`` where the episode was cut before its judge ran."""
    pass_at: Mapping[int, Estimate]
    """k -> pass@k."""
    reward: Estimate
    """Mean reward."""
    groups: Mapping[str, Mapping[str, Estimate]]
    """Field of the metadata -> its value -> pass@1 on those tasks."""
    terms: Mapping[str, Estimate] = field(default_factory=dict)
    """Named part of the reward -> its mean over the tasks that have it, in order of first appearance."""

    @property
    def lost_share(self) -> float:
        """Share of all samples that was lost to the machinery."""
        return self.lost / max(1, self.samples + self.lost)

    @property
    def is_trustworthy(self) -> bool:
        """Whether something was scored and at most :data:`MAX_LOST` was lost."""
        return self.samples > 0 and self.lost_share <= MAX_LOST

    def to_json(self) -> dict[str, Any]:
        """Gives plain JSON values."""
        return {
            "name": self.name,
            "tasks": self.tasks,
            "samples": self.samples,
            "lost": self.lost,
            "statuses": dict(self.statuses),
            "pass_at": {str(k): estimate.to_json() for k, estimate in self.pass_at.items()},
            "reward": self.reward.to_json(),
            "groups": {
                name: {value: estimate.to_json() for value, estimate in group.items()}
                for name, group in self.groups.items()
            },
            "terms": {name: estimate.to_json() for name, estimate in self.terms.items()},
        }


def status_of(trajectory: Trajectory) -> str:
    """The verdict's status; ``infra_error`` after any fault of the machinery, ``ungraded`` without a verdict."""
    if trajectory.error is not None:
        return "infra_error"
    return "ungraded" if trajectory.verdict is None else trajectory.verdict.status


def tally(trajectories: Iterable[Trajectory]) -> dict[str, TaskTally]:
    """Counts by task, in order of first appearance."""
    by_task: dict[str, list[Trajectory]] = {}
    for trajectory in trajectories:
        by_task.setdefault(trajectory.task_id, []).append(trajectory)
    return {task_id: _tally_one(task_id, rows) for task_id, rows in by_task.items()}


def _tally_one(task_id: str, rows: Sequence[Trajectory]) -> TaskTally:
    counted = [row for row in rows if status_of(row) != "infra_error"]
    return TaskTally(
        task_id=task_id,
        samples=len(counted),
        passed=sum(status_of(row) == "passed" for row in counted),
        lost=len(rows) - len(counted),
        mean_reward=float(np.mean([row.reward for row in counted])) if counted else float("nan"),
        metadata=rows[0].metadata,
    )


def tries(samples: int) -> tuple[int, ...]:
    """The values of k worth reporting for this many samples a task: powers of two, and the number itself."""
    return tuple(sorted({k for k in (*LADDER, samples) if 1 <= k <= samples}))


def summarise(
    trajectories: Iterable[Trajectory],
    *,
    name: str = "",
    ks: Sequence[int] | None = None,
    group_by: Sequence[str] = ("difficulty",),
    seed: int = 0,
) -> Summary:
    """Computes the figures of one evaluation.

    Args:
        trajectories: Samples of one policy on one task set.
        name: What was evaluated.
        ks: Values of k for pass@k; None takes powers of two up to the number of samples of a task.
        group_by: Fields of the metadata to break pass@1 down by, where tasks have them.
        seed: Seeds the bootstrap.
    """
    rows = list(trajectories)
    tallies = list(tally(rows).values())
    statuses = Counter(status_of(row) for row in rows)
    lost = statuses.pop("infra_error", 0)
    most = max((one.samples for one in tallies), default=0)
    return Summary(
        name=name,
        tasks=len(tallies),
        samples=len(rows) - lost,
        lost=lost,
        statuses={status: statuses[status] for status in STATUSES if status in statuses},
        pass_at={k: _pass_at(tallies, k, seed) for k in (tries(most) if ks is None else ks)},
        reward=bootstrap_mean([one.mean_reward for one in tallies], seed=seed),
        groups=_groups(tallies, group_by, seed),
        terms=_terms(rows, seed),
    )


def _pass_at(tallies: Sequence[TaskTally], k: int, seed: int) -> Estimate:
    return bootstrap_mean(pass_at_k([t.samples for t in tallies], [t.passed for t in tallies], k), seed=seed)


def _groups(tallies: Sequence[TaskTally], fields: Sequence[str], seed: int) -> dict[str, dict[str, Estimate]]:
    groups: dict[str, dict[str, Estimate]] = {}
    for name in fields:
        members: dict[str, list[TaskTally]] = {}
        for one in tallies:
            if name in one.metadata:
                members.setdefault(str(one.metadata[name]), []).append(one)
        if members:
            groups[name] = {value: _pass_at(members[value], 1, seed) for value in sorted(members, key=_natural)}
    return groups


def _terms(rows: Sequence[Trajectory], seed: int) -> dict[str, Estimate]:
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if status_of(row) != "infra_error":
            for name, value in row.reward_terms.items():
                found.setdefault(name, {}).setdefault(row.task_id, []).append(value)
    means = {name: [float(np.mean(values)) for values in tasks.values()] for name, tasks in found.items()}
    return {name: bootstrap_mean(values, seed=seed) for name, values in means.items()}


def _natural(text: str) -> tuple[bool, float, str]:
    """Sorts numbers by value, before words."""
    try:
        return (False, float(text), text)
    except ValueError:
        return (True, 0.0, text)


def compare(before: Iterable[Trajectory], after: Iterable[Trajectory], *, k: int = 1, seed: int = 0) -> Estimate:
    """How much pass@k rose from one evaluation to another, paired by task.

    Raises:
        ConfigError: The evaluations are not of the same tasks.
    """
    first, second = tally(before), tally(after)
    if unpaired := first.keys() ^ second.keys():
        example = min(unpaired)
        raise ConfigError(f"a comparison needs the same tasks; {len(unpaired)} are on one side only, such as {example}")
    values = [
        pass_at_k([side[task].samples for task in first], [side[task].passed for task in first], k)
        for side in (first, second)
    ]
    return paired_difference(values[0], values[1], seed=seed)


def paired_gain(evaluations: Sequence[Sequence[Trajectory]], *, seed: int = 0) -> Estimate | None:
    """The gain in pass@1 of the last of several evaluations over the first; None where their tasks differ."""
    if len(evaluations) < 2 or {t.task_id for t in evaluations[0]} != {t.task_id for t in evaluations[-1]}:
        return None
    return compare(evaluations[0], evaluations[-1], seed=seed)
