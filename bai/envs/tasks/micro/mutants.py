"""Plausible wrong answers to a task, each known to fail its hidden tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bai.envs.tasks.coding import CaseTests, CodingTask
from bai.envs.tasks.micro.neighbours import neighbours
from bai.envs.tasks.micro.task_set import program_of

__all__ = ["mutants"]


def mutants(task: CodingTask, rng: np.random.Generator) -> Iterator[str]:
    """Gives sources one mistake away from the reference, all different, in random order.

    The mistake is a step dropped, its constant off by one, its operation mistaken for one of the same
    family, or two steps in the wrong order. Every source fails at least one hidden test; a mistake
    without consequence is left out. Sources keep the reference's style.

    Args:
        task: A task of :class:`~bai.envs.tasks.micro.MicroTaskSet`.
        rng: Decides the order.

    Raises:
        TaskNotFound: The task is none of this set.
    """
    assert isinstance(task.hidden, CaseTests)
    arguments = [case.args[0] for case in task.hidden.cases]
    expected = [case.expected for case in task.hidden.cases]
    wrong = [other for other in neighbours(program_of(task.task_id)) if other.outputs(arguments) != expected]
    sources = list(dict.fromkeys(other.source for other in wrong))
    for index in rng.permutation(len(sources)):
        yield sources[index]
