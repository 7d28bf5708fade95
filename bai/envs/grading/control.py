"""The tests that a repair makes pass, once more without what they expect.

A candidate's code runs in the process of its tests. It can print their results itself, or return an object that equals
everything; a test that is known to be bound to fail can be told from the others and left to fail. So where a run
resolves a task, some of its tests are run again in copies of their files that lack what they expect. In place of a
comparison stands a call that tells what was to be compared, in place of an expected exception one that tells which was
raised; whether that is right is decided outside. A copy is the same whatever its tests expect, so no rule over it finds
out: code that tells the right values has worked them out, or knew them.
"""

from __future__ import annotations

import ast
import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from bai.envs.grading.places import Function
from bai.envs.grading.told import TELLS, exceptions_of, expected_exception, right
from bai.envs.repository.tree import Entry, Tree
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.swebench_parsers import PYTEST_PARSERS

__all__ = ["Control", "equated", "is_literal", "make_control", "parsed"]

MOST_REPAIRED, MOST_KEPT = 8, 32
"""Tests that are run again, of those that a repair makes pass and of those that have to keep passing."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_EQUALITIES = frozenset({"assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual"})

_Named: TypeAlias = tuple[str, str]
"""A test's file, and the names that lead to it there, joined as pytest does."""
_Parameters: TypeAlias = dict[str, list[tuple[list[ast.expr], int]]]
"""For each parameter of a test the lists, and places in them, that its values are at."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Copies of test files that tell what their tests compare, and what that has to be."""

    files: Mapping[str, Entry]
    """What is put into the tree."""
    originals: frozenset[str]
    """Files that were copied; they must not be there as the tests have them, for they hold what is expected."""
    targets: tuple[str, ...]
    """What is added to the test command."""
    records: tuple[str, ...]
    """Files that the run writes, whose lines tell the values."""
    word: str
    """What these lines begin with."""
    expected: Mapping[int, object] = field(repr=False)
    """For each value the right one, or the exception that is."""

    def right(self, output: str) -> frozenset[int]:
        """Gives the values that a run told rightly; all of :attr:`expected` should be."""
        return right(self.word, output, self.expected)


def make_control(task: RepairTask, tested: Tree, rng: np.random.Generator) -> Control | None:
    """Makes copies of a task's tests without what they expect.

    Args:
        task: Its tests are looked at; only pytest's can be run by their names.
        tested: The tree with the trusted tests.
        rng: Draws which tests, and names.

    Returns:
        The control; None where no test compares anything with a literal or expects an exception.
    """
    if task.log_parser not in PYTEST_PARSERS:
        return None
    modules: dict[str, ast.Module | None] = {}
    repaired = _drawn(_expecting(task.fail_to_pass, tested, modules), MOST_REPAIRED, rng)
    kept = _drawn(_expecting(task.pass_to_pass, tested, modules), MOST_KEPT, rng)
    chosen = list(dict.fromkeys([*repaired, *kept]))
    return _assemble(chosen, tested, rng) if chosen else None


def _drawn(tests: Iterable[_Named], most: int, rng: np.random.Generator) -> list[_Named]:
    found = list(tests)
    return [found[int(index)] for index in rng.permutation(len(found))[:most]]


def _named(tests: Iterable[str]) -> Iterator[_Named]:
    """Gives each test once, whatever its parameters."""
    parts = (test.partition("::") for test in tests)
    yield from dict.fromkeys((path, name.partition("[")[0]) for path, _, name in parts)


def _expecting(tests: Iterable[str], tested: Tree, modules: dict[str, ast.Module | None]) -> Iterator[_Named]:
    """Gives those tests that expect what can be withheld."""
    for path, name in _named(tests):
        if not path.endswith(".py") or path not in tested:
            continue
        if path not in modules:
            modules[path] = parsed(tested[path].data)
        module = modules[path]
        function = _find(module, name.split("::")) if module else None
        withholding = _Withholding("")
        if function and withholding.body_of(function) and withholding.expected:
            yield path, name


def parsed(source: bytes) -> ast.Module | None:
    """Parses a file whose literals can be found by line and column: UTF-8 with the usual ends of lines."""
    if source.startswith(b"\xef\xbb\xbf") or b"\r" in source.replace(b"\r\n", b"\n") or b"\f" in source:
        return None
    try:
        source.decode("utf-8")
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _find(within: ast.Module | ast.ClassDef, names: list[str]) -> Function | None:
    for node in within.body:
        if isinstance(node, ast.ClassDef) and node.name == names[0] and len(names) > 1:
            return _find(node, names[1:])
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and [node.name] == names:
            return node
    return None


def equated(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Gives the pairs that a statement of a test holds to be equal."""
    for part in _conditions(statement):
        if (pair := _pair(part)) is not None:
            yield pair


def _conditions(statement: ast.stmt) -> list[ast.expr]:
    """What a statement of a test asserts, part by part."""
    if isinstance(statement, ast.Assert):
        test = statement.test
        return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    return [statement.value] if isinstance(statement, ast.Expr) else []


def _pair(part: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    if isinstance(part, ast.Compare) and len(part.ops) == 1 and isinstance(part.ops[0], ast.Eq):
        return part.left, part.comparators[0]
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in _EQUALITIES:
        return (part.args[0], part.args[1]) if len(part.args) > 1 else None
    return None


class _Withholding:
    """Takes out of tests what they expect.

    Args:
        word: Name of the function that tells values, see :data:`TELLS`.
    """

    def __init__(self, word: str) -> None:
        self._word = word
        self.expected: dict[int, object] = {}
        """What was taken out: a literal's value or the name of an exception."""
        self.raised: set[int] = set()
        """Which of them are exceptions."""

    def body_of(self, function: Function) -> list[ast.stmt]:
        """Gives a test's statements without what it expects, where it comes to that in any case.

        Where that is a parameter of the test, its values in the decorator become numbers.
        """
        body: list[ast.stmt] = []
        parameters = _parameters(function)
        for at, statement in enumerate(function.body):
            if any(isinstance(node, ast.Return) for node in ast.walk(statement)):
                return [*body, *function.body[at:]]
            body.extend(self._without(statement, parameters))
        return body

    def _without(self, statement: ast.stmt, parameters: _Parameters) -> list[ast.stmt]:
        if isinstance(statement, ast.With) and (name := _exception(statement)) is not None:
            self.raised.add(len(self.expected))
            item = ast.withitem(context_expr=self._call("_raised", self._take_out(name)))
            return [ast.With(items=[item], body=statement.body)]
        parts = _conditions(statement)
        told = [self._telling(part, parameters) for part in parts]
        if not any(told):
            return [statement]
        return [ast.Expr(call) if call else ast.Assert(test=part) for part, call in zip(parts, told, strict=True)]

    def _telling(self, part: ast.expr, parameters: _Parameters) -> ast.Call | None:
        """Gives what stands in place of a comparison with something that can be withheld."""
        one, other = _pair(part) or (None, None)
        if one is None or other is None or (is_literal(one) and is_literal(other)):
            return None
        for told, expected in ((one, other), (other, one)):
            if is_literal(expected):
                return self._call("", self._take_out(ast.literal_eval(expected)), told)
            if isinstance(expected, ast.Name) and expected.id in parameters:
                for row, column in parameters[expected.id]:
                    row[column] = self._take_out(ast.literal_eval(row[column]))
                return self._call("", expected, told)
        return None

    def _take_out(self, expected: object) -> ast.expr:
        number = len(self.expected)
        self.expected[number] = expected
        return ast.Constant(number)

    def _call(self, which: str, *arguments: ast.expr) -> ast.Call:
        return ast.Call(func=ast.Name(id=self._word + which), args=list(arguments), keywords=[])


def _parameters(function: Function) -> _Parameters:
    """Gives the parameters that have literals for values and stand at one place in a test, with where their values are.

    Only of a test that has one list of parameters, in which each row is written out.
    """
    lists = [
        one.args
        for one in function.decorator_list
        if isinstance(one, ast.Call) and ast.unparse(one.func).endswith("mark.parametrize")
    ]
    if len(lists) != 1 or len(lists[0]) != 2 or not all(map(is_literal, lists[0])):
        return {}
    names, rows = ast.literal_eval(lists[0][0]), lists[0][1]
    names = tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)
    if not isinstance(rows, (ast.List, ast.Tuple)):
        return {}
    used = Counter(node.id for one in function.body for node in ast.walk(one) if isinstance(node, ast.Name))
    if len(names) == 1:
        places = {names[0]: [(rows.elts, at) for at in range(len(rows.elts))]}
    else:
        lists_of = [row.elts for row in rows.elts if isinstance(row, (ast.List, ast.Tuple))]
        whole = len(lists_of) == len(rows.elts) and all(len(row) == len(names) for row in lists_of)
        places = {name: [(row, at) for row in lists_of] for at, name in enumerate(names) if whole}
    return {name: found for name, found in places.items() if used[name] == 1}


def _exception(statement: ast.With) -> str | None:
    """Names the exception that a statement expects, where nothing else is asked of it."""
    call = statement.items[0].context_expr
    if len(statement.items) > 1 or statement.items[0].optional_vars or not isinstance(call, ast.Call):
        return None
    if not ast.unparse(call.func).endswith(("raises", "assertRaises")) or len(call.args) != 1:
        return None
    return ast.unparse(call.args[0]).split(".")[-1] if isinstance(call.args[0], (ast.Name, ast.Attribute)) else None


def is_literal(side: ast.expr) -> bool:
    """Whether an expression is a value that is written out."""
    try:
        ast.literal_eval(side)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _assemble(chosen: list[_Named], tested: Tree, rng: np.random.Generator) -> Control:
    word = _drawn_word(rng)
    withholding, files, places = _Withholding(word), {}, {}
    for path in sorted({path for path, _ in chosen}):
        module = parsed(tested[path].data)
        assert module is not None
        _rewrite(module, {tuple(name.split("::")) for other, name in chosen if other == path}, withholding, ())
        places[path] = posixpath.join(posixpath.dirname(path), f"test_{_drawn_word(rng)}.py")
        source = ast.unparse(ast.fix_missing_locations(module)) + TELLS.format(word=word)
        files[places[path]] = Entry(data=source.encode())
    order, bases = rng.permutation(len(chosen)), exceptions_of(tested) if withholding.raised else {}
    return Control(
        files=files,
        originals=frozenset(places),
        targets=tuple(f"{places[chosen[int(at)][0]]}::{chosen[int(at)][1]}" for at in order),
        records=tuple(f"{place}.{word}" for place in files),
        word=word,
        expected={
            number: expected_exception(str(value), bases) if number in withholding.raised else value
            for number, value in withholding.expected.items()
        },
    )


def _rewrite(
    owner: ast.Module | ast.ClassDef,
    chosen: Collection[tuple[str, ...]],
    withholding: _Withholding,
    above: tuple[str, ...],
) -> None:
    """Takes out of a file what its chosen tests expect, and all other tests, which may expect the same.

    Args:
        owner: The file or a class in it; it is changed.
        chosen: Names that lead to the chosen tests.
        withholding: What takes out, and keeps, what is expected.
        above: Names of the classes that the owner stands in, and its own.
    """
    body: list[ast.stmt] = []
    for node in owner.body:
        if isinstance(node, ast.ClassDef):
            _rewrite(node, chosen, withholding, (*above, node.name))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if (*above, node.name) in chosen:
                node.body = withholding.body_of(node)
            elif node.name.startswith("test"):
                continue
        body.append(node)
    owner.body = body or [ast.Pass()]


def _drawn_word(rng: np.random.Generator) -> str:
    return "".join(_LETTERS[int(index)] for index in rng.integers(len(_LETTERS), size=12))
