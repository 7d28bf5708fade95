"""What the kinds of generated problems share: draws that are the same in every version of Python, and a problem."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

__all__ = ["Draw", "Kind", "Problem", "combined", "latex"]

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """A question, its answer and the way there."""

    question: str
    gold: str
    steps: tuple[str, ...]


class Draw:
    """Draws by ``random()`` alone, whose sequence Python guarantees from version to version."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311  tasks are no secrets

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._rng.random() * (high - low + 1))

    def other(self, low: int, high: int, *without: int) -> int:
        """A whole number that is none of some; there has to be one."""
        return self.pick([value for value in range(low, high + 1) if value not in without])

    def pick(self, items: Sequence[T]) -> T:
        """One of several."""
        return items[int(self._rng.random() * len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """Several different ones, in order of their draw."""
        left = list(items)
        return [left.pop(int(self._rng.random() * len(left))) for _ in range(count)]


Kind = Callable[[Draw, int], Problem]
"""Makes a problem of a level, 1 to 5."""


def latex(value: Fraction | int) -> str:
    """A rational number in LaTeX."""
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def combined(*terms: tuple[int, str]) -> str:
    """A sum of whole multiples, as it is written: ``x^2 - x + 6`` of (1, "x^2"), (-1, "x"), (6, "")."""
    text = ""
    for factor, name in terms:
        if factor:
            size = "" if abs(factor) == 1 and name else str(abs(factor))
            sign = ("-" if factor < 0 else "") if not text else (" - " if factor < 0 else " + ")
            text += f"{sign}{size}{name}"
    return text or "0"
