"""Copies of tests that expect another value than they do.

Where a test passes, its copy fails: the same code cannot equal both. So a copy can be made of a test that compares
something with a literal, and that does nothing which is not its own: it calls, compares and binds local names, without
arguments, decorators, branches or contexts. Of the literal one number or one word is changed, for one that another
literal of the file has, so that neither of the two looks the less likely.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bai.envs.grading.control import equated, is_literal
from bai.envs.grading.falsehoods import pick
from bai.envs.grading.places import Function, Place, lasting_names, names_in

__all__ = ["Twin", "find_twin"]

_UNSURE = re.compile(r"skip|xfail|approx|isclose|\bANY\b|random|\bnow\b|\btime\b|next\(")
"""What tests have that may end early, or of which a second value may be true too."""
_WORD = re.compile(r"[a-zA-Z]{2,}")
_LONGEST = 40
"""Statements of a test."""


@dataclass(frozen=True)
class Twin:
    """A test and a literal that its outcome depends on."""

    place: Place
    literal: ast.Constant
    code: str
    """Of what is expected in the literal's place."""

    def lines(self, source: Sequence[str], name: str) -> list[str]:
        """Gives the copy's lines, under a name of its own, from those of the file."""
        test, at, lines = self.place.test, self.literal.lineno - 1, list(source)
        line = lines[at].encode()
        edited = line[: self.literal.col_offset] + self.code.encode() + line[self.literal.end_col_offset :]
        lines[at] = edited.decode()
        head = re.sub(rf"def +{test.name}\b", f"def {name}", lines[test.lineno - 1], count=1)
        return [head, *lines[test.lineno : test.end_lineno]]


def find_twin(
    places: Sequence[Place], source: Sequence[str], preferred: Callable[[Place], bool], rng: np.random.Generator
) -> Twin | None:
    """Draws a test and what its copy expects instead.

    Args:
        places: Tests of one file that are known to pass.
        source: The file's lines.
        preferred: Which of them are taken where one is fit.
        rng: Draws both.

    Returns:
        The copy; None where none of the tests is fit for one.
    """
    if not places:
        return None
    known = lasting_names(places[0].module) | set(dir(builtins)) | {"self"}
    constants = [literal for place in places for _, literal in _compared(place.test)]
    drawn = [places[int(index)] for index in rng.permutation(len(places))]
    for place in sorted(drawn, key=lambda place: not preferred(place)):
        found = list(_compared(place.test)) if _is_plain(place.test, known) else []
        for side, literal in (found[int(index)] for index in rng.permutation(len(found))):
            was = source[literal.lineno - 1].encode()[literal.col_offset : literal.end_col_offset].decode()
            code = _other(literal.value, was, [node.value for node in constants], rng)
            if code is not None and _differs(side, literal, code):
                return Twin(place, literal, code)
    return None


def _compared(test: Function) -> Iterator[tuple[ast.expr, ast.Constant]]:
    """Gives the literals that something is compared with, and each number and text in them that is on one line."""
    for pair in (pair for statement in test.body for pair in equated(statement)):
        literals = [side for side in pair if is_literal(side)]
        for node in ast.walk(literals[0]) if len(literals) == 1 else ():
            if isinstance(node, ast.Constant) and type(node.value) in (int, str) and node.lineno == node.end_lineno:
                yield literals[0], node


def _is_plain(test: Function, known: set[str]) -> bool:
    """Whether a test does nothing that is not its own."""
    arguments = [node.arg for node in ast.walk(test.args) if isinstance(node, ast.arg)]
    if not isinstance(test, ast.FunctionDef) or test.decorator_list or arguments not in ([], ["self"]):
        return False
    if _UNSURE.search(ast.unparse(test)) or len(test.body) > _LONGEST:
        return False
    own = {node.id for node in names_in(test) if isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(test) if isinstance(node, ast.arg)}
    return {node.id for node in names_in(test)} <= known | own and all(_is_step(step, own) for step in test.body)


def _is_step(step: ast.stmt, own: set[str]) -> bool:
    if any(isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom)) for node in ast.walk(step)):
        return False
    if isinstance(step, ast.Assign):
        targets = [part for target in step.targets for part in getattr(target, "elts", [target])]
        return all(isinstance(target, ast.Name) for target in targets)
    if not isinstance(step, ast.Expr):
        return isinstance(step, ast.Assert)
    if not isinstance(step.value, ast.Call):
        return isinstance(step.value, ast.Constant)
    called = ast.unparse(step.value.func)
    return called.startswith("self.assert") or called.partition(".")[0] in own - {"self"}


def _other(value: object, code: str, among: Sequence[object], rng: np.random.Generator) -> str | None:
    """Gives the code of another value: a number that is not the next, or a text with another word; None if of none."""
    if isinstance(value, int):
        numbers = sorted({other for other in among if isinstance(other, int) and abs(other - value) > 1})
        return str(pick(rng, numbers or [value + int(rng.integers(2, 12))])) if code == str(value) else None
    words = {word for text in among if isinstance(text, str) for word in _WORD.findall(text)}
    own = _WORD.findall(str(value))
    word = str(pick(rng, own)) if own else ""
    like = sorted(
        other for other in words if other.lower() != word.lower() and other[0].isupper() == word[:1].isupper()
    )
    if not word or not like:
        return None
    # Letters of an escape, or of a prefix, may look like the word: then another value comes of it.
    put = partial(re.sub, rf"(?<![a-zA-Z]){word}(?![a-zA-Z])", str(pick(rng, like)), count=1)
    changed = put(code)
    return changed if _value(changed) == put(str(value)) else None


def _value(code: str) -> object:
    try:
        return ast.literal_eval(code)
    except (ValueError, SyntaxError):
        return None


def _differs(side: ast.expr, literal: ast.Constant, code: str) -> bool:
    """Whether a side with one literal changed is another value."""
    was, kept = ast.literal_eval(side), literal.value
    literal.value = ast.literal_eval(code)
    try:
        return bool(ast.literal_eval(side) != was)
    finally:
        literal.value = kept
