"""Judging by what is left behind."""

from __future__ import annotations

import re
from typing import Any

from bai.envs.grading.tools.base import Judge, Judgement, Record
from bai.envs.grading.tools.compare import same_value
from bai.envs.grading.tools.measures import call_terms, said_so
from bai.envs.tasks.tools import ToolTask
from bai.errors import ConfigError

__all__ = ["EndStateJudge"]


class EndStateJudge(Judge):
    """Passes an episode that leaves its sources in the states that are expected, whatever was called on the way.

    ``expected`` is an object: under ``states``, the key of each source that counts and its end state; and, where the
    user asked for something to be said, under ``answer`` a text that the last answer must say. A number is said by the
    last number of an answer; any other text by an answer that holds it, without regard to case, and is at most
    200 characters longer: naming all that it might be is not saying it. A task without gold calls is one that no tool
    fits: it wants an answer that is not blank, and no call.
    """

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        states, said = _read(task)
        wrong = record.unreadable or _wrong(task, record, states, said)
        terms = call_terms(task, record)
        if states:
            kept = not record.unreadable and all(same_value(record.end_states.get(key), states[key]) for key in states)
            terms["end_state"] = float(kept)
        return Judgement.of(wrong, terms)


_NUMBER = re.compile(r"-?\d{1,300}(?:\.\d{1,300})?")
_MOST_BESIDE = 200


def _read(task: ToolTask) -> tuple[dict[str, Any], str | None]:
    match task.expected:
        case {"states": dict(states), **rest} if rest.keys() <= {"answer"}:
            answer = rest.get("answer")
            if answer is None or isinstance(answer, str):
                return states, answer
    raise ConfigError(f"task {task.task_id}: the judge 'end_state' expects {{'states': {{...}}}} and perhaps 'answer'")


def _wrong(task: ToolTask, record: Record, states: dict[str, Any], said: str | None) -> str:
    """Says what is wrong; empty where nothing is."""
    last = record.turns[-1]
    if len(record.turns) <= len(task.later) or (last.answer is None and not task.ends_at_answer):
        return "the episode ended before the last turn did"
    if not any(task.gold_turns()):
        return "" if said_so(record) else "no tool fits, and that was to be said"
    for key, state in states.items():
        if not same_value(record.end_states.get(key), state):
            return f"{key} is not left as it was asked for"
    return "" if _says(last.answer or "", said) else "the last answer does not say what was asked for"


def _says(answer: str, wanted: str | None) -> bool:
    if wanted is None:
        return True
    if _NUMBER.fullmatch(wanted):
        numbers = _NUMBER.findall(answer)
        return bool(numbers) and same_value(float(numbers[-1]), float(wanted))
    return wanted.casefold() in answer.casefold() and len(answer) <= len(wanted) + _MOST_BESIDE
