"""What a task of mathematics asks for."""

from __future__ import annotations

from dataclasses import dataclass

from bai.types import Task

__all__ = ["MathTask"]


@dataclass(frozen=True, kw_only=True)
class MathTask(Task):
    """A question with an answer that is compared as mathematics, or numbers to combine."""

    gold: str
    """The right answer, in LaTeX or plain; for numbers to combine what they come to."""
    solution: str = ""
    """A solution without a mark on its answer; may be empty."""
    operands: tuple[int, ...] = ()
    """Numbers of which an expression is wanted that uses each once; empty for every other task."""
