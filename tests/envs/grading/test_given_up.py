"""Tests that give up count only where trusted files say that they may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bai.envs.grading.given_up import given_up
from bai.envs.grading.repair import RepairGrader
from bai.envs.machines.workshop import LocalWorkshop
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox.base import MIB, Limits
from bai.envs.tasks.repair import RepairTask

LIMITS = Limits(wall_s=60.0, memory_bytes=512 * MIB, output_bytes=MIB, disk_bytes=64 * MIB)
PATH = "tests/app/test_it.py"


@pytest.mark.parametrize("status", ["XFAIL", "SKIPPED"])
@pytest.mark.parametrize(
    ("source", "may"),
    [
        ("@pytest.mark.{}('later')\ndef test_a():\n    pass\n", True),
        ("def test_a():\n    pytest.{}('later')\n", True),
        ("pytestmark = pytest.mark.{}\n\ndef test_a():\n    pass\n", True),
        ("@{}\nclass TestIt:\n    def test_a(self):\n        pass\n", True),
        ("def test_a():\n    pass\n\n@pytest.mark.{}\ndef test_b():\n    pass\n", False),
        ("def test_b():\n    pytest.{}('later')\n\ndef test_a():\n    pass\n", False),
        ("def test_a(:\n    {}", True),
        ("def test_a():\n    pass\n", False),
    ],
)
def test_who_may_give_up(status: str, source: str, may: bool) -> None:
    """Those of which their own code, or what stands around tests in their file, speaks."""
    tree = Tree({PATH: Entry(data=source.format({"XFAIL": "xfail", "SKIPPED": "skipif"}[status]).encode())})
    for test in (f"{PATH}::test_a", f"{PATH}::test_a[x::y]", f"{PATH}::TestIt::test_a"):
        assert given_up({test: status, "b": "PASSED"}, tree, []) == (frozenset() if may else {test})


def test_names_without_files() -> None:
    """Django's and SymPy's tests may where any file of the task's tests says so, or a ``conftest.py`` above one."""
    tree = Tree(
        {PATH: Entry(data=b"@expectedFailure\n"), "conftest.py": Entry(data=b"skip\n"), "x.py": Entry(data=b"")}
    )
    statuses = {"test_a (app.tests.T)": "XFAIL", "test_b": "SKIPPED", "test_c": "FAILED"}
    assert given_up(statuses, tree, [PATH, "gone.py"]) == frozenset()
    assert given_up(statuses, tree, ["x.py"]) == {"test_a (app.tests.T)"}
    assert given_up(statuses, tree, []) == {"test_a (app.tests.T)", "test_b"}


GIVES_UP = """
def discount(price, percent):
    return {discount}


def total(prices, shipping=0):
    return {total}


def cheapest(prices):
    return min(prices)
"""
SOUND = {"discount": "price - price * percent // 100", "total": "sum(prices) + shipping"}


@pytest.mark.parametrize("how", ["__import__('pytest').xfail('later')", "__import__('pytest').skip('later')"])
@pytest.mark.parametrize("where", SOUND)
def test_a_candidate_cannot_give_up_in_a_tests_place(
    how: str, where: str, make_repair: Callable[..., RepairTask], fast_backend: str, machines_cache: Path
) -> None:
    """Neither in place of what has to be repaired nor of what has to be kept; the verdict tells."""
    grader = RepairGrader(LocalWorkshop(sandbox=fast_backend, cache_dir=machines_cache), limits=LIMITS)
    change = {"shop/prices.py": Entry(data=GIVES_UP.format(**{**SOUND, where: how}).encode())}
    report = grader.grade(make_repair(), change, rng=np.random.default_rng(3))
    assert not report.resolved
    if "xfail" in how and where == "total":
        assert "gave up" in (report.verdict.detail or "")
