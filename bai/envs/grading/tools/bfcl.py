"""BFCL's two judges: calls held against the wanted ones, and turns against what the gold calls lead to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bai.envs.grading.tools.base import Judge, Judgement, MadeCall, Record, TurnRecord
from bai.envs.grading.tools.matching import TYPES, WantedCall, argument_share, mismatch
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import ToolCall, ToolSource
from bai.envs.tools.registry import make_source
from bai.errors import ConfigError, ToolFault
from bai.types import Verdict

__all__ = ["BFCLCallsJudge", "BFCLTurnsJudge"]


class BFCLCallsJudge(Judge):
    """Holds the calls of one answer against the wanted ones, by the rules of :mod:`bai.envs.grading.tools.matching`.

    ``expected`` is ``{"functions": {name: BFCL parameters}, "calls": [{name: {parameter: [right values]}}]}``. Where
    no call is wanted, nothing may be called, not even wrongly, and the answer has to say something.
    """

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        wanted, made = _wanted(task), record.calls()
        if not wanted:
            return _irrelevance(made, record.turns[-1].answer)
        calls = [entry.call for entry in made if entry.call is not None]
        fault = "a call could not be read" if len(calls) < len(made) else mismatch(calls, wanted)
        terms = {"exact_calls": float(fault is None), "arguments": argument_share(calls, wanted)}
        return _judgement(fault, terms)


class BFCLTurnsJudge(Judge):
    """Executes the gold calls on sources of its own and compares, after each turn, as BFCL does.

    A turn is right where the sources' states equal those after the gold calls, every result of a gold call is among the
    results of this turn's and earlier calls, as often as there, and something was called. A turn without gold calls is
    always right. ``expected`` is not used: the gold answers say it all.
    """

    wants_states: ClassVar[bool] = True

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        gold = _Gold(task)
        try:
            return self._judged(task, record, gold)
        finally:
            gold.close()

    def _judged(self, task: ToolTask, record: Record, gold: _Gold) -> Judgement:
        heard: Counter[str] = Counter()
        right, fault, states = 0, None, gold.states()
        for number, calls in enumerate(task.gold_turns()):
            results, states = gold.play(calls), gold.states()
            turn = record.turns[number] if number < len(record.turns) else None
            heard.update(made.result for made in turn.calls if made.fault is None) if turn else None
            found = _turn_fault(turn, bool(calls), states, results, heard)
            fault = fault or (found and f"turn {number + 1}: {found}")
            right += fault is None
        same = not record.unreadable and record.end_states == states
        terms = {"end_state": float(same), "turns": right / len(task.gold_turns())}
        return _judgement(fault, terms)


class _Gold:
    """The sources of a task, with only the gold calls made."""

    def __init__(self, task: ToolTask) -> None:
        self._sources: dict[str, ToolSource] = {}
        for spec in task.sources:
            self._sources[spec.key] = make_source(spec.source, spec.settings)
            self._sources[spec.key].begin(spec.setup)
        self._owner = {tool.name: source for source in self._sources.values() for tool in source.tools()}

    def play(self, calls: Sequence[ToolCall]) -> Counter[str]:
        """Makes calls, and counts their results."""
        return Counter(self._play(call) for call in calls)

    def states(self) -> dict[str, Any]:
        return {key: source.end_state() for key, source in self._sources.items()}

    def close(self) -> None:
        for source in self._sources.values():
            source.close()

    def _play(self, call: ToolCall) -> str:
        try:
            return self._owner[call.name].call(call.name, call.arguments)
        except (KeyError, ToolFault) as error:
            raise ConfigError(f"the gold call of {call.name!r} fails: {error}") from error


def _turn_fault(
    turn: TurnRecord | None, wanted: bool, states: Mapping[str, Any], results: Counter[str], heard: Counter[str]
) -> str | None:
    if not wanted:
        return None
    if turn is None:
        return "it was never reached"
    if not turn.calls:
        return "nothing was called"
    for key, state in states.items():
        if turn.states.get(key) != state:
            return f"the state of {key} is not as wanted"
    return "a result that is wanted was never given" if results - heard else None


def _irrelevance(made: Sequence[MadeCall], answer: str | None) -> Judgement:
    fault = "a tool was called, and none fits" if made else None
    if fault is None and not (answer or "").strip():
        fault = "nothing was said"
    return _judgement(fault, {"irrelevance": float(fault is None)})


def _wanted(task: ToolTask) -> list[WantedCall]:
    try:
        functions, calls = task.expected["functions"], task.expected["calls"]
        found = [
            WantedCall(
                name=name,
                allowed=allowed,
                properties=functions[name]["properties"],
                required=functions[name]["required"],
            )
            for call in calls
            for name, allowed in call.items()
        ]
        unknown = {item["type"] for want in found for item in want.properties.values()} - set(TYPES)
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"task {task.task_id!r} has not the 'expected' of BFCL's calls: {error!r}") from error
    if unknown:
        raise ConfigError(f"task {task.task_id!r} has the types {sorted(unknown)}; BFCL knows {', '.join(TYPES)}")
    return found


def _judgement(fault: str | None, terms: Mapping[str, float]) -> Judgement:
    if fault is None:
        return Judgement(verdict=Verdict(status="passed", score=1.0, detail=""), terms=terms)
    return Judgement(verdict=Verdict(status="failed", score=0.0, detail=fault), terms=terms)
