"""The measures that every judge of tools tells in the same way."""

from __future__ import annotations

from bai.envs.grading.tools.base import Record
from bai.envs.grading.tools.compare import argument_share, same_calls
from bai.envs.tasks.tools import ToolTask

__all__ = ["call_terms", "said_so"]


def call_terms(task: ToolTask, record: Record) -> dict[str, float]:
    """Gives ``exact_calls``, ``arguments`` and ``irrelevance``, those of them that the task has.

    Calls are compared with the gold ones, turn by turn, as bags; a task may well be solved with others, which is why
    these are measures and not the verdict. Calls with a fault are not exact ones, but their arguments count.
    """
    wanted = task.gold_turns()
    if not any(wanted):
        return {"irrelevance": float(said_so(record))}
    turns = [turn.calls for turn in record.turns] + [()] * (len(wanted) - len(record.turns))
    answered = [[made.call for made in calls if made.call and made.fault is None] for calls in turns]
    exact = all(
        len(calls) == len(good) and same_calls(good, gold)
        for calls, good, gold in zip(turns, answered, wanted, strict=True)
    )
    made = [made.call for calls in turns for made in calls if made.call]
    share = argument_share(made, [call for calls in wanted for call in calls])
    return {"exact_calls": float(exact), **({} if share is None else {"arguments": share})}


def said_so(record: Record) -> bool:
    """Whether nothing was called, and every turn ended in an answer that is not blank."""
    return not record.calls() and all((turn.answer or "").strip() for turn in record.turns)
