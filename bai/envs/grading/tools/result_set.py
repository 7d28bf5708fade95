"""Judging by the rows that the agent's last query gave."""

from __future__ import annotations

from typing import Any

from bai.envs.grading.tools.base import Judge, Judgement, Record
from bai.envs.grading.tools.compare import same_rows
from bai.envs.tasks.tools import ToolTask
from bai.errors import ConfigError
from bai.types import Verdict

__all__ = ["ResultSetJudge"]


class ResultSetJudge(Judge):
    """Passes an episode whose last result holds the expected rows; the text of the SQL has no part in it.

    ``expected`` is ``{"rows": [[...], ...], "ordered": bool}``, and ``source``, the key of the source that gave the
    result, where there are several. The source is one of SQL with ``report="result"``. Names of columns don't matter;
    the order of rows does where ``ordered`` says so.
    """

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        rows, ordered, key = _read(task)
        found = record.end_states.get(key)
        if record.unreadable or not found:
            wrong = record.unreadable or "no query gave a result"
        else:
            wrong = "" if same_rows(found["rows"], rows, ordered=ordered) else "the result is another"
        right = not wrong
        verdict = Verdict(status="passed" if right else "failed", score=float(right), detail=wrong[:500])
        return Judgement(verdict=verdict, terms={"end_state": float(right)})


def _read(task: ToolTask) -> tuple[list[list[Any]], bool, str]:
    match task.expected:
        case {"rows": list(rows), "ordered": bool(ordered), **rest} if rest.keys() <= {"source"} and task.sources:
            return rows, ordered, str(rest.get("source", task.sources[0].key))
    raise ConfigError(f"task {task.task_id}: the judge 'result_set' expects {{'rows': [...], 'ordered': ...}}")
