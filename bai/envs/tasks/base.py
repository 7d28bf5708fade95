"""The task set contract: where an environment's tasks come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

import numpy as np

from bai.types import Task

__all__ = ["TaskSet"]

T = TypeVar("T", bound=Task)


class TaskSet(ABC, Generic[T]):
    """A named collection of tasks, finite (a public set) or unlimited (a generator)."""

    name: str
    """Such as ``humaneval`` or ``micro``."""

    @abstractmethod
    def get(self, task_id: str) -> T:
        """Gives the task of this id.

        Raises:
            TaskNotFound: There is none.
        """

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> T:
        """Draws one task; the draw depends on ``rng`` alone."""

    @abstractmethod
    def __iter__(self) -> Iterator[T]:
        """Goes through the tasks in a fixed order; an unlimited set never ends."""

    def __len__(self) -> int:
        """Number of tasks.

        Raises:
            TypeError: The set is unlimited.
        """
        raise TypeError(f"task set {self.name!r} is unlimited")
