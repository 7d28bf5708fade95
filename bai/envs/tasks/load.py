"""From a name or a path to a task set."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.coding import CodingTask
from bai.envs.tasks.files import search_path
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.humaneval import load_humaneval
from bai.envs.tasks.mbpp import load_mbpp
from bai.envs.tasks.own import load_own
from bai.envs.tasks.plus import load_humaneval_plus, load_mbpp_plus
from bai.envs.tasks.quixbugs import load_quixbugs
from bai.envs.tasks.rows import task_of
from bai.envs.tasks.selection import filtered
from bai.errors import ConfigError

__all__ = ["PUBLIC_SETS", "load_task_set"]

PUBLIC_SETS: dict[str, Callable[[], FiniteTaskSet[CodingTask]]] = {
    "humaneval": load_humaneval,
    "humaneval_plus": load_humaneval_plus,
    "mbpp": load_mbpp,
    "mbpp_plus": load_mbpp_plus,
    "quixbugs": load_quixbugs,
}
"""Sets whose files have to be on this machine; the names of a set's files begin with the set's."""


def load_task_set(name_or_path: str | Path, **filters: Any) -> TaskSet[CodingTask]:
    """Gives a task set; one that was loaded before is read again only if its files have changed since.

    That is told by their names, sizes and times of change. The files of a public set are all of its name in the
    folders that are searched, so one that comes to lie in a better place is seen.

    Args:
        name_or_path: ``micro``; ``humaneval``, ``humaneval_plus``, ``mbpp``, ``mbpp_plus``, ``quixbugs``;
            or the path of a file or a directory of rows (see ``docs/task_format.md``).
        filters: ``split`` and ``difficulty``; None means no filter. For ``micro`` they are the
            generator's arguments, ``seed`` among them; for any other set they pick the tasks whose
            metadata have that value (``difficulty`` may be a list of values).

    Raises:
        ConfigError: A filter that the set does not know, or that leaves no task.
        TaskSetNotFound: There is no such set, or its files are not on this machine.
        MalformedRow: A row of its file breaks the format.
    """
    if not isinstance(name_or_path, (str, Path)) or not str(name_or_path):
        raise ConfigError(f"a task set is a name or the path of a file; got {name_or_path!r}")
    given = {name: value for name, value in filters.items() if value is not None}
    if name_or_path == "micro":
        return _micro(given)
    unknown = set(given) - {"split", "difficulty"}
    if unknown:
        raise ConfigError(f"task set {name_or_path!r} takes split and difficulty; got {', '.join(sorted(unknown))}")
    tasks = _load(name_or_path)
    return filtered(tasks, given) if given else tasks


def _micro(arguments: dict[str, Any]) -> TaskSet[CodingTask]:
    from bai.envs.tasks.micro import MicroTaskSet

    unknown = set(arguments) - set(inspect.signature(MicroTaskSet).parameters)
    if unknown:
        raise ConfigError(f"task set 'micro' has no argument {', '.join(sorted(unknown))}")
    if isinstance(arguments.get("difficulty"), list):
        arguments = {**arguments, "difficulty": tuple(arguments["difficulty"])}
    return MicroTaskSet(**arguments)


def _load(name_or_path: str | Path) -> FiniteTaskSet[CodingTask]:
    if isinstance(name_or_path, str) and name_or_path in PUBLIC_SETS:
        candidates = (path for folder in search_path() for path in sorted(folder.glob(f"{name_or_path}*")))
        return _load_public(name_or_path, stamp(candidates))
    return load_own(name_or_path, task_of, ["micro", *PUBLIC_SETS])


@functools.lru_cache(maxsize=16)
def _load_public(name: str, stamp: Stamp) -> FiniteTaskSet[CodingTask]:
    return PUBLIC_SETS[name]()
