r"""Whether an answer is the gold answer, as mathematics.

The gold answer decides what is asked for, so the two sides are not alike:

* Words are compared as words, without case, brackets and full stop: ``\text{(C)}`` is ``C``.
* ``x = 5`` is ``5`` where only one side names what it is; of ``2 + 3 = 5`` the last member counts.
* Lists, sets and ``a \pm b`` are compared without order; tuples, intervals, matrices with it. A matrix of one column is
  the tuple of its entries. An inequality in one symbol is the interval it describes.
* A unit on one side only is what the question fixed; on both sides, the quantities have to be equal (``5 cm``, ``50
  mm``). A percent sign on one side only is a unit or a hundredth. So is a base, whose digits then count.
* Two equations are one where one is a number other than zero times the other.
* A number in digits wants a number in digits (:mod:`bai.envs.grading.mathematics.worked_out`): 48 + 24 is not yet 72.
* All else is equal where it is proved so: rational numbers exactly, the rest by sympy. Decimals are exact: 0.333 is not
  a third.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from bai.envs.grading.mathematics.algebra import Algebra, AlgebraProblem
from bai.envs.grading.mathematics.exact import TooLarge, plain_number, rational
from bai.envs.grading.mathematics.meaning import (
    COLLECTIONS,
    FLIPPED,
    as_tuple,
    has_signs,
    items_of,
    named_alike,
    readings,
    sets_of,
)
from bai.envs.grading.mathematics.parser import read
from bai.envs.grading.mathematics.tree import Node, Unreadable
from bai.envs.grading.mathematics.worked_out import is_numeral

__all__ = ["Comparer", "Comparison"]

_VALUES = {"number", "symbol", "constant", "add", "multiply", "power", "negate", "divide", "mixed", "call", "percent"}
"""Kinds of nodes that sympy is asked about."""
_MAX_ITEMS = 30
"""Most items of a list whose order does not count."""


@dataclass(frozen=True)
class Comparison:
    """What came of holding an answer against the gold one."""

    equal: bool
    problem: AlgebraProblem | None = None
    """Set where a comparison on the way was given up."""
    unreadable: str = ""
    """Why the answer is not read, where it is not."""


class Comparer:
    """Compares answers with gold ones.

    Args:
        algebra: Decides what rational numbers do not.
    """

    def __init__(self, algebra: Algebra) -> None:
        self._algebra = algebra

    def compare(self, gold: str, answer: str) -> Comparison:
        """Holds an answer against the gold one.

        Args:
            gold: The gold answer; one that is not read is compared as it is written.
            answer: Any text.

        Raises:
            InfraError: The machinery failed.
        """
        values = plain_number(gold), plain_number(answer)
        if None not in values:
            return Comparison(values[0] == values[1])
        wanted = _read_gold(gold)
        if wanted is None or wanted.kind == "text":
            return Comparison(_words(gold) == _words(answer))
        return self._against(wanted, answer)

    def _against(self, wanted: Node, answer: str) -> Comparison:
        try:
            found = read(answer)
            others = [read(answer, thousands=False)] if "," in answer else []
        except Unreadable as error:
            return Comparison(False, unreadable=str(error))
        run = _Run(self._algebra)
        # `1,234` may be two items: only where several are asked for.
        readings = [found] if wanted.kind not in (*COLLECTIONS, "plus_minus") else [found, *others]
        equal = any(run.same(wanted, reading) for reading in dict.fromkeys(readings))
        return Comparison(equal, None if equal else run.problem)


@lru_cache(maxsize=4096)
def _read_gold(gold: str) -> Node | None:
    try:
        return read(gold)
    except Unreadable:
        return None


def _words(text: str) -> str:
    text = re.sub(
        r"\\(?:text|mbox|textbf|textit|mathrm|textrm|boxed)\s*\{|[{}$*()\[\].\"'`]|\\[ ,;!]", " ", text[:2000]
    )
    return " ".join(text.casefold().split())


class _Run:
    """One comparison; remembers the first problem on its way. All its parts together have the time of one."""

    def __init__(self, algebra: Algebra) -> None:
        self._algebra = algebra
        self._deadline = time.monotonic() + algebra.wall_s
        self.problem: AlgebraProblem | None = None

    def same(self, gold: Node, found: Node) -> bool:
        if gold == found:
            return True
        gold, found = named_alike(gold, found)
        gold, found = sets_of(gold, found)
        if "text" in (gold.kind, found.kind):
            return False
        if has_signs(gold) or has_signs(found) or {gold.kind, found.kind} & {*COLLECTIONS}:
            return self._same_items(items_of(gold), items_of(found))
        if {gold.kind, found.kind} & {"pair", "interval", "union", "matrix", "row", "relation"}:
            return self._same_shape(gold, found)
        return self._same_value(gold, found)

    def _same_items(self, gold: list[Node], found: list[Node]) -> bool:
        """Whether items can be paired so that all are equal; equality is transitive, so the first fit is right."""
        if len(gold) != len(found) or len(gold) > _MAX_ITEMS:
            return False
        left = list(found)
        for item in gold:
            match = next((other for other in left if self.same(item, other)), None)
            if match is None:
                return False
            left.remove(match)
        return True

    def _same_shape(self, gold: Node, found: Node) -> bool:
        if gold.kind == found.kind == "relation":
            return self._same_relation(gold, found)
        gold, found = as_tuple(gold, found), as_tuple(found, gold)
        if gold.kind == "union" or found.kind == "union":
            return gold.kind == found.kind and self._same_items(list(gold.parts), list(found.parts))
        if (gold.kind, gold.value, len(gold.parts)) != (found.kind, found.value, len(found.parts)):
            return False
        return all(self.same(one, other) for one, other in zip(gold.parts, found.parts, strict=True))

    def _same_relation(self, gold: Node, found: Node) -> bool:
        if len(gold.parts) != 2 or len(found.parts) != 2:
            return _shape(gold) == _shape(found) and all(map(self.same, gold.parts, found.parts))
        if gold.value == found.value and all(map(self.same, gold.parts, found.parts)):
            return True
        if gold.value == found.value == "=":
            first, second = (_difference(*relation.parts) for relation in (gold, found))
            return self._decide(first, second, up_to="factor")
        if FLIPPED.get(gold.value) == found.value:
            return all(map(self.same, gold.parts, found.parts[::-1]))
        return False

    def _same_value(self, gold: Node, found: Node) -> bool:
        if is_numeral(gold) and not is_numeral(found):
            return False
        return any(self._decide(first, second) for first, second in readings(gold, found))

    def _decide(self, first: Node, second: Node, *, up_to: str = "value") -> bool:
        if first == second:
            return True
        try:
            values = rational(first), rational(second)
        except TooLarge:
            self.problem = self.problem or "large"
            return False
        if None not in values and up_to == "value":
            return values[0] == values[1]
        if any(node.kind not in _VALUES for tree in (first, second) for node in tree.nodes()):
            return False
        kind: Literal["value", "factor"] = "factor" if up_to == "factor" else "value"
        finding = self._algebra.compare(first, second, up_to=kind, deadline=self._deadline)
        self.problem = self.problem or finding.problem
        return finding.equal


def _shape(node: Node) -> tuple[str, str, int]:
    return node.kind, node.value, len(node.parts)


def _difference(left: Node, right: Node) -> Node:
    return Node("add", (left, Node("negate", (right,))))
