r"""Whether an answer was worked out: what only says the problem again is equal to the right answer, and no answer.

Two rules, both beside equality:

* Where the right answer is a number in digits, so must the answer be: ``72``, ``72.0``, ``\frac{144}{2}``,
  ``-1\frac{1}{2}``, ``7.2 \times 10^1``, ``50\%``, but not ``48 + 24``, ``2^3`` or ``\sqrt{4}``.
* No answer may be a formula of the problem, whatever the order of its terms and factors, unless the right answer is.
"""

from __future__ import annotations

import re

from bai.envs.grading.mathematics.parser import read
from bai.envs.grading.mathematics.tokens import MAX_CHARS
from bai.envs.grading.mathematics.tree import Node, Unreadable

__all__ = ["is_numeral", "repeats"]

_FORMULA = re.compile(r"\$\$?([^$]{1,2000})\$|\\\[(.{1,2000}?)\\\]|\\\((.{1,2000}?)\\\)", re.DOTALL)
_MOST_FORMULAS = 50


def is_numeral(tree: Node) -> bool:
    """Whether a tree is a number in digits, so that nothing is left to compute but one fraction."""
    if tree.kind == "negate":
        return tree.parts[0].kind != "negate" and is_numeral(tree.parts[0])
    if tree.kind == "divide":
        return all(part.kind == "number" or _is_negative(part) for part in tree.parts)
    if tree.kind == "multiply":
        return len(tree.parts) == 2 and tree.parts[0].kind == "number" and _is_power_of_ten(tree.parts[1])
    if tree.kind in ("percent", "quantity"):
        return is_numeral(tree.parts[0])
    return tree.kind in ("number", "mixed", "based")


def _is_negative(tree: Node) -> bool:
    return tree.kind == "negate" and tree.parts[0].kind == "number"


def _is_power_of_ten(tree: Node) -> bool:
    if tree.kind != "power" or tree.parts[0] != Node("number", (), "10"):
        return False
    return tree.parts[1].kind == "number" or _is_negative(tree.parts[1])


def repeats(problem: str, gold: str, answer: str) -> bool:
    """Whether an answer is a formula of the problem, and the right one is not that formula."""
    said = _ordered_of(answer)
    if said is None or is_numeral(said) or said == _ordered_of(gold):
        return False
    formulas = [next(filter(None, match)) for match in _FORMULA.findall(problem[: 20 * MAX_CHARS])][:_MOST_FORMULAS]
    return any(said == side for formula in formulas for side in _sides(_ordered_of(formula)))


def _sides(tree: Node | None) -> tuple[Node, ...]:
    if tree is None:
        return ()
    return (tree, *tree.parts) if tree.kind == "relation" else (tree,)


def _ordered_of(text: str) -> Node | None:
    try:
        return _ordered(read(text))
    except Unreadable:
        return None


def _ordered(tree: Node) -> Node:
    """The same tree with terms and factors in an order of its own."""
    parts = tuple(_ordered(part) for part in tree.parts)
    if tree.kind in ("add", "multiply"):
        parts = tuple(sorted(parts, key=repr))
    return Node(tree.kind, parts, tree.value)
