"""The generator: seeded problems without end, of five levels, split into train and heldout."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np

from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.maths.draw import Draw, Problem
from bai.envs.tasks.maths.numbers import NUMBER_KINDS
from bai.envs.tasks.maths.symbols import SYMBOL_KINDS
from bai.envs.tasks.maths.task import MathTask
from bai.errors import ConfigError, TaskNotFound

__all__ = ["KINDS", "LEVELS", "ArithmeticTaskSet", "Split"]

Split = Literal["train", "heldout"]

LEVELS = (1, 2, 3, 4, 5)
"""Difficulties; each level has the kinds of those below it, with larger numbers, and some of its own."""
KINDS = {**NUMBER_KINDS, **SYMBOL_KINDS}
"""Name of a kind to its first level and what makes it."""
NUMBERS = 1 << 36
"""Task numbers of one split and level: nine hexadecimal digits."""
HELD_OUT = 5
"""One question in this many is held out."""
_TASK_ID = re.compile(r"arithmetic/(train|heldout)/([1-5])/([0-9a-f]{9})")


class ArithmeticTaskSet(TaskSet[MathTask]):
    """Problems of arithmetic and school algebra, with answers computed.

    Unlimited and seeded. A task id such as ``arithmetic/train/3/000123abc`` (split, level, number) says everything: the
    same id is the same task in every process. Splits are disjoint because a question's split is a hash of its text.

    Args:
        split: ``train``, or ``heldout``: one question in five.
        difficulty: Level, 1-5; several to mix them evenly; None for all five.
        seed: Chooses the order of iteration; has no part in :meth:`get`.

    Raises:
        ConfigError: An unknown split or difficulty.
    """

    name = "arithmetic"

    def __init__(self, split: Split = "train", difficulty: int | tuple[int, ...] | None = None, seed: int = 0) -> None:
        if split not in get_args(Split):
            raise ConfigError(f"split must be 'train' or 'heldout'; got {split!r:.80}")
        self.split = split
        self.levels = _check_levels(difficulty)
        self.seed = seed

    def get(self, task_id: str) -> MathTask:
        """Rebuilds the task of this id, of either split and any level."""
        return _task(task_id)

    def sample(self, rng: np.random.Generator) -> MathTask:
        level = self.levels[int(rng.integers(len(self.levels)))]
        return _task(f"arithmetic/{self.split}/{level}/{int(rng.integers(NUMBERS)):09x}")

    def __iter__(self) -> Iterator[MathTask]:
        """Goes through tasks for ever, in an order fixed by the seed; questions may come again."""
        index = 0
        while True:
            for level in self.levels:
                yield _task(f"arithmetic/{self.split}/{level}/{_hash(self.seed, index) % NUMBERS:09x}")
                index += 1


def _check_levels(difficulty: Any) -> tuple[int, ...]:
    chosen = LEVELS if difficulty is None else difficulty
    chosen = tuple(chosen) if isinstance(chosen, Iterable) and not isinstance(chosen, str) else (chosen,)
    if not chosen or any(isinstance(d, bool) or not isinstance(d, Integral) or d not in LEVELS for d in chosen):
        raise ConfigError(f"difficulty must be one or several of {LEVELS}, or None; got {difficulty!r:.80}")
    return tuple(map(int, chosen))


def _hash(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


@lru_cache(maxsize=8192)
def _task(task_id: str) -> MathTask:
    match = _TASK_ID.fullmatch(task_id)
    if match is None:
        raise TaskNotFound(f"expected an id such as 'arithmetic/train/3/000123abc'; got {task_id!r:.80}")
    split, level = match[1], int(match[2])
    kind, problem = _drawn(Draw(_hash(task_id)), split, level)
    return MathTask(
        task_id=task_id,
        prompt=problem.question,
        metadata={"source": "arithmetic", "split": split, "difficulty": level, "kind": kind},
        gold=problem.gold,
        solution="\n".join(problem.steps),
    )


def _drawn(draw: Draw, split: str, level: int) -> tuple[str, Problem]:
    """Draws until a question belongs to the split."""
    names = [name for name, (first, _) in KINDS.items() if first <= level]
    while True:
        name = draw.pick(names)
        problem = KINDS[name][1](draw, level)
        if (_hash(problem.question) % HELD_OUT == 0) == (split == "heldout"):
            return name, problem
