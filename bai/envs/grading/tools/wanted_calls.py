"""Judging by the calls that were made on an API that has no state to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bai.envs.grading.tools.base import Judge, Judgement, Record
from bai.envs.grading.tools.compare import paired
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import ToolCall
from bai.envs.tools.loose import is_empty, loosely_equal
from bai.errors import ConfigError

__all__ = ["WantedCallsJudge"]

Wanted = Mapping[str, Any]


class WantedCallsJudge(Judge):
    """Passes an episode in which every wanted call was made once, and no other that changes anything.

    ``expected`` is ``{"calls": [...], "reading": [...]}``. A wanted call is ``{"name", "arguments", "free", "defaults",
    "optional"}``: its ``arguments`` have to be given, and say the same
    (:func:`~bai.envs.tools.loose.loosely_equal`); those in ``free`` may be anything, or be left out; any other
    may only be empty, or what ``defaults`` has for it. An ``optional`` call need not be made. The functions in
    ``reading`` change nothing: one more call of them is forgiven for each wanted call. A call that was refused, by its
    schema or by the API, counts for nothing.

    Terms: ``exact_calls`` (no call was forgiven either), ``arguments`` (share of the wanted arguments that were given
    right, each wanted call held against the best call made), ``end_state`` (the verdict).
    """

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        wanted, reading = _read(task)
        made = [one.call for one in record.calls() if one.call is not None and one.fault is None]
        served = paired([[index for index, call in enumerate(made) if _serves(call, one)] for one in wanted])
        missing = [call for index, call in enumerate(wanted) if index not in served.values() and not call["optional"]]
        extra = [call for index, call in enumerate(made) if index not in served]
        if missing:
            wrong = f"{len(missing)} of the wanted calls were not made, or not with these arguments"
        elif changing := [call for call in extra if call.name not in reading]:
            wrong = f"{changing[0].name!r:.80} was called beyond what was wanted"
        else:
            wrong = "too many calls" if len(extra) > len(wanted) else ""
        terms = {"exact_calls": float(not wrong and not extra), "end_state": float(not wrong), **_share(made, wanted)}
        return Judgement.of(wrong, terms)


def _read(task: ToolTask) -> tuple[Sequence[Wanted], Sequence[str]]:
    match task.expected:
        case {"calls": list(calls), "reading": list(reading)}:
            return calls, reading
    raise ConfigError(f"task {task.task_id}: the judge 'wanted_calls' expects {{'calls': [...], 'reading': [...]}}")


def _serves(call: ToolCall, wanted: Wanted) -> bool:
    if call.name != wanted["name"] or not all(_is_right(call, wanted, name) for name in wanted["arguments"]):
        return False
    others = call.arguments.keys() - wanted["arguments"].keys() - set(wanted["free"])
    return all(_is_default(call.arguments[name], wanted["defaults"].get(name)) for name in others)


def _is_right(call: ToolCall, wanted: Wanted, name: str) -> bool:
    return name in call.arguments and loosely_equal(call.arguments[name], wanted["arguments"][name])


def _is_default(value: Any, default: Any) -> bool:
    return is_empty(value) or (default is not None and loosely_equal(value, default))


def _share(made: Sequence[ToolCall], wanted: Sequence[Wanted]) -> dict[str, float]:
    """The share of right arguments; nothing where no argument is wanted."""
    needed = [one for one in wanted if not one["optional"]]
    total = sum(len(one["arguments"]) for one in needed)
    right = sum(
        max(sum(_is_right(call, one, name) for name in one["arguments"]) for call in made if call.name == one["name"])
        for one in needed
        if any(call.name == one["name"] for call in made)
    )
    return {"arguments": right / total} if total else {}
