"""The task set: ids, splits, iteration."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np

from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.tool_work.build import DIFFICULTIES, LETTERS, build
from bai.envs.tasks.tools import ToolTask
from bai.errors import ConfigError, TaskNotFound

__all__ = ["WorkTaskSet"]

Split = Literal["train", "heldout"]

NUMBERS = 1 << 36
"""Task numbers of one split and difficulty: nine hexadecimal digits."""
HELD_OUT = 5
"""One task in this many is held out."""
_TASK_ID = re.compile(r"work/([spfrc]+)/(train|heldout)/([1-5])/([0-9a-f]{9})")
_PATIENCE = 2_000
"""Draws in vain before giving up."""


class WorkTaskSet(TaskSet[ToolTask]):
    """Requests about a stock of items: in a database, in files, in a key-value server; several turns, several tools.

    Unlimited and seeded. A task id such as ``work/sf/train/2/000123abc`` (sources, split, difficulty, number) says
    everything: the same id is the same task in every process. Splits are disjoint because a task's split is a function
    of all that it says: one in five is held out.

    Args:
        split: ``train`` or ``heldout``.
        difficulty: 1 to 5 (:data:`~bai.envs.tasks.tool_work.build.DIFFICULTIES`); several to mix them evenly; None for
            1 to 3.
        uses: What tasks may be about: ``sqlite`` or ``postgres``, ``files``, ``redis``, ``calculator``; None for
            ``sqlite`` and ``files``, which need no server.
        category: Only tasks of these categories: ``simple``, ``parallel``, ``several turns``, ``irrelevance``.
        seed: Chooses the order of iteration and of :meth:`distinct`; has no part in :meth:`get`.

    Raises:
        ConfigError: An unknown split, difficulty, source or category, or two databases.
    """

    name = "work"

    def __init__(
        self,
        split: Split = "train",
        difficulty: int | Sequence[int] | None = None,
        uses: Sequence[str] | None = None,
        category: str | Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        if split not in get_args(Split):
            raise ConfigError(f"split must be 'train' or 'heldout'; got {split!r:.100}")
        self.split, self.seed = split, seed
        self.difficulties = _check_difficulty(difficulty)
        self.letters = _check_uses(uses)
        self.categories = _check_categories(category)

    def get(self, task_id: str) -> ToolTask:
        """Rebuilds the task of this id, of either split and any difficulty."""
        return _task(task_id)

    def sample(self, rng: np.random.Generator) -> ToolTask:
        """Draws a task; the draw depends on ``rng`` alone."""
        for _ in range(_PATIENCE):
            difficulty = self.difficulties[int(rng.integers(len(self.difficulties)))]
            if task := self._wanted(difficulty, int(rng.integers(NUMBERS))):
                return task
        raise ConfigError(f"difficulty {self.difficulties} has no task of category {self.categories}")

    def __iter__(self) -> Iterator[ToolTask]:
        """Goes through tasks for ever, in an order fixed by the seed; the same thing may be asked for again."""
        index = in_vain = 0
        while True:
            for difficulty in self.difficulties:
                task = self._wanted(difficulty, _number(self.seed, index))
                index, in_vain = index + 1, 0 if task else in_vain + 1
                if task:
                    yield task
                elif in_vain > _PATIENCE:
                    raise ConfigError(f"difficulty {self.difficulties} has no task of category {self.categories}")

    def _wanted(self, difficulty: int, number: int) -> ToolTask | None:
        task = _task(f"work/{self.letters}/{self.split}/{difficulty}/{number:09x}")
        return task if not self.categories or task.metadata["category"] in self.categories else None

    def distinct(self, n: int) -> list[ToolTask]:
        """Gives the first ``n`` tasks of the iteration that are pairwise different.

        Raises:
            ConfigError: The chosen difficulties hold too few.
        """
        found: dict[str, ToolTask] = {}
        in_vain = 0
        tasks = iter(self)
        while len(found) < n:
            task = next(tasks)
            in_vain = in_vain + 1 if found.setdefault(_content(task), task) is not task else 0
            if in_vain > _PATIENCE:
                raise ConfigError(f"expected {n} different tasks; difficulty {self.difficulties} gave {len(found)}")
        return list(found.values())


_CATEGORIES = ("simple", "parallel", "several turns", "irrelevance")


def _check_difficulty(difficulty: Any) -> tuple[int, ...]:
    chosen = (1, 2, 3) if difficulty is None else difficulty
    chosen = tuple(chosen) if isinstance(chosen, list | tuple) else (chosen,)
    if not chosen or any(isinstance(d, bool) or not isinstance(d, Integral) or d not in DIFFICULTIES for d in chosen):
        raise ConfigError(f"difficulty must be one or several of {DIFFICULTIES}, or None; got {difficulty!r:.100}")
    return tuple(map(int, chosen))


def _check_uses(uses: Any) -> str:
    chosen = ("sqlite", "files") if uses is None else (uses,) if isinstance(uses, str) else uses
    if not chosen or any(use not in LETTERS for use in chosen):
        raise ConfigError(f"uses must be one or several of {', '.join(LETTERS)}; got {uses!r:.100}")
    if {"sqlite", "postgres"} <= set(chosen):
        raise ConfigError("uses must hold one database: 'sqlite' or 'postgres', not both")
    return "".join(letter for use, letter in LETTERS.items() if use in chosen)


def _check_categories(category: Any) -> tuple[str, ...]:
    chosen = () if category is None else (category,) if isinstance(category, str) else tuple(category)
    if any(one not in _CATEGORIES for one in chosen):
        raise ConfigError(f"category must be one or several of {', '.join(_CATEGORIES)}; got {category!r:.100}")
    return chosen


def _number(*parts: object) -> int:
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % NUMBERS


def _content(task: ToolTask) -> str:
    """All that a task says, without its name."""
    row = task.to_json()
    return json.dumps([row["prompt"], row["later"], row["sources"]], sort_keys=True)


def _split_of(task: ToolTask) -> Split:
    # What is asked for, not what there is: the same request about another stock is no other task.
    asked = json.dumps([task.prompt, task.later])
    return "heldout" if _number(asked) % HELD_OUT == 0 else "train"


@lru_cache(maxsize=8192)
def _task(task_id: str) -> ToolTask:
    match = _TASK_ID.fullmatch(task_id)
    if match is None or "".join(dict.fromkeys(match[1])) != match[1]:
        raise TaskNotFound(f"expected an id such as 'work/sf/train/2/000123abc'; got {task_id!r:.100}")
    rng = random.Random(_number(task_id))  # noqa: S311  tasks are no secrets
    for _ in range(_PATIENCE):
        task = build(task_id, rng, match[1], int(match[3]), match[2])
        if task is not None and _split_of(task) == match[2]:
            return task
    raise TaskNotFound(f"no task was found for {task_id!r}")
