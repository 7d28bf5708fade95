"""The tests that a repair makes pass, once more with other expected values.

A candidate's code runs in the process of its tests. It can print their results itself, or return an object that equals
everything; a test that is known to be bound to fail can be told from the others and left to fail. So where a run
resolves a task, some of the tests that were to pass are run again in copies of their file. In one copy a test expects
what it did; in the others, one value that it expects is another. Which is which, only those who know the right value
can tell: a sound repair passes the one and fails the others.
"""

from __future__ import annotations

import ast
import builtins
import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from bai.envs.repository.tree import Entry, Tree
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.swebench_parsers import PYTEST_PARSERS

__all__ = ["Control", "equated", "make_control", "parsed"]

MOST_TESTS = 4
"""Tests that are run again."""
COPIES = {1: 8, 2: 4}
"""Copies by the number of tests: what guesses the genuine ones is right once in the product of both."""
FEW = 3
"""Copies where there are more tests, or where a run is slow."""
SLOW_S = 5.0
"""Seconds of the tests' run from which it is slow."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_EQUALITIES = frozenset({"assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual"})

_EXCEPTIONS = (
    *("ValueError", "TypeError", "KeyError", "IndexError", "ZeroDivisionError"),
    *("AttributeError", "RuntimeError", "OSError", "AssertionError"),
)
"""What is expected in place of one of Python's own exceptions."""
_UNRELATED = (
    *("ZeroDivisionError", "AttributeError", "IndexError", "OSError"),
    *("StopIteration", "NameError", "OverflowError", "AssertionError"),
)
"""In place of any other: few projects derive theirs from these."""

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_Value: TypeAlias = ast.Constant | ast.Name
"""A number, a text or the name of an exception."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Copies of test files, and what each of their tests has to come to."""

    files: Mapping[str, Entry]
    """What is put into the tree."""
    originals: frozenset[str]
    """Files that were copied; they must not be there, or the copy that is like one of them would be known."""
    targets: tuple[str, ...]
    """What is added to the test command."""
    passing: frozenset[str]
    """Tests that expect what they did."""
    failing: frozenset[str] = field(repr=False)
    """Tests that expect something else."""

    def passed(self, statuses: Mapping[str, str], conflicts: Collection[str] = ()) -> frozenset[str]:
        """Gives those of its tests that passed, as a log says; all of :attr:`passing` and no other should."""
        good = {test for test, status in statuses.items() if status in ("PASSED", "XFAIL") and test not in conflicts}
        return (self.passing | self.failing) & good


def make_control(task: RepairTask, tested: Tree, rng: np.random.Generator, *, tests_s: float = 0.0) -> Control | None:
    """Makes copies of a task's tests with other expected values.

    Args:
        task: Its fail-to-pass tests are looked at; only pytest's can be run by their names.
        tested: The tree with the trusted tests.
        rng: Draws which tests, which values and which names.
        tests_s: Seconds that the tests took.

    Returns:
        The control; None where no test compares anything with a literal.
    """
    if task.log_parser not in PYTEST_PARSERS:
        return None
    found = [spot for spot in _spots(task, tested) if spot.values]
    if not found:
        return None
    chosen = [found[int(index)] for index in rng.permutation(len(found))[:MOST_TESTS]]
    copies = FEW if tests_s > SLOW_S else COPIES.get(len(chosen), FEW)
    return _assemble(chosen, tested, copies, rng)


@dataclass(frozen=True)
class _Spot:
    """A literal in a test that its outcome depends on."""

    path: str
    function: str
    """Names that lead to the test, joined as pytest does."""
    ids: tuple[str, ...]
    """What stands for it in the expected tests, without the file: one id, or one for each set of parameters."""
    values: tuple[_Value, ...]
    """Of these any one may be changed."""


def _spots(task: RepairTask, tested: Tree) -> Iterator[_Spot]:
    by_function: dict[tuple[str, str], list[str]] = {}
    for test in task.fail_to_pass:
        path, _, name = test.partition("::")
        by_function.setdefault((path, name.partition("[")[0]), []).append(name)
    for (path, function), names in by_function.items():
        if not path.endswith(".py") or path not in tested:
            continue
        module = parsed(tested[path].data)
        if module is not None and (node := _find(module, function.split("::"))) is not None:
            yield _Spot(path, function, tuple(names), tuple(_values(node)))


def parsed(source: bytes) -> ast.Module | None:
    """Parses a file whose literals can be found by line and column: UTF-8 with the usual ends of lines."""
    if source.startswith(b"\xef\xbb\xbf") or b"\r" in source.replace(b"\r\n", b"\n") or b"\f" in source:
        return None
    try:
        source.decode("utf-8")
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _find(within: ast.Module | ast.ClassDef, names: list[str]) -> _Function | None:
    for node in within.body:
        if isinstance(node, ast.ClassDef) and node.name == names[0] and len(names) > 1:
            return _find(node, names[1:])
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and [node.name] == names:
            return node
    return None


def _values(function: _Function) -> Iterator[_Value]:
    """What a test expects, where it comes to that in any case."""
    for statement in function.body:
        if any(isinstance(node, ast.Return) for node in ast.walk(statement)):
            return
        if isinstance(statement, ast.With):
            yield from _expected_exceptions(statement)
        for pair in equated(statement):
            literal = [side for side in pair if _is_literal(side)]
            expected = literal[0] if literal else pair[1]
            nodes = list(ast.walk(expected))
            if not any(isinstance(node, ast.JoinedStr) for node in nodes):  # their parts have no place of their own
                yield from (node for node in nodes if isinstance(node, ast.Constant) and _can_change(node))


def _expected_exceptions(statement: ast.With) -> Iterator[ast.Name]:
    for item in statement.items:
        call = item.context_expr
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("raises", "assertRaises")):
            yield from (argument for argument in call.args[:1] if isinstance(argument, ast.Name))


def equated(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Gives the pairs that a statement of a test holds to be equal."""
    if isinstance(statement, ast.Assert):
        test = statement.test
        for part in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]:
            if isinstance(part, ast.Compare) and len(part.ops) == 1 and isinstance(part.ops[0], ast.Eq):
                yield part.left, part.comparators[0]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called, arguments = statement.value.func, statement.value.args
        if isinstance(called, ast.Attribute) and called.attr in _EQUALITIES and len(arguments) > 1:
            yield arguments[0], arguments[1]


def _is_literal(side: ast.expr) -> bool:
    try:
        ast.literal_eval(side)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _can_change(node: ast.Constant) -> bool:
    """Whether a literal is a number or a text on one line, and is no boolean."""
    if node.lineno != node.end_lineno:
        return False
    return type(node.value) in (int, float, str) and not (isinstance(node.value, str) and len(node.value) > 10_000)


def _assemble(chosen: list[_Spot], tested: Tree, copies: int, rng: np.random.Generator) -> Control:
    files: dict[str, Entry] = {}
    targets: list[str] = []
    passing: set[str] = set()
    failing: set[str] = set()
    edits: dict[tuple[str, int], list[tuple[_Value, str]]] = {}
    names = {
        (path, copy): _named(path, rng) for path in sorted({spot.path for spot in chosen}) for copy in range(copies)
    }
    for spot in chosen:
        value, genuine = spot.values[int(rng.integers(len(spot.values)))], int(rng.integers(copies))
        others = _others(value, copies - 1, rng)
        for copy in range(copies):
            place = names[spot.path, copy]
            targets.append(f"{place}::{spot.function}")
            (passing if copy == genuine else failing).update(f"{place}::{name}" for name in spot.ids)
            if copy != genuine:
                edits.setdefault((spot.path, copy), []).append((value, others.pop()))
    for (path, copy), place in names.items():
        files[place] = Entry(data=_edited(tested[path].data, edits.get((path, copy), [])))
    order = rng.permutation(len(targets))
    return Control(
        files=files,
        originals=frozenset(spot.path for spot in chosen),
        targets=tuple(targets[int(index)] for index in order),
        passing=frozenset(passing),
        failing=frozenset(failing),
    )


def _named(path: str, rng: np.random.Generator) -> str:
    word = "".join(_LETTERS[int(index)] for index in rng.integers(len(_LETTERS), size=12))
    return posixpath.join(posixpath.dirname(path), f"test_{word}.py")


def _others(value: _Value, count: int, rng: np.random.Generator) -> list[str]:
    """Code of values other than one and one another, of its type and about its size."""
    if isinstance(value, ast.Name):
        names = [name for name in _EXCEPTIONS if name != value.id] if hasattr(builtins, value.id) else _UNRELATED
        return [names[int(index)] for index in rng.permutation(len(names))[:count]]
    found: dict[str, None] = {}
    while len(found) < count:
        other = _other(value.value, rng)
        if other != value.value:
            found[repr(other)] = None
    return list(found)


def _other(value: object, rng: np.random.Generator) -> object:
    if isinstance(value, str):
        letter = _LETTERS[int(rng.integers(len(_LETTERS)))]
        at = int(rng.integers(len(value))) if value else 0
        return value[:at] + letter + value[at + 1 :]
    assert isinstance(value, (int, float))
    if isinstance(value, float) and not abs(value) < 1e300:
        return float(rng.integers(1000))
    # Of an int the sum is one too: numbers of any size are exact.
    reach = 12 + min(abs(int(value)), 2**60)
    step = int(rng.integers(1, reach)) * (1 if value == 0 or rng.integers(2) else -1)
    return value + step if abs(step) < abs(value) or value == 0 else value + abs(step)


def _edited(source: bytes, edits: list[tuple[_Value, str]]) -> bytes:
    """Source with values replaced; their places are counted in bytes of UTF-8."""
    lines = source.decode("utf-8").split("\n")
    for value, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        line = lines[value.lineno - 1].encode()
        new = text.encode("ascii", "backslashreplace")
        lines[value.lineno - 1] = (line[: value.col_offset] + new + line[value.end_col_offset :]).decode()
    return "\n".join(lines).encode()
