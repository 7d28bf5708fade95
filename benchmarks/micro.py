"""Micro tasks: the cost of drawing one, how many there are, how long they read."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice

from bai.envs.tasks.micro import DIFFICULTIES, MicroTaskSet
from benchmarks._measure import Figure

PER_ROUND = 500
ROUNDS = 5
COUNTED = 6000


def run() -> dict[str, Figure]:
    """Measures new tasks each round, so that nothing is remembered from the round before."""
    figures = {
        "train, all difficulties": _cost(lambda seed: MicroTaskSet("train", seed=seed), at_most=1.0),
        "held out, all difficulties": _cost(lambda seed: MicroTaskSet("heldout", seed=seed)),
    }
    for difficulty in DIFFICULTIES:
        tasks = list(islice(MicroTaskSet("train", difficulty, seed=3), PER_ROUND))
        sizes = {"prompt": [len(t.prompt) for t in tasks], "reference": [len(t.reference) for t in tasks]}
        for what, lengths in sizes.items():
            note = f"mean of {PER_ROUND}; longest {max(lengths)}"
            figures[f"{what}, difficulty {difficulty}"] = Figure(
                value=statistics.mean(lengths), unit="characters", note=note
            )
    for difficulty in (2, 3):
        figures[f"programs, difficulty {difficulty}"] = _count(difficulty)
    return figures


def _cost(make: Callable[[int], MicroTaskSet], at_most: float | None = None) -> Figure:
    taken = []
    for seed in range(100, 101 + ROUNDS):
        started = time.process_time()
        for _ in islice(make(seed), PER_ROUND):
            pass
        taken.append((time.process_time() - started) / PER_ROUND * 1000)
    note = f"processor time, median of {ROUNDS} x {PER_ROUND} new tasks"
    return Figure(value=statistics.median(taken[1:]), unit="ms/task", at_most=at_most, note=note)


def _count(difficulty: int) -> Figure:
    """A lower bound on the distinct behaviours of the train split from how often a sample hits one again.

    Source: Chao, "Nonparametric estimation of the number of classes in a population" (1984), in its
    bias-corrected form.
    """
    tasks = MicroTaskSet("train", difficulty, seed=4)
    seen = Counter(tasks.fingerprint(task.task_id) for task in islice(tasks, COUNTED))
    often = Counter(seen.values())
    bound = len(seen) + often[1] * (often[1] - 1) / (2 * (often[2] + 1))
    return Figure(value=bound, unit="programs", note=f"lower bound from {COUNTED} train tasks")
