"""Copies of tests that expect another value: they fail where those pass, and are made of tests that stand alone."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.planting import Planted, plant

TESTS = """from shop import Basket, discount

RATE = 3


def test_discount():
    assert discount(200, 10) == 180
    price, kept = 50, "x"
    assert discount(price, 100) == 0 and kept == "x", "all of it"


def test_basket_of_two():
    basket = Basket()
    basket.add("Tea bag", 2)
    assert basket.text() == "two tea bags" and basket.prices() == {"tea": 20, "bags": [7, 1]}


def test_basket_of_nothing():
    'Says nothing.'
    assert Basket().text() == "Nothing\\nmore"
    assert Basket().text() != "two"
"""

SHOP = """
def discount(price, percent):
    return price - price * percent // 100

class Basket:
    said = "Nothing\\nmore"

    def add(self, name, count):
        self.said = "two tea bags"

    def text(self):
        return self.said

    def prices(self):
        return {"tea": 20, "bags": [7, 1]}
"""
seeds = st.integers(0, 2**32)


def anywhere(owner: str | None, name: str) -> bool:
    return True


def planted(source: str, seed: int) -> Planted:
    found = plant(source.encode(), np.random.default_rng(seed), (), wanted=anywhere, repeatable=anywhere)
    assert found is not None
    return found


def run(source: str, shop: str = SHOP) -> dict[str, Any]:
    """Gives the names of a file of tests, the shop's put in place of what it imports."""
    names: dict[str, Any] = {}
    exec(compile(source.replace("from shop import Basket, discount", shop), "test_shop.py", "exec"), names)
    return names


def test_the_tests_are_what_is_said_here() -> None:
    """They pass."""
    names = run(TESTS)
    for name in [name for name in names if name.startswith("test_")]:
        names[name]()


@given(seed=seeds)
def test_a_copy_fails_where_its_test_passes(seed: int) -> None:
    """And every other test passes still, in whatever order."""
    found = planted(TESTS, seed)
    names = run(found.source.decode())
    assert found.twin in names
    for name in [name for name in names if name.startswith("test_")]:
        if name != found.word:
            names[name]()
    with pytest.raises(AssertionError):
        names[found.word]()


@given(seed=seeds)
def test_a_copy_differs_in_one_value(seed: int) -> None:
    """It has its test's lines and layout, but for the name and one number that is not the next, or one word."""
    found = planted(TESTS, seed)
    text = found.source.decode()
    nodes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    copy, test = (ast.get_source_segment(text, nodes[name]) for name in (found.word, str(found.twin)))
    assert copy is not None and test is not None
    changed = [pair for pair in zip(copy.split("\n")[1:], test.split("\n")[1:], strict=True) if pair[0] != pair[1]]
    assert len(changed) == 1
    first, second = (line.replace("\\n", " ").split() for line in changed[0])
    assert len([pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]]) == 1
    assert set("".join(first)) - set("".join(second)) <= set("abcdefghijklmnopqrstuvwxyzNT0123456789")


def test_what_equals_everything_passes_both() -> None:
    """Nothing in a copy is false by itself: it cannot be found with an object that equals everything."""
    anything = "from unittest.mock import ANY, MagicMock\ndiscount = lambda *_: ANY\n"
    anything += "Basket = lambda: MagicMock(text=lambda: ANY, prices=lambda: ANY)\n"
    for seed in range(20):
        found = planted(TESTS.replace('    assert Basket().text() != "two"\n', ""), seed)
        run(found.source.decode(), anything)[found.word]()


@pytest.mark.parametrize(
    "test",
    [
        "@mark\ndef test_a():\n    assert discount(200, 10) == 180\n",
        "def test_a(shop):\n    assert discount(200, 10) == 180\n",
        "async def test_a():\n    assert discount(200, 10) == 180\n",
        "def test_a():\n    yield\n    assert discount(200, 10) == 180\n",
        "def test_a():\n    if RATE:\n        return\n    assert discount(200, 10) == 180\n",
        "def test_a():\n    with RATE:\n        pass\n    assert discount(200, 10) == 180\n",
        "def test_a():\n    skip_without(RATE)\n    assert discount(200, 10) == 180\n",
        "def test_a():\n    assert discount(200, 10) == 180\n    assert discount(pytest.skip(), 10)\n",
        "def test_a():\n    discount.rate = 10\n    assert discount(200, 10) == 180\n",
        "def test_a():\n    discount(1, 1)\n    assert discount(200, 10) == 180\n",
        "def test_a():\n    assert approx(discount(200, 10)) == 180\n",
        "def test_a():\n    assert discount(ITEMS.pop(), 10) == 180\n",
        "def test_a():\n    assert discount(200, 10) == 0.1\n    assert discount(200, 10) == None\n",
        "def test_a():\n    assert 180 == 180\n",
        "def test_a():\n    assert 3 == 1\n\n\ndef test_a():\n    assert discount(200, 10) == RATE\n",
    ],
)
def test_what_no_copy_is_made_of(test: str) -> None:
    """Marks, arguments, branches, contexts, what ends early, what others see, what may be true of two values."""
    assert planted("ITEMS = [1]\nRATE = 3\n\n\n" + test, 0).twin is None


def test_one_of_those_that_must_pass_if_it_can_be() -> None:
    """Before the repair both of the pair fail then."""
    for seed in range(20):
        found = plant(
            TESTS.encode(),
            np.random.default_rng(seed),
            (),
            wanted=lambda owner, name: name == "test_discount",
            repeatable=anywhere,
        )
        assert found is not None and found.twin == "test_discount"
