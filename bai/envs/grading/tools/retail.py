"""Judging a shop's episodes: by what was changed, and by what was told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bai.envs.grading.tools.base import Judge, Judgement, Record
from bai.envs.grading.tools.compare import same_value
from bai.envs.grading.tools.measures import call_terms
from bai.envs.tasks.tools import ToolTask
from bai.errors import ConfigError

__all__ = ["MOST_SAID", "RetailJudge"]

MOST_SAID = 4_000
"""Characters that all answers together may have where something has to be told: naming every number there might be is
not telling one."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class RetailJudge(Judge):
    """Passes an episode that leaves the shop as the gold calls do, and tells what had to be told.

    ``expected`` is ``{"state": ..., "communicate": [...]}``: the end state of the task's source, and texts each of
    which some answer has to hold, without regard to case and to commas; one that is a number has to come as that
    number. Where the shop is to stay as it is, every turn has to end in an answer that is not blank: silence is no
    refusal.

    Terms: ``end_state``, ``communicated`` (the share of those texts that were told, where there are any), and the
    measures of calls.
    """

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        state, wanted = _read(task)
        kept = not record.unreadable and same_value(record.end_states.get(task.sources[0].key), state)
        answers = [turn.answer or "" for turn in record.turns]
        told = _share(answers, wanted)
        wrong = ""
        if not kept:
            wrong = record.unreadable or "users or orders are not as they should be"
        elif told < 1:
            wrong = "the user was not told all that had to be told"
        elif not any(state.values()) and (len(answers) <= len(task.later) or not all(map(str.strip, answers))):
            wrong = "nothing was to be changed, and that was to be said"
        terms = {**call_terms(task, record), "end_state": float(kept), **({"communicated": told} if wanted else {})}
        return Judgement.of(wrong, terms)


def _read(task: ToolTask) -> tuple[dict[str, Any], Sequence[str]]:
    match task.expected:
        case {"state": dict(state), "communicate": list(wanted)} if task.sources:
            return state, wanted
    raise ConfigError(f"task {task.task_id}: the judge 'retail' expects {{'state': {{...}}, 'communicate': [...]}}")


def _share(answers: Sequence[str], wanted: Sequence[str]) -> float:
    if not wanted:
        return 1.0
    said = "\n".join(answers).replace(",", "").casefold()
    if len(said) > MOST_SAID:
        return 0.0
    numbers = {float(number) for number in _NUMBER.findall(said)}
    told = [float(text) in numbers if _NUMBER.fullmatch(text) else text.casefold() in said for text in wanted]
    return sum(told) / len(wanted)
