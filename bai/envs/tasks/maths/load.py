"""From a name to a task set of mathematics."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.files import search_path
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.maths.arithmetic import ArithmeticTaskSet
from bai.envs.tasks.maths.game24 import load_game24
from bai.envs.tasks.maths.gsm8k import load_gsm8k
from bai.envs.tasks.maths.math500 import load_math500
from bai.envs.tasks.maths.rows import math_task_of
from bai.envs.tasks.maths.task import MathTask
from bai.envs.tasks.own import load_own
from bai.envs.tasks.selection import select
from bai.errors import ConfigError

__all__ = ["PUBLIC_MATH_SETS", "load_math_set"]

PUBLIC_MATH_SETS: dict[str, Callable[[], FiniteTaskSet[MathTask]]] = {
    "gsm8k": load_gsm8k,
    "math500": load_math500,
    "game24": load_game24,
}
"""Sets whose files have to be on this machine; the names of a set's files begin with the set's."""
_FILTERS = ("split", "difficulty", "subject")


def load_math_set(name: str, **filters: Any) -> TaskSet[MathTask]:
    """Gives a task set; one that was loaded before is read again only if its files have changed since.

    Args:
        name: ``arithmetic``, ``gsm8k``, ``math500`` or ``game24``; or the path of a file of rows.
        filters: ``split``, ``difficulty``, ``subject`` (of ``math500`` and of rows) and ``seed``; None means no filter.
            Each of the first three is a value or a list of values; ``seed`` shuffles the order of iteration. For
            ``arithmetic`` they are the generator's arguments.

    Raises:
        ConfigError: A filter that the set does not know, or that leaves no task.
        TaskSetNotFound: There is no such set, or its files are not on this machine.
        MalformedRow: A row of its file breaks the format.
    """
    given = {field: value for field, value in filters.items() if value is not None}
    if name == "arithmetic":
        return _generated(given)
    if name not in PUBLIC_MATH_SETS:
        return select(load_own(name, math_task_of, ["arithmetic", *PUBLIC_MATH_SETS]), given, _FILTERS)
    candidates = (path for folder in search_path("math") for path in sorted(folder.glob(f"{name}*")))
    return select(_load(name, stamp(candidates)), given, _FILTERS)


def _generated(arguments: dict[str, Any]) -> ArithmeticTaskSet:
    if unknown := set(arguments) - set(inspect.signature(ArithmeticTaskSet).parameters):
        raise ConfigError(f"task set 'arithmetic' has no argument {', '.join(sorted(unknown))}")
    return ArithmeticTaskSet(**arguments)


@functools.lru_cache(maxsize=16)
def _load(name: str, stamp: Stamp) -> FiniteTaskSet[MathTask]:
    return PUBLIC_MATH_SETS[name]()
