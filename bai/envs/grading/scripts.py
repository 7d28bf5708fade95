"""Judging by a trusted script that runs in a process of its own and calls across to the candidate."""

from __future__ import annotations

import math
import time
from typing import Any

from bai.envs.grading.base import Budget, Judge, describe, gone_verdict
from bai.envs.grading.script_process import ScriptProcess, ScriptTimeout, lease_script_process
from bai.envs.sandbox.base import MIB, CallResult, LoadedModule
from bai.envs.sandbox.codec import CodecError
from bai.envs.tasks.coding import ScriptTests
from bai.errors import InfraError
from bai.types import Verdict

__all__ = ["ScriptJudge"]

_MEMORY = 1024 * MIB
"""Bytes of address space of a script: a candidate's value may be small to send and huge to walk."""
_WHERE = "hidden test script"


class ScriptJudge(Judge[ScriptTests]):
    """Runs a script's assertions; whatever it calls is called in the candidate's process.

    An exception of the candidate is raised again in the script under its builtin name, so that a script
    may expect it; any other becomes ``CandidateError``. Arguments travel as copies: what the candidate does
    to them the script does not see. The host carries every call, so it knows by itself when a candidate's
    process ended, and no ``except`` of the script can hide that.
    """

    def judge(
        self, tests: ScriptTests, entry_point: str, module: LoadedModule, budget: Budget, *, partial: bool
    ) -> Verdict:
        try:
            with lease_script_process() as process:
                return _Hearing(tests, entry_point, module, budget, process).hold(partial)
        except ScriptTimeout:
            return Verdict(status="timeout", score=0.0, detail=f"{_WHERE}: took longer than allowed")


class _Ended(Exception):
    """The candidate is judged before the script is at its end."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict


class _Hearing:
    """One script against one candidate."""

    def __init__(
        self, tests: ScriptTests, entry_point: str, module: LoadedModule, budget: Budget, process: ScriptProcess
    ) -> None:
        self._tests, self._entry_point = tests, entry_point
        self._module, self._budget, self._process = module, budget, process

    def hold(self, partial: bool) -> Verdict:
        seconds = math.ceil(self._budget.left_s) + 1
        tests = self._tests
        self._process.send(("run", tests.script, tests.setup, tests.proxies, partial, seconds, _MEMORY))
        while True:
            message = self._process.receive(time.monotonic() + self._budget.left_s)
            if message[0] == "done":
                return self._verdict(partial, *message[1:])
            try:
                self._process.send(self._call(*message[1:]))
            except _Ended as ended:
                self._process.send(("abort",))
                return ended.verdict
            except CodecError:  # inside a message a value lies one level deeper than it came
                self._process.send(("abort",))
                return Verdict(status="failed", score=0.0, detail=f"{_WHERE}: returned too deep or large a value")

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if self._budget.is_spent:
            raise ScriptTimeout
        try:
            result = self._module.call(name, args, kwargs, wall_s=self._budget.left_s)
        except CodecError:
            return ("raised", "TypeError", "an argument of the script's is not plain data")
        if result.status == "returned":
            return ("returned", result.value)
        if result.status == "raised":
            return ("raised", result.exception, result.message)
        raise _Ended(self._ending(result, name))

    def _ending(self, result: CallResult, name: str) -> Verdict:
        if result.is_gone:
            return gone_verdict(result, _WHERE)
        problem = describe(result, name if name in self._tests.proxies else self._entry_point)
        assert problem is not None
        return Verdict(status="failed", score=0.0, detail=f"{_WHERE}: {problem.text}")

    def _verdict(self, partial: bool, outcome: str, detail: str, passed: int, counted: int) -> Verdict:
        if outcome == "passed":
            return Verdict(status="passed", score=1.0, detail="the hidden test script passed")
        if outcome == "broken":
            raise InfraError(f"the test script of {self._entry_point!r} cannot be run: {detail}")
        if outcome in ("memory", "died"):
            # A script's own needs are small: it was a value of the candidate's that made it outgrow them.
            return Verdict(status="memory", score=0.0, detail=f"{_WHERE}: a value was too large to be compared")
        score = min(passed / counted, 1.0) if partial and counted and passed < counted else 0.0
        return Verdict(status="failed", score=score, detail=f"{_WHERE}: {detail}")
