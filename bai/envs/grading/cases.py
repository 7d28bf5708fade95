"""Judging by cases: call, carry the value across, compare here."""

from __future__ import annotations

from collections.abc import Iterator

from bai.envs.grading.base import Budget, Judge, Problem, describe, gone_verdict
from bai.envs.grading.equality import Tolerance, matches
from bai.envs.sandbox.base import CallResult, LoadedModule
from bai.envs.tasks.coding import Case, CaseTests
from bai.types import Verdict

__all__ = ["CaseJudge"]

_FIRST_CHUNK = 4
"""Calls in the first round trip: few, since most wrong answers fail early; then four times as many each time."""


class CaseJudge(Judge[CaseTests]):
    """Calls the candidate with each case's arguments and compares the values on the host.

    Each call gets fresh arguments, so that what one call does to them is seen neither by the next call nor
    by the comparison.
    """

    def judge(
        self, tests: CaseTests, entry_point: str, module: LoadedModule, budget: Budget, *, partial: bool
    ) -> Verdict:
        name, tolerance = tests.call or entry_point, Tolerance(tests.atol, tests.rtol)
        total, passed, first = len(tests.cases), 0, ""
        for index, case, result in _results(tests, name, module, budget):
            problem = describe(result, entry_point)
            if problem is None and not matches(tests.rule, result.value, case.expected, case.args, tolerance):
                problem = Problem("returned a wrong value")
            where = f"hidden test {index + 1} of {total}"
            if problem is None:
                passed += 1
                continue
            if problem.gone is not None:
                return gone_verdict(problem.gone, where)
            first = first or f"{where}: {problem.text}"
            if not partial:
                return Verdict(status="failed", score=0.0, detail=first)
        if passed == total:
            return Verdict(status="passed", score=1.0, detail=f"{total} hidden tests passed")
        return Verdict(status="failed", score=passed / total, detail=f"{passed} of {total} passed; {first}")


def _results(
    tests: CaseTests, name: str, module: LoadedModule, budget: Budget
) -> Iterator[tuple[int, Case, CallResult]]:
    start, size = 0, min(_FIRST_CHUNK, tests.batch)
    while start < len(tests.cases):
        chunk = tests.cases[start : start + size]
        results = module.call_many(name, [case.args for case in chunk], wall_s=budget.left_s)
        for offset, (case, result) in enumerate(zip(chunk, results, strict=True)):
            yield start + offset, case, result
        start, size = start + size, min(size * 4, tests.batch)
