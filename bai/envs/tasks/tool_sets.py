"""Names of the tool family's task sets."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.own import load_own
from bai.envs.tasks.selection import select
from bai.envs.tasks.tool_rows import tool_task_of
from bai.envs.tasks.tools import ToolTask
from bai.errors import ConfigError

__all__ = ["TOOL_SETS", "load_tool_set"]

TOOL_SETS: dict[str, str] = {
    "work": "bai.envs.tasks.tool_work:WorkTaskSet",
    "spider": "bai.envs.tasks.spider:load_spider",
    "toolalpaca": "bai.envs.tasks.toolalpaca:load_toolalpaca",
    "tau2_retail": "bai.envs.tasks.retail:load_tau2_retail",
    "bfcl_simple": "bai.envs.tasks.bfcl:load_bfcl_simple",
    "bfcl_multiple": "bai.envs.tasks.bfcl:load_bfcl_multiple",
    "bfcl_parallel": "bai.envs.tasks.bfcl:load_bfcl_parallel",
    "bfcl_irrelevance": "bai.envs.tasks.bfcl:load_bfcl_irrelevance",
    "bfcl_multi_turn": "bai.envs.tasks.bfcl:load_bfcl_multi_turn",
}
"""Name to module and what makes it, called with no argument for a finite set; imported when one is wanted."""

_UNLESS_GIVEN: dict[str, dict[str, Any]] = {"spider": {"category": "telling"}}
"""Name to the filters of a set of which a part is of no use: there a careless answer passes."""


def load_tool_set(name: str, **filters: Any) -> TaskSet[ToolTask]:
    """Gives a task set of the tool family.

    Args:
        name: One of :data:`TOOL_SETS`, or the path of a file of rows.
        filters: For ``work`` the generator's arguments; for any other set, fields of the tasks' metadata and the value,
            or a list of the values, that is wanted; and ``seed``, which fixes another order. None means no filter. Of
            ``spider`` the 132 questions whose gold result no query has to earn are left out, unless ``category``
            asks for ``zeros`` or ``empty``.

    Raises:
        ConfigError: A filter that the set does not know, or that leaves no task.
        TaskSetNotFound: There is no such set, or its files are not on this machine.
        MalformedRow: A row of its file breaks the format.
    """
    if name not in TOOL_SETS:
        return select(load_own(name, tool_task_of, TOOL_SETS), filters)
    asked = {field: value for field, value in filters.items() if value is not None}
    given = {**_UNLESS_GIVEN.get(name, {}), **asked}
    module, _, attribute = TOOL_SETS[name].partition(":")
    make = getattr(import_module(module), attribute)
    if name == "work":
        return _work(make, given)
    tasks: FiniteTaskSet[ToolTask] = make()
    return select(tasks, given)


def _work(make: Any, arguments: dict[str, Any]) -> TaskSet[ToolTask]:
    try:
        tasks: TaskSet[ToolTask] = make(**arguments)
    except TypeError as error:
        raise ConfigError(f"task set 'work' cannot be made with {sorted(arguments)}: {error}") from error
    return tasks
