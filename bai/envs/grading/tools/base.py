"""The contract of tool judges: a record of what was called, said and left behind goes in, a verdict comes out.

A judge runs in this process, on JSON values alone: it executes nothing that the agent wrote. It is named in
:data:`bai.envs.grading.tools.registry.JUDGES`, and a task names its judge.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import MadeCall
from bai.types import Verdict

__all__ = ["MEASURES", "Judge", "Judgement", "Record", "TurnRecord"]

MEASURES = ("exact_calls", "arguments", "irrelevance", "end_state")
"""Names of reward terms that mean the same whoever judges, each in [0, 1], and absent where the task has none of it:

``exact_calls``: the calls are the wanted ones, no more and no fewer (1.0 or 0.0); ``arguments``: share of the wanted
calls' arguments that were given with a right value; ``irrelevance``: where nothing fits, nothing was called and
something was said (1.0 or 0.0); ``end_state``: what was left behind, or handed in, is right (1.0 or 0.0)."""


@dataclass(frozen=True, kw_only=True)
class TurnRecord:
    """What the agent did about one message of the user."""

    calls: tuple[MadeCall, ...] = ()
    """In order."""
    answer: str | None = None
    """The text that ended the turn; None where the episode ended before."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One whole episode."""

    turns: tuple[TurnRecord, ...]
    """One for each message of the user that was said; at least one."""
    end_states: Mapping[str, Any] = field(default_factory=dict)
    """:attr:`~bai.envs.tasks.tools.SourceSpec.key` -> end state."""
    unreadable: str | None = None
    """Why an end state could not be looked at; then ``end_states`` is empty, and the episode fails."""

    def calls(self) -> tuple[MadeCall, ...]:
        """Gives all calls, over all turns."""
        return tuple(made for turn in self.turns for made in turn.calls)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a judge found."""

    verdict: Verdict
    """``passed`` or ``failed``; its detail never holds an expected value."""
    terms: Mapping[str, float] = field(default_factory=dict)
    """Some of :data:`MEASURES`, and whatever else the judge tells."""

    @classmethod
    def of(cls, wrong: str, terms: Mapping[str, float]) -> Self:
        """Gives 1.0 where nothing is wrong, and else 0.0 with what is, in 500 characters at most."""
        verdict = Verdict(status="failed" if wrong else "passed", score=float(not wrong), detail=wrong[:500])
        return cls(verdict=verdict, terms=terms)


class Judge(ABC):
    """Holds a record against what a task expects; without state of its own."""

    @abstractmethod
    def judge(self, task: ToolTask, record: Record) -> Judgement:
        """Judges one episode.

        Raises:
            ConfigError: The task's ``expected`` has not the form that this judge documents.
        """
