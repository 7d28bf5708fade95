"""Tool tasks of one's own, as rows of a file. The format is in ``docs/own_tasks.md``."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from bai.envs.tasks.files import Row
from bai.envs.tasks.own import refuse_unknown
from bai.envs.tasks.tools import ToolTask

__all__ = ["tool_task_of"]

_MAY_LACK: dict[str, Any] = {
    "metadata": {},
    "later": [],
    "system": "",
    "tools": [],
    "sources": [],
    "gold": [],
    "ends_at_answer": False,
    "expected": None,
}


def tool_task_of(row: Row) -> ToolTask:
    """Reads one row, as :meth:`ToolTask.to_json` writes it; what says nothing may be left out.

    Raises:
        MalformedRow: It breaks the format.
    """
    refuse_unknown(row, [one.name for one in fields(ToolTask)])
    if any(spec.get("source") == "mcp" for spec in row.items_of("sources", dict)):  # whose rows these are, nobody knows
        raise row.malformed("sources", "expected no MCP server, which runs on this machine: the argument mcp starts it")
    given = {"task_id": row.filled("task_id"), "prompt": row.filled("prompt"), "judge": row.filled("judge")}
    try:
        return ToolTask.from_json({**_MAY_LACK, **row, **given})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise row.malformed("", f"is no tool task: {problem}") from error
