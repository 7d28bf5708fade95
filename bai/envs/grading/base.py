"""The judge contract: one kind of tests held against one loaded candidate.

A judge runs on the host. The candidate is a :class:`~bai.envs.sandbox.base.LoadedModule`, that is, a
process of its own in a sandbox: it gets arguments and gives plain values, and nothing it prints, no exit
code and no object of its own decides. What has to be kept from it (expected values, scripts) is never
sent to it.
"""

from __future__ import annotations

import builtins
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

from bai.envs.sandbox.base import CallResult, LoadedModule
from bai.envs.tasks.coding import Tests
from bai.types import Verdict

__all__ = ["Budget", "Judge", "Problem", "describe", "gone_verdict", "known_name"]

K = TypeVar("K", bound=Tests)

_SHORTEST_WAIT_S = 0.05


class Budget:
    """Seconds that all the calls of one attempt share."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that remain; a little above 0 when none do, because a limit must be positive."""
        return max(_SHORTEST_WAIT_S, self._end - time.monotonic())

    @property
    def is_spent(self) -> bool:
        """Whether none remain."""
        return time.monotonic() >= self._end


@dataclass(frozen=True)
class Problem:
    """Why a call does not count as passed."""

    text: str
    """For the verdict's detail: names a kind of fault, never an argument or an expected value."""
    gone: CallResult | None = None
    """The call's result, where it ended the candidate's process."""


class Judge(ABC, Generic[K]):
    """Judges one kind of tests."""

    @abstractmethod
    def judge(self, tests: K, entry_point: str, module: LoadedModule, budget: Budget, *, partial: bool) -> Verdict:
        """Holds ``tests`` against a candidate that has loaded.

        Args:
            tests: What to hold against it.
            entry_point: Name of the function that was to be written.
            module: The candidate, in its sandbox.
            budget: Seconds for everything.
            partial: Score the share of tests that pass, and go on after a failure; else the score is 1.0
                for all of them or 0.0, and the first failure ends it.

        Raises:
            InfraError: The machinery failed; whose fault that was is for the caller to find out.
        """


def describe(result: CallResult, name: str) -> Problem | None:
    """Says what is wrong with a call, or None where it returned a value.

    Names of exceptions are the candidate's own words and could carry an argument out of the judge, so only
    those of builtin exceptions are repeated.
    """
    match result.status:
        case "returned":
            return None
        case "raised":
            return Problem(f"raised {known_name(result.exception)}")
        case "missing":
            return Problem(f"the code defines no function {name!r}")
        case "opaque":
            return Problem("returned something that is not plain data")
    return Problem(_GONE[result.status], gone=result)


def known_name(exception: str) -> str:
    """Gives the name of a builtin exception, or words for any other."""
    kind = getattr(builtins, exception, None)
    known = isinstance(kind, type) and issubclass(kind, BaseException)
    return exception if known else "an exception of its own"


_GONE = {
    "timeout": "took longer than allowed",
    "crashed": "ended its process",
    "memory": "took more memory than allowed",
}


def gone_verdict(result: CallResult, where: str) -> Verdict:
    """Gives the verdict on a candidate whose process is gone."""
    status = result.status
    assert status in ("timeout", "crashed", "memory"), status
    return Verdict(status=status, score=0.0, detail=f"{where}: {_GONE[status]}")
