"""Brackets of every kind, and matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bai.envs.grading.mathematics.tree import Node, Unreadable

if TYPE_CHECKING:
    from bai.envs.grading.mathematics.parser import Parser

__all__ = ["CLOSING", "bracketed", "matrix"]

CLOSING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "|": "|", "\\|": "\\|"}
"""Opening to closing bracket."""
_MATRICES = ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "smallmatrix", "array")


def bracketed(parser: Parser, opening: str) -> Node:
    """Parses what an opening bracket, which was just passed, begins: a group, a tuple, an interval, a set, a size."""
    if opening in ("|", "\\|"):
        return _absolute(parser, opening)
    if opening == "\\{":
        if parser.take("\\}"):
            return parser.node("set")
        inside = parser.listed(("\\}",))
        parser.expect("\\}")
        return parser.node("set", *(inside.parts if inside.kind == "list" else (inside,)))
    bars, parser.bars = parser.bars, 0
    if opening == "{" and parser.take("}"):
        return parser.node("set")
    inside = parser.listed((")", "]", "}"))
    parser.bars = bars
    return _closed_by(parser, opening, inside)


def _closed_by(parser: Parser, opening: str, inside: Node) -> Node:
    closing = parser.next().text
    items = inside.parts if inside.kind == "list" else (inside,)
    if opening == "{":
        if closing != "}":
            raise Unreadable("a brace is not closed")
        return inside if len(items) == 1 else parser.node("set", *items)
    if closing not in (")", "]"):
        raise Unreadable("a bracket is not closed")
    if opening == "[" and closing == "]" and all(item.kind in ("interval", "row") for item in items):
        return parser.node("matrix", *(parser.node("row", *item.parts) for item in items))
    if opening == "[" and closing == "]" and len(items) != 2:
        return parser.node("row", *items) if len(items) > 2 else inside
    if len(items) == 1 and opening + closing == "()":
        return inside
    if opening + closing == "()":
        return parser.node("pair", *items)
    if len(items) != 2:
        raise Unreadable("an interval has two ends")
    return parser.node("interval", *items, value=opening + closing)


def _absolute(parser: Parser, opening: str) -> Node:
    parser.bars += 1
    inside = parser.sum()
    parser.expect(opening)
    parser.bars -= 1
    return parser.node("call", inside, value="abs")


def matrix(parser: Parser) -> Node:
    r"""Parses a matrix behind ``\\begin``."""
    name = _environment(parser)
    if name not in _MATRICES:
        raise Unreadable(f"the environment {name[:20]!a} is not read")
    if name == "array" and parser.take("{"):
        while not parser.take("}"):
            if parser.next().kind == "end":
                raise parser.unexpected()
    rows, row = [], [parser.relation()]
    while not parser.take("end"):
        if parser.take("&"):
            row.append(parser.relation())
        elif parser.take("\\\\"):
            rows.append(parser.node("row", *row))
            if parser.is_at("end"):
                row = []
                continue
            row = [parser.relation()]
        else:
            raise parser.unexpected()
    if _environment(parser) != name:
        raise Unreadable("a matrix is not closed")
    rows += [parser.node("row", *row)] if row else []
    if len({len(item.parts) for item in rows}) != 1:
        raise Unreadable("the rows of a matrix differ in length")
    return parser.node("matrix", *rows)


def _environment(parser: Parser) -> str:
    parser.expect("{")
    name = ""
    while parser.now.kind in ("name", "words"):
        name += parser.next().text
    parser.expect("}")
    return name
