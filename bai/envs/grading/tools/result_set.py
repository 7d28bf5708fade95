"""Judging by the rows that the agent's last query gave."""

from __future__ import annotations

from typing import Any

from bai.envs.grading.tools.base import Judge, Judgement, Record
from bai.envs.grading.tools.result_sets import same_result_set
from bai.envs.tasks.tools import ToolTask
from bai.errors import ConfigError

__all__ = ["ResultSetJudge"]


class ResultSetJudge(Judge):
    """Passes an episode whose last result is the expected one; the text of the SQL has no part in it.

    ``expected`` is ``{"columns": [...], "rows": [[...], ...], "ordered": bool}``, perhaps with ``ranks`` and ``tied``,
    as :func:`~bai.envs.grading.tools.result_sets.same_result_set` has them; and ``source``, the key of the source that
    gave the result, where there are several. The source is one of SQL with ``report="result"``.
    """

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        expected, key = _read(task)
        found = record.end_states.get(key)
        if record.unreadable or not found:
            wrong = record.unreadable or "no query gave a result"
        else:
            wrong = "" if same_result_set(found, expected) else "the result is another"
        return Judgement.of(wrong, {"end_state": float(not wrong)})


def _read(task: ToolTask) -> tuple[dict[str, Any], str]:
    match task.expected:
        case {"columns": list(), "rows": list(), "ordered": bool(), **rest} if rest.keys() <= _MORE and task.sources:
            return task.expected, str(rest.get("source", task.sources[0].key))
    raise ConfigError(
        f"task {task.task_id}: the judge 'result_set' expects {{'columns': [...], 'rows': [...], 'ordered': ...}}"
    )


_MORE = {"ranks", "tied", "source"}
