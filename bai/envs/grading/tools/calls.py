"""Judging by the calls themselves."""

from __future__ import annotations

from bai.envs.grading.tools.base import Judge, Judgement, Record
from bai.envs.grading.tools.measures import call_terms
from bai.envs.tasks.tools import ToolTask
from bai.errors import ConfigError

__all__ = ["CallsJudge"]


class CallsJudge(Judge):
    """Passes an episode whose calls are the gold ones, turn by turn, no more and no fewer, in any order within a turn.

    Arguments are compared as JSON values. A task without gold calls passes where nothing is called. ``expected`` is
    None.
    """

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        if task.expected is not None:
            raise ConfigError(f"task {task.task_id}: the judge 'calls' expects nothing but the gold calls")
        terms = call_terms(task, record)
        right = bool(terms.get("exact_calls", terms.get("irrelevance"))) and len(record.turns) > len(task.later)
        return Judgement.of("" if right else "the calls are others than those asked for", terms)
