"""Estimates with their uncertainty: pass@k, bootstrap intervals, paired differences.

Samples of one task are not independent of each other, so every interval here resamples
whole tasks (a cluster bootstrap): first each task gets one number, then tasks are drawn
with replacement. Intervals are percentile intervals; the same seed gives the same interval.

Shapes: P tasks, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bai.errors import ConfigError

__all__ = ["Estimate", "bootstrap_mean", "paired_difference", "pass_at_k"]

RESAMPLES = 10_000
"""Enough that the ends of a 95 % interval move by well under a tenth of its width from seed to seed."""

BLOCK = 500
"""Resamples drawn at a time; bounds memory to BLOCK x P counts."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over tasks and the interval it lies in."""

    value: float
    """The mean over tasks; NaN if there is none."""
    low: float
    """Lower end of the interval; NaN if there is no task."""
    high: float
    """Upper end of the interval; NaN if there is no task."""
    tasks: int
    """Number of tasks it was computed from."""
    level: float = 0.95
    """Probability with which such an interval covers the true mean."""

    def to_json(self) -> dict[str, Any]:
        """Gives plain JSON values; NaN becomes None."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        row: dict[str, Any] = {name: None if np.isnan(end) else end for name, end in ends.items()}
        return {**row, "tasks": self.tasks, "level": self.level}

    def percent(self) -> str:
        """Gives it for people, such as ``53.1 % [47.0, 59.2]``."""
        if not self.tasks:
            return "no tasks"
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def pass_at_k(samples: ArrayLike, passed: ArrayLike, k: int) -> NDArray[np.float64]:
    """The unbiased estimate of passing at least once in k tries, for each task.

    ``1 - C(n - c, k) / C(n, k)``: Chen et al. 2021, arXiv:2107.03374, equation 1. Computed as a product of
    k ratios, which neither overflows nor cancels.

    Args:
        samples: [P] n, samples drawn of each task.
        passed: [P] c, those that passed; ``0 <= c <= n``.
        k: Tries; at least 1.

    Returns:
        [P] in [0, 1]; NaN where a task has fewer than k samples, since no unbiased estimate exists there.

    Raises:
        ConfigError: The counts have different shapes or are no counts, or k is below 1.
    """
    n, c = np.asarray(samples, dtype=np.float64), np.asarray(passed, dtype=np.float64)
    if n.shape != c.shape or n.ndim != 1:
        raise ConfigError(f"samples and passed must be two lists of one length; got shapes {n.shape} and {c.shape}")
    if k < 1:
        raise ConfigError(f"k must be at least 1; got {k}")
    if not (np.all((c >= 0) & (c <= n)) and np.array_equal(n, np.floor(n)) and np.array_equal(c, np.floor(c))):
        raise ConfigError("of n samples 0 to n may have passed, in whole numbers; got other counts")
    tries = np.arange(k, dtype=np.float64)  # [k]
    failing = np.maximum(n[:, None] - c[:, None] - tries, 0.0)  # [P, k]
    remaining = np.maximum(n[:, None] - tries, 1.0)  # [P, k] the floor only guards rows that become NaN below
    return np.where(n >= k, 1.0 - np.prod(failing / remaining, axis=1), np.nan)


def bootstrap_mean(values: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95) -> Estimate:
    """The mean over tasks with a percentile bootstrap interval (Efron 1979), tasks as clusters.

    Args:
        values: [P] one number a task, such as its pass@k; NaN leaves the task out.
        seed: Seeds the resampling.
        resamples: R; at least 100.
        level: Coverage, in (0, 1).

    Raises:
        ConfigError: An argument out of range.
    """
    if resamples < 100:
        raise ConfigError(f"resamples must be at least 100; got {resamples}")
    if not 0 < level < 1:
        raise ConfigError(f"level must lie in (0, 1); got {level}")
    kept = np.asarray(values, dtype=np.float64)
    if kept.ndim != 1:
        raise ConfigError(f"values must be a list of one number a task; got shape {kept.shape}")
    kept = kept[~np.isnan(kept)]
    if not len(kept):
        return Estimate(value=np.nan, low=np.nan, high=np.nan, tasks=0, level=level)
    low, high = np.quantile(_resampled_means(kept, seed, resamples), [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value=float(kept.mean()), low=float(low), high=float(high), tasks=len(kept), level=level)


def _resampled_means(values: NDArray[np.float64], seed: int, resamples: int) -> NDArray[np.float64]:
    """[R] means of P values drawn with replacement."""
    rng = np.random.default_rng(seed)
    # Deviations from the first value make equal values give exactly that value, whatever the rounding.
    centred = values - values[0]
    means = [
        centred[rng.integers(0, len(values), (min(BLOCK, resamples - done), len(values)))].mean(axis=1)
        for done in range(0, resamples, BLOCK)
    ]
    resampled: NDArray[np.float64] = np.concatenate(means) + values[0]
    return resampled


def paired_difference(
    before: Sequence[float] | NDArray[np.float64],
    after: Sequence[float] | NDArray[np.float64],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Estimate:
    """How much ``after`` exceeds ``before`` on the same tasks, with an interval.

    Pairing by task takes the tasks' unequal difficulty out of the comparison. A task that has no value on one
    side (NaN) is left out on both.

    Args:
        before: [P] one number a task.
        after: [P] the same tasks in the same order.
        seed: Seeds the resampling.
        resamples: R; at least 100.
        level: Coverage, in (0, 1).

    Raises:
        ConfigError: The lists differ in length, or an argument is out of range.
    """
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if first.shape != second.shape:
        raise ConfigError(f"both conditions need the same tasks; got {first.shape} and {second.shape} values")
    return bootstrap_mean(second - first, seed=seed, resamples=resamples, level=level)
