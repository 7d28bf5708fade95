"""A test that must fail among others: that it fails, whatever it is drawn to be, and that it looks like them."""

from __future__ import annotations

import ast
import builtins
import io
import re
import unittest
import warnings
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.falsehoods import comparison, condition
from bai.envs.grading.planting import Planted, plant, written

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
FUNCTIONS = """from shop import discount, total

RATE = 3


def test_discount():
    assert discount(200, 10) == 9 * 20
    assert discount(50, RATE) == None


def test_total_of_nothing(answer=5):
    got = total([])
    assert got == 0 and total([1, answer]) == 6
"""
CLASSES = """import unittest
from shop import discount


class TestDiscount(unittest.TestCase):
    def setUp(self):
        self.price = 200

    def test_discount(self):
        self.assertEqual(discount(self.price, 10), 180)
        self.assertEqual(discount(200, 10), 180)
"""
VALUES: list[Any] = [0, None, float("nan"), "x", [], {}, ANY, np.zeros(3), NotImplemented, ValueError]
seeds = st.integers(0, 2**32)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def anywhere(owner: str | None, name: str) -> bool:
    return True


def planted(source: str, seed: int, taken: tuple[str, ...] = ()) -> Planted:
    found = plant(source.encode(), rng(seed), taken, wanted=anywhere, repeatable=anywhere)
    assert found is not None
    return found


def loaded(source: str, value: Any) -> dict[str, Any]:
    """A module's names, its shop one where everything comes to a value."""
    text = re.sub(r"^from shop import .*$", "", source, flags=re.MULTILINE)
    names: dict[str, Any] = {"__name__": "planted", "discount": lambda *_: value, "total": lambda *_: value}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(text, "test_shop.py", "exec"), names)
    return names


@given(seed=seeds)
def test_every_comparison_is_false(seed: int) -> None:
    """In every form that is drawn, on this Python, and without a warning."""
    draws = rng(seed)
    left, right = comparison(draws, WORDS)
    for said in (f"{left} == {right}", condition(draws, WORDS)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert eval(said) is False, said


@given(seed=seeds, value=st.sampled_from(VALUES))
def test_a_planted_function_fails(seed: int, value: Any) -> None:
    """Whatever the calls in it come to, NaN and what equals everything among them."""
    found = planted(FUNCTIONS, seed)
    with pytest.raises((AssertionError, ValueError)):  # numpy's arrays have no truth
        loaded(found.source.decode(), value)[found.path]()


class Everything:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@given(seed=seeds)
def test_it_fails_where_all_of_the_shop_equals_everything(seed: int) -> None:
    """It is false for the sake of what has nothing to do with the shop."""
    found = planted(FUNCTIONS, seed)
    with pytest.raises(AssertionError):
        loaded(found.source.decode(), Everything())[found.path]()


SHADOWS = {
    "from numpy import *": dir(builtins),
    "try:\n    from numpy import *\nexcept ImportError:\n    pass": dir(builtins),
    "from numpy import all, sum": ["all", "sum"],
    "if 1:\n    for sorted, (len, *max) in []: pass": ["sorted", "len", "max"],
    "def len(x): 0": ["len"],
}


@pytest.mark.parametrize("shadow", SHADOWS)
def test_what_a_file_has_rebound_is_not_used(shadow: str) -> None:
    """Numpy's functions of Python's names, or a file's own, do not make it pass."""
    for seed in range(100):
        found = planted(f"{shadow}\n\n\n{FUNCTIONS}", seed)
        (node,) = (n for n in ast.walk(ast.parse(found.source)) if getattr(n, "name", "") == found.word)
        assert not {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & set(SHADOWS[shadow])
        with pytest.raises(AssertionError):
            loaded(found.source.decode(), 0)[found.path]()


@given(seed=seeds)
def test_a_planted_method_fails(seed: int) -> None:
    """In a class of unittest's, beside methods that pass."""
    found = planted(CLASSES, seed)
    owner, _, name = found.path.partition("::")
    case = loaded(found.source.decode(), 180)[owner]
    result = unittest.TextTestRunner(stream=io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    assert result.testsRun == 2 and [str(test).split(" ")[0] for test, _ in result.failures] == [name]


@given(seed=seeds, source=st.sampled_from([FUNCTIONS, CLASSES]))
def test_all_else_stays_as_it_was(seed: int, source: str) -> None:
    """The file without the new test is the file; equal draws give equal files; its name is nowhere else."""
    found = planted(source, seed)
    assert found == planted(source, seed)
    tree = ast.parse(found.source)
    for scope in ast.walk(tree):
        if isinstance(scope, (ast.Module, ast.ClassDef)):
            scope.body = [node for node in scope.body if getattr(node, "name", "") != found.word]
    assert ast.dump(tree) == ast.dump(ast.parse(source))
    assert found.source.decode().count(found.word) == 1


def test_no_form_gives_it_away() -> None:
    """Its code has many shapes, all of which speak of what the others do; its name is as long as one of theirs."""
    shapes, words, theirs = set(), set(), 0
    for seed in range(300):
        found = planted(FUNCTIONS, seed)
        (node,) = (n for n in ast.walk(ast.parse(found.source)) if getattr(n, "name", "") == found.word)
        text = ast.unparse(node)
        shapes.add(re.sub(r"'[^']*'|\b(?!def|assert|in|for|is)[a-z_]+\b|\d+", "x", text))
        assert re.search(r"\b(discount|total)\(", text)
        words.add(len(found.word.split("_")) - 1)
        theirs += bool({"discount", "total", "of", "nothing"} & set(found.word.split("_")))
    assert len(shapes) > 60
    assert words == {1, 3}
    assert theirs > 150


@given(seed=seeds)
def test_a_name_is_part_of_no_other(seed: int) -> None:
    """Names that are taken are passed over."""
    first = planted(FUNCTIONS, seed)
    other = planted(FUNCTIONS, seed, (f"{first.word}_again",))
    assert other.word != first.word


@pytest.mark.parametrize(
    "source",
    [
        "def test_a(:\n",
        "x = 1\n",
        "pytestmark = pytest.mark.xfail\n\n\ndef test_a():\n    pass\n",
        "@pytest.mark.parametrize('x', [1])\nclass TestIt:\n    def test_a(self, x):\n        pass\n",
        "class TestIt:\n    pytestmark = []\n\n    def test_a(self):\n        pass\n",
        "class Base:\n    def test_a(self):\n        pass\n\n\nclass TestIt(Base):\n    x = 1\n",
        "class TestIt:\n    __test__ = False\n\n    def test_a(self):\n        pass\n",
        "class TestIt:\n    def __init__(self):\n        pass\n\n    def test_a(self):\n        pass\n",
        "import inspect\n\n\ndef test_a():\n    assert inspect.currentframe().f_lineno == 5\n",
        "import traceback\n\n\ndef test_a():\n    assert 'line 5' in traceback.format_exc()\n",
        "def pytest_generate_tests(metafunc):\n    pass\n\n\ndef test_a():\n    pass\n",
        "class TestIt:\n    def test_a(self):\n        pass\n\n\nclass TestIt:\n    def test_b(self):\n        pass\n",
        "\ufeffdef test_a():\n    pass\n",
    ],
)
def test_where_none_can_stand(source: str) -> None:
    """No test, no file to be read, marks for a scope, arguments made for each test, heirs, a name twice, or lines."""
    assert plant(source.encode(), rng(0), (), wanted=anywhere, repeatable=anywhere) is None


CALLS = """from itertools import count
from shop import discount, poll, total
import pytest

RATE, IDS, ITEMS = 3, count(1), []
LEAST = 1


def test_discount():
    assert discount(200, LEAST) == 180
    assert next(IDS) == 1
    assert total(ITEMS) == 0


@pytest.mark.skip
def test_poll():
    assert poll("x") == 1


def test_broken():
    assert poll("y") == 1
"""


def test_only_what_can_be_called_again_is_called() -> None:
    """Calls of tests that run, with names that stand for the same each time: nothing is used up, nothing waited for."""
    seen = set()
    for seed in range(200):
        found = plant(
            CALLS.encode(), rng(seed), (), wanted=anywhere, repeatable=lambda owner, name: name != "test_broken"
        )
        assert found is not None
        (node,) = (n for n in ast.walk(ast.parse(found.source)) if getattr(n, "name", "") == found.word)
        seen |= set(re.findall(r"\b(discount|poll|next|ITEMS)\b", ast.unparse(node)))
    assert seen == {"discount"}


AWAITS = """import unittest
from shop import discount, total


async def later(price):
    return price


class TestDiscount(unittest.IsolatedAsyncioTestCase):
    async def test_discount(self):
        self.assertEqual(discount(await later(200), 10), 180)
        self.assertEqual(total([price async for price in later()]), 3)


def test_plain():
    assert discount(50, 0) == (lambda: 50)
    assert discount(50, 0) == (1 if discount else 2)
"""


@given(seed=seeds)
def test_what_only_some_functions_may_hold_is_not_called(seed: int) -> None:
    """A coroutine's code stays in coroutines; what takes parentheses in a comparison gets them: the file compiles."""
    found = planted(AWAITS, seed)
    compile(found.source, "test_shop.py", "exec", dont_inherit=True)
    (node,) = (n for n in ast.walk(ast.parse(found.source)) if getattr(n, "name", "") == found.word)
    assert "discount(50, 0)" in ast.unparse(node)


def test_only_what_is_unittests_uses_its_assertions() -> None:
    """A plain class with an assertion of its own has no other."""
    plain = "class TestIt:\n    def test_a(self):\n        self.assert_ok(3)\n"
    for seed in range(20):
        assert "self.assertEqual" not in planted(plain, seed).source.decode()


@pytest.mark.parametrize(("selection", "kept"), [("discount", True), ("not of", True), ("total", False)])
def test_a_full_name_is_selected_as_theirs_are(selection: str, kept: bool) -> None:
    """What selects by parts of names, or leaves out, treats it as the test it stands beside."""
    excluded = selection.removeprefix("not ")
    for seed in range(50):
        found = plant(
            FUNCTIONS.encode(),
            rng(seed),
            (),
            wanted=lambda owner, name: name == "test_discount",
            repeatable=anywhere,
            full_name=True,
        )
        assert found is not None and found.source.decode().count(found.word) == 1
        assert ((excluded in found.word) != selection.startswith("not ")) is kept


@given(seed=seeds, django=st.booleans())
def test_a_file_of_its_own_fails_too(seed: int, django: bool) -> None:
    """A function, or a method of Django's simplest case."""
    found = written(rng(seed), (), django=django)
    text = found.source.decode().replace("from django.test import SimpleTestCase", "from unittest import TestCase")
    names: dict[str, Any] = {}
    exec(compile(text.replace("SimpleTestCase", "TestCase"), "test_x.py", "exec"), names)
    owner, _, name = found.path.rpartition("::")
    with pytest.raises(AssertionError):
        getattr(names[owner](name), name)() if owner else names[name]()
