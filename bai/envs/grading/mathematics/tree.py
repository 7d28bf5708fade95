"""What an answer reads as: a tree of a few kinds of nodes, which is all that ever reaches a computer algebra system.

A tree is made by :mod:`bai.envs.grading.mathematics.parser` within bounds, so whoever goes through one may recurse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

__all__ = ["KINDS", "Kind", "Node", "Unreadable", "leaf", "number"]

Kind = Literal[
    "number",  # value: digits with an optional point
    "symbol",  # value: its name
    "constant",  # value: pi, e, i or oo
    "add",
    "multiply",
    "power",
    "negate",
    "divide",
    "mixed",  # a whole number and a proper fraction
    "call",  # value: the function's name
    "percent",
    "quantity",  # value: its unit, see units.py
    "based",  # value: the base; of one number, whose digits are in that base
    "plus_minus",  # both signs; two parts, or one behind the sign; minus_plus: the other sign first
    "minus_plus",
    "list",  # separated by commas, without brackets
    "set",
    "pair",  # in round brackets: a tuple, or an open interval
    "interval",  # value: its brackets, such as [)
    "union",
    "matrix",  # of rows
    "row",
    "relation",  # value: =, <, <=, >, >=, != or in
    "text",  # value: words
]

KINDS = frozenset(get_args(Kind))


class Unreadable(ValueError):
    """An answer is no mathematics that is read here, or is beyond a bound; the message says which."""


@dataclass(frozen=True)
class Node:
    """A node and what is below it."""

    kind: Kind
    parts: tuple[Node, ...] = ()
    value: str = ""

    def to_json(self) -> list[Any]:
        """Gives plain JSON values: kind, value, parts."""
        return [self.kind, self.value, [part.to_json() for part in self.parts]]

    def nodes(self) -> list[Node]:
        """Gives it and all below it, from the left."""
        found = [self]
        for part in self.parts:
            found += part.nodes()
        return found


def leaf(kind: Kind, value: str) -> Node:
    """A node with nothing below it."""
    return Node(kind, (), value)


def number(value: str) -> Node:
    """A number, of digits with an optional point."""
    return leaf("number", value)
