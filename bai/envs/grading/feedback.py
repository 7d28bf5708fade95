"""What an agent is told between attempts: the public examples, and nothing else."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any

from bai.envs.grading.base import Budget, gone_verdict
from bai.envs.grading.equality import Tolerance, equal
from bai.envs.sandbox.base import CallResult, LoadedModule
from bai.envs.tasks.coding import Case, CaseTests, CodingTask, ReferenceTests
from bai.types import Verdict

__all__ = ["MAX_SHOWN", "Feedback", "check_public"]

MAX_SHOWN = 300
"""Most characters of a value or a message that are shown."""


@dataclass(frozen=True)
class Feedback:
    """How an attempt fares on the public examples."""

    verdict: Verdict
    """``passed`` if it loads, defines the function and passes all of them."""
    text: str
    """For the agent; holds public things alone."""


def check_public(task: CodingTask, module: LoadedModule, budget: Budget) -> Feedback:
    """Calls a loaded candidate with the public examples' arguments; without examples, loading is enough."""
    lines: list[str] = []
    gone: CallResult | None = None
    tolerance = _tolerance(task)
    arguments = [case.args for case in task.public]
    results = module.call_many(task.entry_point, arguments, wall_s=budget.left_s) if arguments else []
    for case, result in zip(task.public, results, strict=True):
        if gone is not None:  # the process ended at an earlier example
            break
        gone = result if result.is_gone else None
        if result.status != "returned" or not equal(result.value, case.expected, tolerance):
            lines.append(_line(task, case, result))
        if result.status == "missing":
            break
    if not lines:
        return Feedback(Verdict(status="passed", score=1.0, detail="the public examples passed"), "")
    text = "\n".join(lines)
    if gone is not None:
        return Feedback(gone_verdict(gone, "public examples"), text)
    return Feedback(Verdict(status="failed", score=0.0, detail="a public example failed"), text)


def _tolerance(task: CodingTask) -> Tolerance:
    tests = task.hidden
    return Tolerance(tests.atol, tests.rtol) if isinstance(tests, (CaseTests, ReferenceTests)) else Tolerance()


def _line(task: CodingTask, case: Case, result: CallResult) -> str:
    if result.status == "missing":
        return f"the code defines no function {task.entry_point!r}"
    call = f"{task.entry_point}({', '.join(map(show, case.args))})"
    came = {
        "returned": f"returned {show(result.value)}",
        "raised": f"raised {result.exception[:MAX_SHOWN]}: {result.message[:MAX_SHOWN]}",
        "opaque": f"returned something that is not plain data ({result.exception[:MAX_SHOWN]})",
        "timeout": "took longer than allowed",
        "crashed": "ended its process",
        "memory": "took more memory than allowed",
    }[result.status]
    return f"{call} {came}; expected {show(case.expected)}"


class _Repr(reprlib.Repr):
    """Short forms of values of any size and depth."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 8
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = self.maxdict = 60
        self.maxstring = self.maxlong = self.maxother = MAX_SHOWN

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write very long ints out.
        return super().repr_int(x, level) if x.bit_length() < 10_000 else f"<an int of {x.bit_length()} bits>"


def show(value: Any) -> str:
    """Gives a short ``repr`` of plain data."""
    text = _Repr().repr(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
