"""The task set: ids, splits, prompts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np

from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.notebook import Expected, NotebookTask
from bai.envs.tasks.tables.cleaning import clean
from bai.envs.tasks.tables.draft import DECIMALS, Dull, Question
from bai.envs.tasks.tables.inference import regress, test
from bai.envs.tasks.tables.plotting import plot
from bai.envs.tasks.tables.relating import group, join
from bai.envs.tasks.tables.themes import HELD_OUT, TRAIN, Theme
from bai.errors import ConfigError, TaskNotFound

__all__ = ["DIFFICULTIES", "FAMILIES", "NUMBERS", "Split", "TablesTaskSet"]

Split = Literal["train", "heldout"]

DIFFICULTIES = (1, 2, 3)
"""How much a question asks for; each family says what."""
NUMBERS = 1 << 36
"""Task numbers of one split, family and difficulty: nine hexadecimal digits."""
_FAMILIES: dict[str, Callable[[np.random.Generator, Theme, int], Question]] = {
    "clean": clean,
    "join": join,
    "group": group,
    "test": test,
    "regress": regress,
    "plot": plot,
}
FAMILIES = tuple(_FAMILIES)
"""Kinds of questions."""
_TASK_ID = re.compile(rf"tables/(train|heldout)/({'|'.join(FAMILIES)})/([1-3])/([0-9a-f]{{9}})")
_PATIENCE = 100
"""Draws in vain before giving up on an id; nearly all draws are good."""


class TablesTaskSet(TaskSet[NotebookTask]):
    """Questions about small tables, whose answers are computed as the tables are drawn.

    Unlimited and seeded. A task id such as ``tables/train/group/2/000123abc`` (split, family, difficulty, number) says
    everything: the same id is the same task in every process. The splits are disjoint: what their tables are about, and
    so every name in them, differs.

    Args:
        split: ``train`` or ``heldout``.
        family: One or several of :data:`FAMILIES`, to mix them evenly; None for all.
        difficulty: One or several of :data:`DIFFICULTIES`; None for all.
        seed: Chooses the order of iteration; has no part in :meth:`get`.

    Raises:
        ConfigError: An unknown split, family or difficulty.
    """

    name = "tables"

    def __init__(
        self,
        split: Split = "train",
        family: str | tuple[str, ...] | None = None,
        difficulty: int | tuple[int, ...] | None = None,
        seed: int = 0,
    ) -> None:
        if split not in get_args(Split):
            raise ConfigError(f"split must be 'train' or 'heldout'; got {split!r}")
        self.split = split
        self.families = _expect_some("family", family, FAMILIES, str)
        self.difficulties = _expect_some("difficulty", difficulty, DIFFICULTIES, Integral)
        self.seed = seed

    def get(self, task_id: str) -> NotebookTask:
        """Rebuilds the task of this id, of either split and any family."""
        return _task(task_id)

    def sample(self, rng: np.random.Generator) -> NotebookTask:
        """Draws a task; the draw depends on ``rng`` alone."""
        family = self.families[int(rng.integers(len(self.families)))]
        difficulty = self.difficulties[int(rng.integers(len(self.difficulties)))]
        return _task(f"tables/{self.split}/{family}/{difficulty}/{int(rng.integers(NUMBERS)):09x}")

    def __iter__(self) -> Iterator[NotebookTask]:
        """Goes through tasks for ever, family after family, in an order fixed by the seed."""
        index = 0
        while True:
            for difficulty in self.difficulties:
                for family in self.families:
                    yield _task(f"tables/{self.split}/{family}/{difficulty}/{_number(self.seed, index):09x}")
                    index += 1


def _expect_some(what: str, given: Any, known: tuple[Any, ...], kind: type) -> tuple[Any, ...]:
    chosen = known if given is None else given
    chosen = tuple(chosen) if isinstance(chosen, Iterable) and not isinstance(chosen, str) else (chosen,)
    if not chosen or any(isinstance(c, bool) or not isinstance(c, kind) or c not in known for c in chosen):
        raise ConfigError(f"{what} must be one or several of {known}, or None; got {given!r:.100}")
    return tuple(chosen)


def _number(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") % NUMBERS


@lru_cache(maxsize=1024)
def _task(task_id: str) -> NotebookTask:
    match = _TASK_ID.fullmatch(task_id)
    if match is None:
        raise TaskNotFound(f"expected an id such as 'tables/train/group/2/000123abc'; got {task_id!r:.100}")
    split, family, difficulty, _ = match.groups()
    rng = np.random.default_rng(_number(task_id))
    themes = TRAIN if split == "train" else HELD_OUT
    theme = themes[int(rng.integers(len(themes)))]
    question = _asked(rng, theme, family, int(difficulty), task_id)
    return NotebookTask(
        task_id=task_id,
        prompt=_prompt(question),
        metadata={"source": "tables", "split": split, "family": family, "difficulty": int(difficulty)},
        files=question.files,
        expected=tuple(_expected(name, value) for name, value in question.answers.items()),
        solution=question.solution,
        wanted_pictures=question.wanted_pictures,
    )


def _asked(rng: np.random.Generator, theme: Theme, family: str, difficulty: int, task_id: str) -> Question:
    for _ in range(_PATIENCE):
        try:
            return _FAMILIES[family](rng, theme, difficulty)
        except Dull:
            continue
    raise TaskNotFound(f"no question was found for {task_id!r}")


def _expected(name: str, value: Any) -> Expected:
    if isinstance(value, float):
        # Right however the last digit is rounded, and also without rounding.
        return Expected(name=name, value=f"{value:.{2 * DECIMALS}f}", tolerance=0.6 * 10.0**-DECIMALS)
    return Expected(name=name, value=str(value))


def _prompt(question: Question) -> str:
    names = ", ".join(f"@{name}[...]" for name in question.answers)
    digits = f"Numbers that are not whole are rounded to {DECIMALS} digits after the point."
    files = ", ".join(sorted(question.files))
    return f"Question: {question.text}\nAnswer with: {names}. {digits}\nFiles: {files}, in the working directory\n"
