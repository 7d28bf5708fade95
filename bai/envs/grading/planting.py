"""A test that must fail, put among the tests of a file so that it looks like one of them.

It stands where they do: among the functions of the file, or among the methods of a class of theirs. Its name is made of
words that their names have. It uses what they use: a call that one of them compares with something is made again, and
whatever comes of it, the comparison it now stands in is false (:mod:`bai.envs.grading.falsehoods`).
"""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

import numpy as np

from bai.envs.grading.control import equated, parsed
from bai.envs.grading.falsehoods import comparison, condition, pick

__all__ = ["Planted", "Wanted", "plant", "written"]

_WORDS = """
after all and any as at basic before both by case cases default each empty equal first for from given handles has in
input invalid is items keeps large last left like list many missing more name nested new no none not of on one only
order other output over plain raises repeated result returns right same several short simple single size small some
sorted string text that to twice two type unchanged under used value valid when with without
""".split()  # noqa: SIM905 - so many words read better so
"""What names of tests are made of anywhere."""
_LOCALS = (
    "actual",
    "answer",
    "current",
    "data",
    "expected",
    "found",
    "got",
    "item",
    "left",
    "outcome",
    "result",
    "value",
)
_BUILTINS = frozenset(dir(builtins))
_LINES = re.compile(r"lineno|linecache|getsource|currentframe|stacklevel")
"""What tests have that look at numbers of lines, which one more test would move."""
_LONGEST = 100
"""Characters of a call and what it is compared with."""

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Wanted: TypeAlias = Callable[[str | None, str], bool]
"""Whether a test may have another among those it stands with, by its class's name, or None, and its own."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A file with one test more."""

    word: str
    """The name of that test, which is part of no other's."""
    path: str
    """Names that lead to it, joined as pytest does."""
    source: bytes


@dataclass(frozen=True)
class _Place:
    """A test beside which another may stand."""

    owner: ast.ClassDef | None
    test: _Function
    module: ast.Module


def plant(
    source: bytes,
    rng: np.random.Generator,
    taken: Collection[str],
    *,
    wanted: Wanted,
    repeatable: Wanted,
    full_name: bool = False,
) -> Planted | None:
    """Puts a failing test among others.

    Args:
        source: A file of tests.
        rng: Draws the place, the name and what is compared.
        taken: Names of other tests, or texts that hold them.
        wanted: Among which tests it may stand.
        repeatable: Which tests run and come to their end, so that what they call may be called again.
        full_name: Whether its name is that of one of those it may stand among with words of theirs added, for
            commands that select tests by their names.

    Returns:
        The file; None where there is no such test, or one more beside it might be skipped, or might need arguments,
        or might disturb tests that look at the lines they stand in.
    """
    module = parsed(source)
    if module is None or _LINES.search(source.decode()):
        return None
    places = list(_places(module))
    fixed = [place for place in places if wanted(place.owner.name if place.owner else None, place.test.name)]
    if not fixed:
        return None
    owners = [place.owner for place in fixed]
    place = pick(rng, [place for place in places if place.owner in owners])
    taken = {*taken, source.decode()}
    name = _longer_name(fixed, rng, taken) if full_name else _name(module, rng, taken)
    lines = source.decode().split("\n")
    margin = re.match(r"[ \t]*", lines[place.test.lineno - 1])
    assert margin is not None and place.test.end_lineno is not None
    body = _body(place, rng, repeatable)
    head = f"def {name}({'self' if place.owner else ''}):"
    added = "\n".join([margin[0] + line for line in (head, *(f"    {line}" for line in body))])
    gap = [""] if place.owner else ["", ""]
    at = place.test.end_lineno
    text = "\n".join([*lines[:at], *gap, added, *lines[at:]])
    if parsed(text.encode()) is None:
        return None
    path = f"{place.owner.name}::{name}" if place.owner else name
    return Planted(word=name, path=path, source=text.encode())


def written(rng: np.random.Generator, taken: Collection[str], *, django: bool = False) -> Planted:
    """Gives a file of one failing test, for where there is no other to put it beside."""
    name = _name(None, rng, taken)
    if not django:
        lines = [f"def {name}():", *(f"    {line}" for line in _asserted(rng, None, None))]
        return Planted(word=name, path=name, source=("\n".join(lines) + "\n").encode())
    title = "".join(word.title() for word in name.split("_")[1:]) + "Tests"
    head = [
        "from django.test import SimpleTestCase",
        "",
        "",
        f"class {title}(SimpleTestCase):",
        f"    def {name}(self):",
    ]
    lines = [*head, *(f"        {line}" for line in _asserted(rng, None, "self"))]
    return Planted(word=name, path=f"{title}::{name}", source=("\n".join(lines) + "\n").encode())


# Where.


def _places(module: ast.Module) -> Iterator[_Place]:
    if _marks(module):
        return
    bases = {ast.unparse(base) for node in module.body if isinstance(node, ast.ClassDef) for base in node.bases}
    for node in module.body:
        if _is_test(node):
            yield _Place(None, node, module)
        elif isinstance(node, ast.ClassDef) and not node.decorator_list and not _marks(node) and node.name not in bases:
            yield from (_Place(node, inner, module) for inner in node.body if _is_test(inner))


def _marks(scope: ast.Module | ast.ClassDef) -> bool:
    """Whether something is said of all tests of a scope: to skip them, to let them fail, or that they are none."""
    given = [ast.unparse(node) for node in scope.body if isinstance(node, (ast.Assign, ast.AnnAssign))]
    made = any(isinstance(node, ast.FunctionDef) and node.name == "__init__" for node in scope.body)
    return made or any("pytestmark" in text or "__test__" in text for text in given)


def _is_test(node: ast.AST) -> TypeGuard[_Function]:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")


def _name(module: ast.Module | None, rng: np.random.Generator, taken: Collection[str]) -> str:
    """Draws a name that is part of none that is taken."""
    tests = [node.name for node in ast.walk(module) if _is_test(node)] if module else []
    own = sorted({word for name in tests for word in name.lower().split("_")[1:] if re.fullmatch("[a-z]+", word)})
    while True:
        chosen = dict.fromkeys([str(pick(rng, own))] if own else [])
        while len(chosen) < 4:
            chosen[str(pick(rng, own if own and rng.integers(3) == 0 else _WORDS))] = None
        name = "test_" + "_".join(str(word) for word in rng.permutation(list(chosen)))
        if not any(name in other for other in taken):
            return name


def _longer_name(fixed: list[_Place], rng: np.random.Generator, taken: Collection[str]) -> str:
    """Draws a name that what selects or leaves out tests by parts of their names treats as it does one of these."""
    words = sorted({word for place in fixed for word in place.test.name.split("_")[1:] if word})
    name = str(pick(rng, fixed).test.name)
    while any(name in other for other in taken):
        name += f"_{pick(rng, words) if words else 'again'}"
    return name


# What.


@dataclass(frozen=True)
class _Use:
    """A call that a test compares with something, both in code that any function of its file can run."""

    call: str
    equal: str


def _body(place: _Place, rng: np.random.Generator, repeatable: Wanted) -> list[str]:
    uses = list(_uses(place.module, repeatable))
    owner = "self" if place.owner is not None and "self.assert" in ast.unparse(place.owner) else None
    bound = set(_bound(place.module))
    return _asserted(rng, pick(rng, uses) if uses else None, owner, _BUILTINS if "*" in bound else _BUILTINS & bound)


def _asserted(
    rng: np.random.Generator, use: _Use | None, owner: str | None, rebound: Collection[str] = ()
) -> list[str]:
    """Gives statements that fail, whatever a call comes to, and whatever functions of Python's a file has rebound."""
    words = [str(word) for word in rng.choice(_WORDS, size=8, replace=False)]
    sound = [_equal(use.call, use.equal, owner)] if use is not None else []
    if rng.integers(5) == 0:
        said = _without(rebound, lambda: condition(rng, words))
        return [*sound, f"self.assertTrue({said})" if owner else f"assert {said}"]
    left, right = _without(rebound, lambda: " == ".join(comparison(rng, words))).split(" == ")
    taken = use.call + use.equal if use is not None else ""
    free = [name for name in _LOCALS if not re.search(rf"\b{name}\b", taken)]
    first, second = (str(name) for name in rng.choice(free, size=2, replace=False))
    before: list[str] = []
    if use is not None and rng.integers(4) == 0:
        before = sound
    elif use is not None:
        call = use.call
        if rng.integers(2):
            before, call = [f"{first} = {call}"], first
        left, right = _together(rng, (call, left), (use.equal, right), words)
    if rng.integers(2):
        before, left = [*before, f"{second} = {left}"], second
    return [*before, _equal(left, right, owner)]


def _without(rebound: Collection[str], draw: Callable[[], str]) -> str:
    """Draws code until it has none of some names in it: numpy's ``all``, for one, takes every generator for true."""
    while True:
        code = draw()
        if not any(node.id in rebound for node in _names(ast.parse(code))):
            return code


def _equal(left: str, right: str, owner: str | None) -> str:
    return f"self.assertEqual({left}, {right})" if owner else f"assert {left} == {right}"


def _together(
    rng: np.random.Generator, left: tuple[str, str], right: tuple[str, str], words: list[str]
) -> tuple[str, str]:
    """Puts two values into one on either side: unequal because the second ones are."""
    (a, b), (c, d), one, other = left, right, words[0], words[1]
    forms = [
        (f"({a}, {b})", f"({c}, {d})"),
        (f"[{b}, {a}]", f"[{d}, {c}]"),
        (f"{{{one!r}: {a}, {other!r}: {b}}}", f"{{{one!r}: {c}, {other!r}: {d}}}"),
    ]
    return forms[int(rng.integers(len(forms)))]


def _uses(module: ast.Module, repeatable: Wanted) -> Iterator[_Use]:
    known = _BUILTINS | _lasting(module)
    for place in _places(module):
        test = place.test
        if test.decorator_list or not repeatable(place.owner.name if place.owner else None, test.name):
            continue
        own = {node.arg for node in ast.walk(test) if isinstance(node, ast.arg)}
        own |= {node.id for node in _names(test) if isinstance(node.ctx, ast.Store)}
        for left, right in (pair for statement in test.body for pair in equated(statement)):
            names = {node.id for side in (left, right) for node in _names(side)}
            use = _Use(ast.unparse(left), ast.unparse(right))
            if isinstance(left, ast.Call) and names <= known - own and len(use.call + use.equal) <= _LONGEST:
                yield use


def _names(node: ast.AST) -> Iterator[ast.Name]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Name))


def _bound(module: ast.Module) -> Iterator[str]:
    """Names that all functions of a module see, once for each time they are bound; ``*`` for all of another's."""
    for node in _outside(module):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _outside(node: ast.AST) -> Iterator[ast.AST]:
    """Gives what is in a module and in no function or class of it."""
    for inner in ast.iter_child_nodes(node):
        yield inner
        if not isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _outside(inner)


def _lasting(module: ast.Module) -> set[str]:
    """Names of a module that stand for the same however often they are used: what it imports, defines, or holds fixed.

    Any other variable, such as an iterator, may be used up by one use more.
    """
    stored = {node.id for node in _outside(module) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found = Counter(_bound(module))
    fixed = {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign) and _is_fixed(node.value)
        for target in node.targets
        if isinstance(target, ast.Name) and found[target.id] == 1
    }
    return (set(found) - stored) | fixed


def _is_fixed(value: ast.expr) -> bool:
    try:
        hash(ast.literal_eval(value))
    except (TypeError, ValueError):
        return False
    return True
