"""Which environment a set of tasks is for, told by its name or by its first row, and how it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bai.envs.arguments import did_you_mean
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.files import read_rows
from bai.envs.tasks.harbor import is_harbor
from bai.envs.tasks.load import PUBLIC_SETS, load_task_set
from bai.envs.tasks.maths.load import PUBLIC_MATH_SETS, load_math_set
from bai.envs.tasks.notebook_sets import NOTEBOOK_SETS, load_notebook_set
from bai.envs.tasks.swebench import PUBLIC_REPAIR_SETS, load_repair_set
from bai.envs.tasks.tool_sets import TOOL_SETS, load_tool_set
from bai.errors import DataError, TaskSetNotFound

__all__ = ["CODING", "ENDLESS", "FAMILIES", "REPAIR", "Family", "family_of"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """The task sets of one environment."""

    env: str
    """Gymnasium id."""
    names: tuple[str, ...]
    """Its sets; the first is the environment's default."""
    load: Callable[..., TaskSet[Any]]
    """Gives a set by its name, with filters as keyword arguments."""
    folders: tuple[str, ...]
    """Kinds of :func:`~bai.envs.tasks.files.search_path` that its files are looked for under."""


CODING = Family(env="bai/Coding-v0", names=("micro", *PUBLIC_SETS), load=load_task_set, folders=("code",))
"""As the others, also rows in a file."""
REPAIR = Family(
    env="bai/SWEBench-v0", names=("default", *PUBLIC_REPAIR_SETS), load=load_repair_set, folders=("swebench",)
)
"""Also rows of SWE-bench and Harbor's directories."""
_NOTEBOOK = Family(env="bai/Notebook-v0", names=tuple(NOTEBOOK_SETS), load=load_notebook_set, folders=("notebook",))
_TOOLS = Family(env="bai/ToolUse-v0", names=tuple(TOOL_SETS), load=load_tool_set, folders=("sql", "tools"))
_MATHEMATICS = Family(
    env="bai/Mathematics-v0", names=("arithmetic", *PUBLIC_MATH_SETS), load=load_math_set, folders=("math",)
)
FAMILIES = (CODING, REPAIR, _NOTEBOOK, _TOOLS, _MATHEMATICS)
"""All of them; no name is in two."""
_TOLD_BY = {"instance_id": REPAIR, "values": _NOTEBOOK, "judge": _TOOLS, "answer": _MATHEMATICS}
"""Fields that rows of one family alone have."""
ENDLESS = tuple(family.names[0] for family in FAMILIES if family is not REPAIR)
"""Sets that are drawn by a generator and have no end, each with the splits ``train`` and ``heldout``."""


def family_of(name_or_path: str | Path) -> Family:
    """Gives the family that a set belongs to: by its name, or by the fields of its first row.

    Args:
        name_or_path: As the environments' ``task_set``.

    Raises:
        TaskSetNotFound: There is neither such a set nor such a file.
        MissingDependency: ``datasets`` is needed to look at the rows, and is not installed.
    """
    for family in FAMILIES:
        if name_or_path in family.names:
            return family
    path = Path(name_or_path).expanduser()
    if not path.exists():
        raise TaskSetNotFound(_unknown(str(name_or_path)))
    if is_harbor(path) or (path.is_dir() and next(path.glob("*.parquet"), None) is not None):
        return REPAIR
    try:
        first = next(read_rows(path), None)
    except (DataError, OSError):
        return CODING
    return next((family for field, family in _TOLD_BY.items() if first and field in first), CODING)


def _unknown(name: str) -> str:
    hint = did_you_mean(name, [known for family in FAMILIES for known in family.names])
    return (
        f"there is no task set and no file {name!r:.200}{hint}: expected a name that `bai tasks list` has, or the path "
        f"of a file of rows (docs/own_tasks.md)"
    )
