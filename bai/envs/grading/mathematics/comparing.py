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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from bai.envs.grading.mathematics.algebra import Algebra, AlgebraProblem
from bai.envs.grading.mathematics.exact import TooLarge, plain_number, rational
from bai.envs.grading.mathematics.parser import read
from bai.envs.grading.mathematics.tree import Node, Unreadable, leaf, number
from bai.envs.grading.mathematics.units import unit_of
from bai.envs.grading.mathematics.worked_out import is_numeral

__all__ = ["Comparer", "Comparison"]

_VALUES = {"number", "symbol", "constant", "add", "multiply", "power", "negate", "divide", "mixed", "call", "percent"}
"""Kinds of nodes that sympy is asked about."""
_MAX_ITEMS = 30
"""Most items of a list whose order does not count."""
_COLLECTIONS = ("list", "set")
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


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
        readings = [found] if wanted.kind not in (*_COLLECTIONS, "plus_minus") else [found, *others]
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
    """One comparison; remembers the first problem on its way."""

    def __init__(self, algebra: Algebra) -> None:
        self._algebra = algebra
        self.problem: AlgebraProblem | None = None

    def same(self, gold: Node, found: Node) -> bool:
        if gold == found:
            return True
        gold, found = _named_alike(gold, found)
        gold, found = _sets_of(gold, found)
        if "text" in (gold.kind, found.kind):
            return False
        if _has_signs(gold) or _has_signs(found) or {gold.kind, found.kind} & {*_COLLECTIONS}:
            return self._same_items(_items(gold), _items(found))
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
        gold, found = _column(gold, found), _column(found, gold)
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
        if _FLIPPED.get(gold.value) == found.value:
            return all(map(self.same, gold.parts, found.parts[::-1]))
        return False

    def _same_value(self, gold: Node, found: Node) -> bool:
        if is_numeral(gold) and not is_numeral(found):
            return False
        return any(self._decide(first, second) for first, second in _readings(gold, found))

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
        finding = self._algebra.compare(first, second, up_to="factor" if up_to == "factor" else "value")
        self.problem = self.problem or finding.problem
        return finding.equal


def _shape(node: Node) -> tuple[str, str, int]:
    return node.kind, node.value, len(node.parts)


def _difference(left: Node, right: Node) -> Node:
    return Node("add", (left, Node("negate", (right,))))


# Names: `x = 5` and `5`, `x \in [1, 2]` and `[1, 2]`.


def _named_alike(gold: Node, found: Node) -> tuple[Node, Node]:
    """Takes the name off a value where the other side has none, and off both where it is the same."""
    if _is_equation(found) and not _is_equation(gold):
        return gold, found.parts[-1]
    if _is_equation(gold) and len(gold.parts) == 2 and _is_name(gold.parts[0]) and not _is_equation(found):
        return gold.parts[1], found
    return _unnamed_items(gold), _unnamed_items(found)


def _is_equation(node: Node) -> bool:
    return node.kind == "relation" and set(node.value.split()) in ({"="}, {"in"})


def _is_name(node: Node) -> bool:
    """A symbol, or one applied to symbols, which reads as a product: ``f(x)``."""
    if node.kind == "multiply":
        return len(node.parts) == 2 and all(part.kind == "symbol" for part in node.parts)
    return node.kind == "symbol"


def _unnamed_items(node: Node) -> Node:
    """``x = 1`` or ``x = -2`` as 1 or -2; a list of different names stays."""
    items = node.parts
    if node.kind != "list" or not all(_is_equation(item) and _is_name(item.parts[0]) for item in items):
        return node
    if len({item.parts[0] for item in items}) > 1:
        return node
    return Node("list", tuple(item.parts[-1] for item in items))


# Inequalities as intervals.


def _sets_of(gold: Node, found: Node) -> tuple[Node, Node]:
    if gold.kind == found.kind and gold.kind != "relation":
        return gold, found
    described = _described(gold), _described(found)
    if gold.kind == found.kind == "relation" and None in described:
        return gold, found
    return described[0] or gold, described[1] or found


def _described(node: Node) -> Node | None:
    """The interval of an inequality in one symbol, the union of several; None for all else."""
    if node.kind == "list" and node.parts[0].kind == "relation":
        intervals = [_described(part) for part in node.parts]
        return None if None in intervals else Node("union", tuple(filter(None, intervals)))
    if node.kind != "relation":
        return None
    signs = node.value.split()
    if not set(signs) <= {"<", "<="} and not set(signs) <= {">", ">="}:
        return None
    parts = node.parts
    if signs[0] in (">", ">="):
        parts, signs = parts[::-1], [_FLIPPED[sign] for sign in signs[::-1]]
    infinity = leaf("constant", "oo")
    if len(parts) == 3 and parts[1].kind == "symbol":
        return _interval(parts[0], parts[2], signs[0] == "<=", signs[1] == "<=")
    if len(parts) == 2 and parts[0].kind == "symbol":
        return _interval(Node("negate", (infinity,)), parts[1], False, signs[0] == "<=")
    if len(parts) == 2 and parts[1].kind == "symbol":
        return _interval(parts[0], infinity, signs[0] == "<=", False)
    return None


def _interval(low: Node, high: Node, low_in: bool, high_in: bool) -> Node:
    if not (low_in or high_in):
        return Node("pair", (low, high))
    return Node("interval", (low, high), ("[" if low_in else "(") + ("]" if high_in else ")"))


# Both signs.


def _items(node: Node) -> list[Node]:
    parts = node.parts if node.kind in _COLLECTIONS else (node,)
    return [item for part in parts for item in (_both(part) if _has_signs(part) else [part])]


def _has_signs(node: Node) -> bool:
    return any(each.kind in ("plus_minus", "minus_plus") for each in node.nodes()) and not _holds_values(node)


def _holds_values(node: Node) -> bool:
    return node.kind in (*_COLLECTIONS, "pair", "interval", "union", "matrix", "row", "relation")


def _both(node: Node) -> Iterator[Node]:
    yield _signed(node, True)
    yield _signed(node, False)


def _signed(node: Node, upper: bool) -> Node:
    parts = tuple(_signed(part, upper) for part in node.parts)
    if node.kind not in ("plus_minus", "minus_plus"):
        return Node(node.kind, parts, node.value)
    last = parts[-1] if upper == (node.kind == "plus_minus") else Node("negate", (parts[-1],))
    return Node("add", (*parts[:-1], last)) if len(parts) > 1 else last


# Vectors, units, percentages and bases.


def _column(node: Node, other: Node) -> Node:
    """A matrix of one column as the tuple of its entries, where the other side is one."""
    if node.kind == "row" and other.kind != "row":
        return _column(Node("matrix", tuple(Node("row", (part,)) for part in node.parts)), other)
    if node.kind == "matrix" and other.kind in ("pair", "row") and all(len(row.parts) == 1 for row in node.parts):
        return Node("pair", tuple(row.parts[0] for row in node.parts))
    return node


def _readings(gold: Node, found: Node) -> Iterator[tuple[Node, Node]]:
    """Pairs of values of which one has to be equal."""
    units = [_unit(node) for node in (gold, found)]
    if all(units):
        one, other = (unit_of(unit) for unit in units)
        if one.powers == other.powers:
            sizes = [number(str(unit.factor.numerator)) for unit in (one, other)]
            below = [number(str(unit.factor.denominator)) for unit in (one, other)]
            scaled = [
                Node("multiply", (_bare(node), Node("divide", (size, base))))
                for node, size, base in zip((gold, found), sizes, below, strict=True)
            ]
            yield scaled[0], scaled[1]
        return
    gold, found = _bare(gold), _bare(found)
    if gold.kind == found.kind == "based":
        yield gold, found
        return
    yield _digits(gold), _digits(found)
    if (gold.kind == "percent") != (found.kind == "percent"):
        yield _hundredths(gold), _hundredths(found)


def _unit(node: Node) -> str:
    if node.kind == "negate":
        return _unit(node.parts[0])
    return node.value if node.kind == "quantity" else ""


def _bare(node: Node) -> Node:
    if node.kind == "negate":
        return Node("negate", (_bare(node.parts[0]),))
    return node.parts[0] if node.kind == "quantity" else node


def _digits(node: Node) -> Node:
    return node.parts[0] if node.kind == "based" else node


def _hundredths(node: Node) -> Node:
    return node.parts[0] if node.kind == "percent" else node
