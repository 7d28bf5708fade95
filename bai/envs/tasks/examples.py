"""Public examples read from the text that a task shows: doctests, ``f(1) == 2``, ``f(1) => 2``.

Only what is literal on both sides becomes a :class:`~bai.envs.tasks.coding.Case`; the rest stays text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from bai.envs.tasks.coding import Case
from bai.envs.tasks.syntax import expression, parse

__all__ = ["case_of_assert", "examples_in", "literal"]

_BETWEEN = re.compile(r"\s*(?:#\s*)?(?:==|=>|->|➞|=|(?:should |must )?returns?\s*:?|\n\s*)\s*")
_MAX_VALUE = 2_000
"""Longest value looked at, in characters."""


def literal(node: ast.expr) -> Any:
    """Gives the plain value of an expression such as ``[1, (2, 3)]``, ``set()``, ``set([1])`` or ``float("inf")``.

    Raises:
        ValueError: It is not literal.
    """
    match node:
        case ast.Call(
            func=ast.Name(id="set" | "frozenset" | "tuple" | "list" | "dict" as kind), args=args, keywords=[]
        ):
            makers = {"set": set, "frozenset": frozenset, "tuple": tuple, "list": list, "dict": dict}
            return makers[kind](*(literal(arg) for arg in args))
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str() as text)], keywords=[]):
            return float(text)
    try:
        return ast.literal_eval(node)
    except (TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"not a literal: {error}") from error


def case_of_assert(source: str, entry_point: str) -> Case | None:
    """Reads ``assert f(1, 2) == 3`` and the like as a case, or gives None where it is anything else."""
    try:
        match parse(source).body:
            case [ast.Assert(test=ast.Compare(left=ast.Call() as call, ops=[ast.Eq()], comparators=[value]))]:
                return _case(call, value, entry_point)
    except ValueError:
        pass
    return None


def _case(call: ast.Call, value: ast.expr, entry_point: str) -> Case | None:
    if not isinstance(call.func, ast.Name) or call.func.id != entry_point or call.keywords:
        return None
    return Case(args=tuple(literal(arg) for arg in call.args), expected=literal(value))


def examples_in(text: str, entry_point: str) -> tuple[Case, ...]:
    """Finds the literal examples of a docstring, each once, in the order they come."""
    cases: list[Case] = []
    for case in _find(text, entry_point):
        if all(case.args != other.args for other in cases):
            cases.append(case)
    return tuple(cases)


def _find(text: str, entry_point: str) -> Iterator[Case]:
    for start in (match.start() for match in re.finditer(rf"(?<![\w.]){re.escape(entry_point)}\s*\(", text)):
        end = _closing(text, text.index("(", start))
        separator = end and _BETWEEN.match(text, end)
        if not end or not separator:
            continue
        value = _longest_literal(text[separator.end() : separator.end() + _MAX_VALUE])
        try:
            call = expression(text[start:end])
            case = _case(call, value, entry_point) if value is not None and isinstance(call, ast.Call) else None
        except ValueError:
            continue
        if case is not None:
            yield case


def _closing(text: str, opening: int) -> int | None:
    """Index after the bracket that closes the one at ``opening``, strings passed over."""
    depth, quote = 0, ""
    for index in range(opening, min(len(text), opening + _MAX_VALUE)):
        character = text[index]
        if quote:
            quote = "" if character == quote and text[index - 1] != "\\" else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return index + 1
    return None


def _longest_literal(text: str) -> ast.expr | None:
    """The literal that ``text`` starts with, if nothing goes on computing with it (``8 - 3 = 5``)."""
    if text[:1] in ("[", "(", "{"):
        end = _closing(text, 0) or 0
    else:
        match = re.match(r"'[^'\\\n]*'|\"[^\"\\\n]*\"|-?\d+(?:\.\d+)?(?:[eE]-?\d+)?|True|False|None", text)
        end = match.end() if match else 0
    rest = text[end:].split("\n", 1)[0].strip()
    if not end or rest[:1] in tuple("+-*/%=<>[\"'"):
        return None
    try:
        node = expression(text[:end])
        literal(node)
    except ValueError:
        return None
    return node
