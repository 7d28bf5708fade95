"""From a solution to a verdict: the one way in."""

from __future__ import annotations

from typing import Final

from bai.envs.grading.mathematics.algebra import Algebra, AlgebraProblem
from bai.envs.grading.mathematics.comparing import Comparer
from bai.envs.grading.mathematics.final import final_answer
from bai.envs.grading.mathematics.puzzles import why_no_solution
from bai.envs.grading.mathematics.worked_out import repeats
from bai.envs.tasks.maths.task import MathTask
from bai.types import Status, Verdict

__all__ = ["MathGrader"]

_VERDICTS: Final[dict[AlgebraProblem, tuple[Status, str]]] = {
    "timeout": ("timeout", "comparing the answer took longer than allowed"),
    "memory": ("memory", "comparing the answer took more memory than allowed"),
    "crashed": ("crashed", "comparing the answer ended the process that compares"),
    "large": ("failed", "the answer holds numbers that are too large to compute"),
    "undecided": ("failed", "the answer could not be shown to be right"),
}


class MathGrader:
    """Grades solutions by their final answer.

    Args:
        wall_s: Seconds that one comparison may take.

    Raises:
        MissingDependency: sympy is not installed.
    """

    def __init__(self, *, wall_s: float = 10.0) -> None:
        self._algebra = Algebra(wall_s=wall_s)
        self._comparer = Comparer(self._algebra)

    def ensure_works(self) -> None:
        """Makes sure that answers can be compared here.

        Raises:
            InfraError: Not here.
        """
        self._algebra.ensure_works()

    def grade(self, task: MathTask, solution: str) -> Verdict:
        """Judges a solution.

        Args:
            task: What was asked.
            solution: What the agent said: any string.

        Raises:
            InfraError: The machinery failed.
        """
        answer = final_answer(solution)
        if not answer:
            return _failed("there is no answer")
        if task.operands:
            problem = why_no_solution(answer, task.operands, int(task.gold))
            return _failed(problem) if problem else _PASSED
        found = self._comparer.compare(task.gold, answer)
        if found.equal:
            return _failed("the answer repeats the problem") if repeats(task.prompt, task.gold, answer) else _PASSED
        if found.unreadable:
            return _failed(f"the answer is not read as mathematics: {found.unreadable}")
        if found.problem:
            status, detail = _VERDICTS[found.problem]
            return Verdict(status=status, score=0.0, detail=detail)
        return _failed("the answer is wrong")


_PASSED = Verdict(status="passed", score=1.0, detail="the answer is right")


def _failed(detail: str) -> Verdict:
    return Verdict(status="failed", score=0.0, detail=detail)
