"""Judging a Game of 24: an expression that uses each number exactly once, computed with rational numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from bai.envs.grading.mathematics.exact import TooLarge, rational
from bai.envs.grading.mathematics.parser import read
from bai.envs.grading.mathematics.tree import Node, Unreadable

__all__ = ["why_no_solution"]

_OPERATIONS = ("add", "multiply", "divide", "number")


def why_no_solution(answer: str, numbers: Sequence[int], target: int) -> str:
    r"""Says why an answer is no solution; empty where it is one.

    The expression holds the given numbers, ``+ - * /`` (also as ``\times``, ``\cdot``, ``\div``, ``\frac``, or a
    product by standing side by side) and brackets, and nothing else: no sign before a number, no power, no digits put
    together. ``= 24`` may follow it.

    Args:
        answer: Any text.
        numbers: The numbers to use, each once.
        target: What it has to come to.
    """
    try:
        tree = read(answer)
    except Unreadable as error:
        return f"it is no expression: {error}"
    if tree.kind == "relation":
        if tree.value != "=" or tree.parts[1] != Node("number", (), str(target)):
            return f"it says something other than that an expression is {target}"
        tree = tree.parts[0]
    used = _used(tree)
    if used is None:
        return "it holds something other than whole numbers, + - * / and brackets"
    if sorted(used) != sorted(numbers):
        return "it does not use each of the given numbers exactly once"
    try:
        value = rational(tree)
    except TooLarge:
        return "it holds a number that is too large"
    if value is None:
        return "it divides by zero"
    return "" if value == Fraction(target) else f"it does not come to {target}"


def _used(tree: Node) -> list[int] | None:
    if tree.kind == "number":
        return [int(tree.value)] if tree.value.isdigit() else None
    # A difference is a sum with a negated term; any other sign changes a given number.
    parts = [part.parts[0] if place and part.kind == "negate" else part for place, part in enumerate(tree.parts)]
    if tree.kind not in _OPERATIONS or (tree.kind != "add" and parts != list(tree.parts)):
        return None
    found: list[int] = []
    for part in parts:
        used = _used(part)
        if used is None:
            return None
        found += used
    return found
