"""What two trees are to be compared as: without names, units and signs that only one of them has."""

from __future__ import annotations

from collections.abc import Iterator

from bai.envs.grading.mathematics.tree import Node, leaf, number
from bai.envs.grading.mathematics.units import unit_of

__all__ = ["COLLECTIONS", "FLIPPED", "as_tuple", "has_signs", "items_of", "named_alike", "readings", "sets_of"]

COLLECTIONS = ("list", "set")
"""Kinds of nodes whose order does not count."""
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
"""A relation's sign to that of its sides exchanged."""

# Names: `x = 5` and `5`, `x \in [1, 2]` and `[1, 2]`.


def named_alike(gold: Node, found: Node) -> tuple[Node, Node]:
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


def sets_of(gold: Node, found: Node) -> tuple[Node, Node]:
    """Takes inequalities in one symbol for the intervals they describe, unless both sides are other relations."""
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
        parts, signs = parts[::-1], [FLIPPED[sign] for sign in signs[::-1]]
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


def items_of(node: Node) -> list[Node]:
    """Gives the items of a list or a set, or a single value, with both values of what has two signs."""
    parts = node.parts if node.kind in COLLECTIONS else (node,)
    return [item for part in parts for item in (_both(part) if has_signs(part) else [part])]


def has_signs(node: Node) -> bool:
    """Whether a value stands for two because of a sign for both."""
    return any(each.kind in ("plus_minus", "minus_plus") for each in node.nodes()) and not _holds_values(node)


def _holds_values(node: Node) -> bool:
    return node.kind in (*COLLECTIONS, "pair", "interval", "union", "matrix", "row", "relation")


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


def as_tuple(node: Node, other: Node) -> Node:
    """A matrix of one column as the tuple of its entries, where the other side is one."""
    if node.kind == "row" and other.kind != "row":
        return as_tuple(Node("matrix", tuple(Node("row", (part,)) for part in node.parts)), other)
    if node.kind == "matrix" and other.kind in ("pair", "row") and all(len(row.parts) == 1 for row in node.parts):
        return Node("pair", tuple(row.parts[0] for row in node.parts))
    return node


def readings(gold: Node, found: Node) -> Iterator[tuple[Node, Node]]:
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
