"""What the loaders of task sets share: picking tasks by their metadata, and their order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import numpy as np

from bai.envs.tasks.finite import FiniteTaskSet
from bai.errors import ConfigError
from bai.types import Task

__all__ = ["filtered", "select", "shuffled"]

T = TypeVar("T", bound=Task)


def select(
    tasks: FiniteTaskSet[T], given: Mapping[str, Any], fields: Collection[str] | None = None
) -> FiniteTaskSet[T]:
    """Picks tasks by their metadata, and puts them in an order of ``seed`` if there is one.

    Args:
        tasks: The whole set.
        given: Field of the metadata -> the wanted value, or a list of values; and ``seed``. None means not given.
        fields: What may be asked for besides ``seed``; None for any field.

    Raises:
        ConfigError: Another field, no task that has the values, or a seed that is none.
    """
    wanted = {field: value for field, value in given.items() if value is not None}
    seed = wanted.pop("seed", None)
    if fields is not None and (unknown := sorted(set(wanted) - set(fields))):
        raise ConfigError(f"task set {tasks.name!r} takes {', '.join(fields)} and seed; got {', '.join(unknown)}")
    found = filtered(tasks, wanted) if wanted else tasks
    return found if seed is None else shuffled(found, seed)


def filtered(tasks: FiniteTaskSet[T], wanted: dict[str, Any]) -> FiniteTaskSet[T]:
    """Gives the tasks whose metadata have the wanted values, each a value or a list of values.

    Raises:
        ConfigError: No task has them; the message says which values there are.
    """
    kept = [task for task in tasks if all(_has(task, field, value) for field, value in wanted.items())]
    if not kept:
        there = {field: {repr(task.metadata[field]) for task in tasks if field in task.metadata} for field in wanted}
        lacking = " and no ".join(field for field, values in there.items() if not values)
        held = "; ".join(f"{field}: {', '.join(sorted(values, key=_by_size))}" for field, values in there.items())
        told = f"its tasks have no {lacking}" if lacking else f"it has {held}"
        raise ConfigError(f"task set {tasks.name!r} has no task with {wanted}; {told}")
    return FiniteTaskSet(tasks.name, kept)


def shuffled(tasks: FiniteTaskSet[T], seed: int) -> FiniteTaskSet[T]:
    """Gives the same tasks in an order that ``seed``, at least 0, fixes.

    Raises:
        ConfigError: It is no such number.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed must be a whole number of at least 0; got {seed!r:.80}")
    listed = list(tasks)
    order = np.random.default_rng(seed).permutation(len(listed))
    return FiniteTaskSet(tasks.name, (listed[int(place)] for place in order))


def _by_size(told: str) -> tuple[int, str]:
    """An order in which 10 comes after 9."""
    return len(told), told


def _has(task: Task, field: str, value: Any) -> bool:
    return task.metadata.get(field) in (value if isinstance(value, (list, tuple)) else (value,))
