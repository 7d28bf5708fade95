"""A test that must fail, put among the tests of a file so that it looks like one of them.

It stands where they do: among the functions of the file, or among the methods of a class of theirs. Its name is that of
another with some words changed. Where it can be, it is a copy of one of them that expects another value
(:mod:`bai.envs.grading.twins`). Else it uses what they use: a call that one of them compares with something is made
again, and whatever comes of it, the comparison it now stands in is false (:mod:`bai.envs.grading.falsehoods`).
"""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from bai.envs.grading.control import equated, parsed
from bai.envs.grading.falsehoods import comparison, condition, pick
from bai.envs.grading.places import Place, bound_names, find_places, is_test, lasting_names, names_in
from bai.envs.grading.twins import Twin, find_twin

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
_LINES = re.compile(r"lineno|linecache|getsource|currentframe|stacklevel|traceback|\", line \d|\.py:\d")
"""What tests have that look at numbers of lines, which one more test would move."""
_LONGEST = 100
"""Characters of a call and what it is compared with."""

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
    twin: str | None = None
    """Where it is a copy, the name of the test that it is a copy of; it fails where that one passes."""


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
    places = list(find_places(module))
    fixed = [place for place in places if wanted(*place.names)]
    if not fixed:
        return None
    owners = [place.owner for place in fixed]
    places = [place for place in places if place.owner in owners]
    taken = {*taken, source.decode()}
    name = _longer_name([place.test.name for place in fixed], rng, taken) if full_name else _name(module, rng, taken)
    lines = source.decode().split("\n")
    twin = _twin(places, fixed, lines, rng, repeatable)
    place = pick(rng, [place for place in places if twin is None or place.owner is twin.place.owner])
    added = twin.lines(lines, name) if twin else _made(place, name, lines, rng, repeatable)
    at = place.test.end_lineno
    text = "\n".join([*lines[:at], *([""] if place.owner else ["", ""]), *added, *lines[at:]])
    if parsed(text.encode()) is None or not _compiles(added):
        return None
    path = f"{place.owner.name}::{name}" if place.owner else name
    return Planted(word=name, path=path, source=text.encode(), twin=twin.place.test.name if twin else None)


def _twin(
    places: list[Place], fixed: list[Place], lines: list[str], rng: np.random.Generator, repeatable: Wanted
) -> Twin | None:
    """Draws a test to make a copy of, one of those that the new one has to stand among if it can be."""
    named = Counter((place.owner, place.test.name) for place in places)
    passing = [place for place in places if repeatable(*place.names) and named[place.owner, place.test.name] == 1]
    return find_twin(passing, lines, lambda place: place in fixed, rng)


def _made(place: Place, name: str, lines: list[str], rng: np.random.Generator, repeatable: Wanted) -> list[str]:
    """Gives a test in place of a copy of one."""
    margin = re.match(r"[ \t]*", lines[place.test.lineno - 1])
    assert margin is not None
    body = _body(place, rng, repeatable)
    head = f"def {name}({'self' if place.owner else ''}):"
    return [margin[0] + line for line in (head, *(f"    {line}" for line in body))]


def written(
    rng: np.random.Generator, taken: Collection[str], names: Sequence[str] = (), *, django: bool = False
) -> Planted:
    """Gives a file of one failing test, for where there is no other to put it beside.

    Args:
        rng: Draws the name and what is compared.
        taken: Names of other tests, or texts that hold them.
        names: If any, its name is one of these with words of theirs added.
        django: Whether it is a method of Django's simplest case, or a function.
    """
    name = _longer_name(names, rng, taken) if names else _name(None, rng, taken)
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


def _compiles(lines: list[str]) -> bool:
    """Whether code that can be parsed is also sound: ``await`` in a plain function, for one, is not."""
    try:
        compile("\n".join(["if True:", *(f" {line}" for line in lines)]), "planted", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


# Names.


def _name(module: ast.Module | None, rng: np.random.Generator, taken: Collection[str]) -> str:
    """Draws a name that is part of none that is taken: that of another test with some words changed.

    Most names have a word that no other has, often of something that the file speaks of; so one put in is mostly such.
    """
    tests = [node.name for node in ast.walk(module) if is_test(node)] if module else []
    own = _words(name.lower().split("_")[1:] for name in tests)
    said = [getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(module)] if module else []
    new = [word for word in _words(name.lower().split("_") for name in said) if len(word) > 2 and word not in own]
    tries = 0
    while True:
        words = str(pick(rng, tests)).split("_")[1:] if tests else [str(word) for word in rng.choice(_WORDS, 4)]
        for at in rng.permutation(len(words))[: 1 + int(rng.integers(len(words)))]:
            words[at] = str(pick(rng, pick(rng, [pool for pool in (own, new, new, _WORDS) if pool])))
        words += [str(word) for word in rng.choice(_WORDS, tries // 50)]  # all short names may be taken
        name = "_".join(["test", *words])
        if len(set(words)) == len(words) and not any(name in other for other in taken):
            return name
        tries += 1


def _words(names: Iterable[list[str]]) -> list[str]:
    return sorted({word for parts in names for word in parts if re.fullmatch("[a-z]+", word)})


def _longer_name(names: Sequence[str], rng: np.random.Generator, taken: Collection[str]) -> str:
    """Draws a name that what selects or leaves out tests by parts of their names treats as it does one of these."""
    words = sorted({word for name in names for word in name.split("_")[1:] if word})
    name = str(pick(rng, names))
    while any(name in other for other in taken):
        name += f"_{pick(rng, words) if words else 'again'}"
    return name


# What.


@dataclass(frozen=True)
class _Use:
    """A call that a test compares with something, both in code that any function of its file can run."""

    call: str
    equal: str


def _body(place: Place, rng: np.random.Generator, repeatable: Wanted) -> list[str]:
    uses = list(_uses(place.module, repeatable))
    owner = "self" if place.owner is not None and _is_unittests(place.owner) else None
    bound = set(bound_names(place.module))
    return _asserted(rng, pick(rng, uses) if uses else None, owner, _BUILTINS if "*" in bound else _BUILTINS & bound)


def _is_unittests(owner: ast.ClassDef) -> bool:
    return bool(owner.bases) and re.search(r"self\.assert(Equal|True)\(", ast.unparse(owner)) is not None


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
        if not any(node.id in rebound for node in names_in(ast.parse(code))):
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
    known = _BUILTINS | lasting_names(module)
    for place in find_places(module):
        test = place.test
        if test.decorator_list or not repeatable(place.owner.name if place.owner else None, test.name):
            continue
        own = {node.arg for node in ast.walk(test) if isinstance(node, ast.arg)}
        own |= {node.id for node in names_in(test) if isinstance(node.ctx, ast.Store)}
        for left, right in (pair for statement in test.body for pair in equated(statement)):
            names = {node.id for side in (left, right) for node in names_in(side)}
            use = _Use(_operand(left), _operand(right))
            if not isinstance(left, ast.Call) or _pauses(left) or _pauses(right):
                continue
            if names <= known - own and len(use.call + use.equal) <= _LONGEST:
                yield use


def _operand(side: ast.expr) -> str:
    """Code of what stands in a comparison, in parentheses where it needs them."""
    return ast.unparse(ast.Compare(ast.Name("_"), [ast.Eq()], [side])).removeprefix("_ == ")


def _pauses(node: ast.AST) -> bool:
    """Whether code runs in none but functions of its own kind: coroutines or generators."""
    kinds = (ast.Await, ast.Yield, ast.YieldFrom)
    return any(isinstance(inner, kinds) or getattr(inner, "is_async", 0) for inner in ast.walk(node))
