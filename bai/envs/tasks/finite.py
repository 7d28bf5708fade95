"""A task set that is held in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from bai.envs.tasks.base import TaskSet
from bai.errors import ConfigError, TaskNotFound
from bai.types import Task

__all__ = ["FiniteTaskSet"]

T = TypeVar("T", bound=Task)


class FiniteTaskSet(TaskSet[T]):
    """A public set, in the order of its file.

    Args:
        name: For messages and reports.
        tasks: The tasks; at least one, with ids of their own.

    Raises:
        ConfigError: There are no tasks, or an id comes twice.
    """

    def __init__(self, name: str, tasks: Iterable[T]) -> None:
        self.name = name
        self._tasks = tuple(tasks)
        self._by_id = {task.task_id: task for task in self._tasks}
        if not self._tasks:
            raise ConfigError(f"task set {name!r} holds no task")
        if len(self._by_id) != len(self._tasks):
            ids = [task.task_id for task in self._tasks]
            raise ConfigError(f"task set {name!r} holds {next(i for i in ids if ids.count(i) > 1)!r} twice")

    def get(self, task_id: str) -> T:
        if task_id not in self._by_id:
            near = ", ".join(list(self._by_id)[:3])
            raise TaskNotFound(f"task set {self.name!r} has no task {task_id!r}; it has {near}, ...")
        return self._by_id[task_id]

    def sample(self, rng: np.random.Generator) -> T:
        return self._tasks[int(rng.integers(len(self._tasks)))]

    def __iter__(self) -> Iterator[T]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)
