"""Asking sympy whether two trees are equal, in a process that can be killed and is kept warm.

The trees stand for what an agent said, so nothing it says is the machinery's fault: a comparison that takes too long,
too much memory or ends the process is a finding about the answer. Only a process that does not start is a fault.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import math
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bai.envs.grading.helper import HelperPool, HelperProcess, HelperTimeout
from bai.envs.grading.mathematics.tree import Node
from bai.envs.sandbox.base import MIB
from bai.errors import InfraError, MissingDependency

__all__ = ["Algebra", "AlgebraProblem", "Finding"]

AlgebraProblem = Literal["timeout", "memory", "crashed", "large", "undecided"]

_START_S = 60.0
_SLACK_S = 1.0


@dataclass(frozen=True)
class Finding:
    """Whether two trees are equal."""

    equal: bool
    """True only where it was proved."""
    problem: AlgebraProblem | None = None
    """Why it was not found out, where it was not."""


class Algebra:
    """Compares trees; safe to share between threads, each of which has a process to itself while it compares.

    Args:
        wall_s: Seconds for a comparison.
        memory: Bytes of address space of a comparing process.

    Raises:
        MissingDependency: sympy is not installed.
    """

    def __init__(self, *, wall_s: float = 10.0, memory: int = 1024 * MIB) -> None:
        self._wall_s, self._memory = wall_s, memory
        _folders()

    @property
    def _pool(self) -> HelperPool[_AlgebraProcess]:
        # Found anew each time: this object may have been pickled to another process.
        return _pool_of(_folders())

    def ensure_works(self) -> None:
        """Makes sure that a process that compares was started.

        Raises:
            InfraError: It does not start.
        """
        if not self._pool.all:
            with self._pool.lease():
                pass

    @property
    def wall_s(self) -> float:
        """Seconds for a comparison."""
        return self._wall_s

    def compare(
        self,
        first: Node,
        second: Node,
        *,
        up_to: Literal["value", "factor"] = "value",
        deadline: float = math.inf,
    ) -> Finding:
        """Compares two trees of values.

        Args:
            first: One.
            second: The other.
            up_to: ``value``; or ``factor``: they are equal, or one is a number other than zero times the other.
            deadline: Of :func:`time.monotonic`; comparing ends then, if it has not before.

        Raises:
            InfraError: The process cannot be started.
        """
        request = {"first": first.to_json(), "second": second.to_json(), "up_to": up_to, "memory": self._memory}
        answer: dict[str, Any] = {"problem": "crashed"}
        wall_s = min(self._wall_s, deadline - time.monotonic())
        if wall_s <= 0:
            return Finding(False, "timeout")
        try:
            # A fresh process where one that was used has come to harm: what it did before may be the cause.
            for fresh in (False, True):
                with suppress(_Gone), self._pool.lease(fresh=fresh) as process:
                    answer = process.ask({**request, "seconds": wall_s + _SLACK_S}, wall_s)
                if answer.get("problem") not in ("memory", "crashed"):
                    break
        except HelperTimeout:
            return Finding(False, "timeout")
        if "problem" in answer:
            return Finding(False, answer["problem"])
        return Finding(bool(answer["equal"]), "undecided" if answer["equal"] is None else None)


class _Gone(Exception):
    """The process ended while it compared."""


class _AlgebraProcess(HelperProcess):
    """One process that compares; see :mod:`bai.envs.grading.mathematics.worker`."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        program = Path(__file__).with_name("worker.py")
        super().__init__([sys.executable, "-I", str(program), *folders], "the process that compares answers")
        try:
            greeting = json.loads(self.receive_frame(time.monotonic() + _START_S))
        except (HelperTimeout, InfraError) as error:
            self.kill()
            raise InfraError(f"the process that compares answers did not start: {error or 'too slow'}") from error
        if "error" in greeting:
            self.kill()
            raise InfraError(f"sympy cannot be used: {greeting['error']}")

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Sends two trees and waits for what is found.

        Raises:
            HelperTimeout: Nothing was in time.
            _Gone: It ended.
        """
        try:
            self.send_frame(json.dumps(request).encode())
            answer: dict[str, Any] = json.loads(self.receive_frame(time.monotonic() + timeout_s))
        except InfraError as error:
            raise _Gone from error
        return answer


@functools.cache
def _pool_of(folders: tuple[str, ...]) -> HelperPool[_AlgebraProcess]:
    return HelperPool(lambda: _AlgebraProcess(folders))


@functools.cache
def _folders() -> tuple[str, ...]:
    """Where sympy and mpmath lie: the process is isolated, so that it would not find what only this one was told."""
    found = []
    for name in ("sympy", "mpmath"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise MissingDependency(name, "pip install 'bai-rl[math]'", "comparing answers as mathematics")
        found.append(str(Path(spec.origin).parents[1]))
    return tuple(dict.fromkeys(found))
