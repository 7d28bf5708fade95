"""Where a test that must fail lies for each runner, and how it is named to it."""

from __future__ import annotations

import ast
from collections.abc import Callable

import numpy as np
import pytest

from bai.envs.grading.sentinel import make_sentinel
from bai.envs.repository.tree import Entry, Tree
from bai.envs.tasks.repair import RepairTask, TestRun

Make = Callable[..., RepairTask]

FUNCTIONS = """from shop import discount, total


def test_discount():
    assert discount(200, 10) == 180


def test_total_of_nothing():
    assert total([]) == 0
"""
CLASSES = """import unittest
from shop import discount


class TestDiscount(unittest.TestCase):
    def test_discount(self):
        self.assertEqual(discount(200, 10), 180)
"""


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def make_tree(**files: str) -> Tree:
    return Tree({f"{path}.py": Entry(data=text.encode()) for path, text in files.items()})


def test_among_tests_that_must_pass(make_repair: Make) -> None:
    """In a file and a scope of theirs; the command is the task's own."""
    files = {"tests/test_discount": FUNCTIONS + CLASSES, "tests/test_prices": FUNCTIONS}
    for seed in range(20):
        sentinel = make_sentinel(make_repair(), make_tree(**files), rng(seed))
        (path,) = sentinel.files
        assert path == "tests/test_discount.py"
        assert sentinel.targets == ("tests/test_discount.py", "tests/test_prices.py")
        names = [getattr(node, "name", "") for node in ast.parse(sentinel.files[path].data).body]
        assert sentinel.word in names


def test_named_where_tests_are_named(make_repair: Make) -> None:
    """Targets that are single tests get one more, anywhere among them."""
    names = ("test_discount", "test_total_of_nothing")
    run = TestRun(command="pytest", targets=tuple(f"tests/test_discount.py::{name}" for name in names))
    places = set()
    for seed in range(20):
        sentinel = make_sentinel(make_repair(run=run), make_tree(**{"tests/test_discount": FUNCTIONS}), rng(seed))
        places.add(sentinel.targets.index(f"tests/test_discount.py::{sentinel.word}"))
    assert places == {0, 1, 2}


@pytest.mark.parametrize(
    ("options", "settings", "stops"),
    [
        ("-x", "", True),
        ("-xvs", "", True),
        ("-qx --tb=short", "", True),
        ("--maxfail=1", "", True),
        ("", "[pytest]\naddopts = -ra\n    -x\n", True),
        ("", "[pytest]\naddopts: -x\n", True),
        ("", '[pytest]\naddopts = [\n"-ra",\n"-x",\n]\n', True),
        ("--sw", "", True),
        ("--stepwise", "", True),
        ("-o addopts=", "[pytest]\naddopts = -x\n", False),
        ("-rx -p no:xdist -n 2", "[pytest]\naddopts = -ra\n", False),
    ],
)
def test_a_runner_that_stops_meets_it_last(options: str, settings: str, stops: bool, make_repair: Make) -> None:
    """Else it would stop before the others; whether it does, its options say, or the project's settings."""
    run = TestRun(command=f"pytest {options}", targets=("tests/test_discount.py",))
    for name in ("pytest.ini", ".pytest.ini", "pytest.toml", "setup.cfg"):
        tree = make_tree(**{"tests/test_discount": FUNCTIONS}).changed({name: Entry(data=settings.encode())})
        sentinel = make_sentinel(make_repair(run=run), tree, rng(0))
        assert ("tests/test_discount.py" not in sentinel.files) is stops
        if stops:
            assert sentinel.targets == ("tests/test_discount.py", f"tests/{sentinel.word}.py")


@pytest.mark.parametrize(("before", "stops"), [("export PYTEST_ADDOPTS='-q -x'", True), ("set -x", False)])
def test_what_is_run_before_may_say_so_too(before: str, stops: bool, make_repair: Make) -> None:
    """In pytest's variable; the options of other commands are none of its."""
    run = TestRun(command="pytest", targets=("tests/test_discount.py",), before=(before,))
    sentinel = make_sentinel(make_repair(run=run), make_tree(**{"tests/test_discount": FUNCTIONS}), rng(0))
    assert ("tests/test_discount.py" not in sentinel.files) is stops


@pytest.mark.parametrize("options", ["-k 'discount and not slow'", "-kdiscount", "-vk discount", "-x -k discount"])
def test_a_selection_by_name_meets_it(options: str, make_repair: Make) -> None:
    """Its name holds that of a test which must pass, in a file of its own too."""
    run = TestRun(command=f"pytest {options}", targets=("tests/test_discount.py",))
    for head in ("", "pytestmark = []\n"):
        tree = make_tree(**{"tests/test_discount": head + FUNCTIONS})
        sentinel = make_sentinel(make_repair(run=run), tree, rng(0))
        assert sentinel.word.startswith("test_discount_")


def test_labels_of_djangos(make_repair: Make) -> None:
    """A method in the module of a label; or, where no class takes one, a module of its own beside it."""
    common = {"log_parser": "parse_log_django", "fail_to_pass": ("test_discount (shop.tests.TestDiscount)",)}
    task = make_repair(run=TestRun(command="./tests/runtests.py", targets=("shop.tests",)), **common)
    sentinel = make_sentinel(task, make_tree(**{"tests/shop/tests": CLASSES}), rng(0))
    assert list(sentinel.files) == ["tests/shop/tests.py"] and sentinel.targets == ("shop.tests",)
    apart = make_sentinel(task, make_tree(**{"tests/shop/tests": FUNCTIONS}), rng(0))
    assert set(apart.targets) == {"shop.tests", f"shop.{apart.word}"}
    (path,) = apart.files
    assert path == f"tests/shop/{apart.word}.py"
    assert b"SimpleTestCase" in apart.files[path].data


def test_files_of_sympys(make_repair: Make) -> None:
    """Tests named without their file; the planted one is a plain function, which needs no pytest."""
    path = "sympy/core/tests/test_shop.py"
    run = TestRun(command="bin/test -C --verbose", targets=(path,))
    task = make_repair(log_parser="parse_log_sympy", fail_to_pass=("test_discount",), run=run)
    sentinel = make_sentinel(task, make_tree(**{path.removesuffix(".py"): FUNCTIONS}), rng(0))
    assert list(sentinel.files) == [path] and sentinel.targets == (path,)
    assert b"pytest" not in sentinel.files[path].data
