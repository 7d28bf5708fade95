"""BFCL's two judges: calls held against the wanted ones, and turns against what the gold calls lead to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

from bai.envs.grading.tools.base import Judge, Judgement, Record, TurnRecord
from bai.envs.grading.tools.matching import WantedCall, argument_share, mismatch
from bai.envs.grading.tools.measures import call_terms, said_so
from bai.envs.tasks.bfcl.schema import TYPES
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import ToolCall, ToolSource
from bai.envs.tools.registry import make_source
from bai.errors import ConfigError, ToolFault

__all__ = ["BFCLCallsJudge", "BFCLTurnsJudge"]


class BFCLCallsJudge(Judge):
    """Holds the calls of one answer against the wanted ones, by the rules of :mod:`bai.envs.grading.tools.matching`.

    ``expected`` is ``{"functions": {name: BFCL parameters}, "calls": [{name: {parameter: [right values]}}]}``. Where
    no call is wanted, nothing may be called, not even wrongly, and the answer has to say something.
    """

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        wanted, made = _wanted(task), record.calls()
        if not wanted:
            said = said_so(record)
            return Judgement.of("" if said else "a tool was called, or nothing was said", {"irrelevance": float(said)})
        calls = [entry.call for entry in made if entry.call is not None]
        fault = "a call could not be read" if len(calls) < len(made) else mismatch(calls, wanted)
        terms = {"exact_calls": float(fault is None), "arguments": argument_share(calls, wanted)}
        return Judgement.of(fault or "", terms)


class BFCLTurnsJudge(Judge):
    """Executes the gold calls and the agent's, each on sources of their own; compares after each turn, as BFCL does.

    A turn is right where the sources' end states are equal, every result of a gold call is among the results of this
    turn's and earlier calls, as often as there, and something was called. A turn without gold calls is always right,
    and the task is done where all turns are. Calls that had a fault are not executed again. ``expected`` is not used:
    the gold answers say it all. The term ``turns`` is the share of turns before the first wrong one.
    """

    def judge(self, task: ToolTask, record: Record) -> Judgement:
        with closing(_World(task)) as gold, closing(_World(task)) as agent:
            faults = [
                _turn_fault(calls, record.turns[number] if number < len(record.turns) else None, gold, agent)
                for number, calls in enumerate(task.gold_turns())
            ]
            same = not record.unreadable and record.end_states == gold.states()
        wrong = next((number for number, fault in enumerate(faults) if fault), len(faults))
        terms = {**call_terms(task, record), "end_state": float(same), "turns": wrong / len(faults)}
        return Judgement.of(f"turn {wrong + 1}: {faults[wrong]}" if wrong < len(faults) else "", terms)


class _World:
    """A task's sources, and the results of all calls that were made on them."""

    def __init__(self, task: ToolTask) -> None:
        self._sources: dict[str, ToolSource] = {}
        for spec in task.sources:
            self._sources[spec.key] = make_source(spec.source, spec.settings)
            self._sources[spec.key].begin(spec.setup)
        self._owner = {tool.name: source for source in self._sources.values() for tool in source.tools()}
        self.heard: Counter[str] = Counter()

    def play(self, call: ToolCall) -> None:
        """Makes a call, and keeps its result.

        Raises:
            ConfigError: No source has the tool.
            ToolFault: It cannot be done.
        """
        if call.name not in self._owner:
            raise ConfigError(f"no source answers the tool {call.name!r:.80}")
        self.heard[self._owner[call.name].call(call.name, call.arguments)] += 1

    def states(self) -> dict[str, Any]:
        return {key: source.end_state() for key, source in self._sources.items()}

    def close(self) -> None:
        for source in self._sources.values():
            source.close()


def _turn_fault(calls: Sequence[ToolCall], turn: TurnRecord | None, gold: _World, agent: _World) -> str | None:
    """Goes on by one turn in both worlds, and says what is wrong with the agent's."""
    before = gold.heard.copy()
    for call in calls:
        gold.play(call)
    for made in turn.calls if turn else ():
        if made.call is not None and made.fault is None:
            with suppress(ConfigError, ToolFault):  # a tool that is not the task's own changed nothing of it
                agent.play(made.call)
    if not calls:
        return None
    if turn is None:
        return "it was never reached"
    if not turn.calls:
        return "nothing was called"
    states = agent.states()
    for key, state in gold.states().items():
        if states[key] != state:
            return f"the state of {key} is not as wanted"
    return "a result that is wanted was never given" if gold.heard - before - agent.heard else None


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
