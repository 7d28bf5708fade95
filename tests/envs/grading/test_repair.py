"""The judge of repairs: what is judged, what is taken out, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bai.envs.grading.repair import RepairGrader
from bai.envs.machines.workshop import LocalWorkshop
from bai.envs.repository.patch import apply_patch, make_patch, parse_patch
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox.base import MIB, Limits
from bai.envs.tasks.repair import RepairTask
from bai.errors import SandboxDied

Make = Callable[..., RepairTask]

LIMITS = Limits(wall_s=60.0, memory_bytes=512 * MIB, output_bytes=MIB, disk_bytes=64 * MIB)


@pytest.fixture
def workshop(fast_backend: str, machines_cache: Path) -> LocalWorkshop:
    return LocalWorkshop(sandbox=fast_backend, cache_dir=machines_cache)


@pytest.fixture
def grader(workshop: LocalWorkshop) -> RepairGrader:
    return RepairGrader(workshop, limits=LIMITS)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


COUNTED = """from itertools import count

from shop.prices import discount

IDS = count(1)


def number():
    return next(IDS)


def test_discount(price=200):
    assert discount(price, 10) == 180


def test_first(wanted=1):
    assert number() == 1


def test_second(wanted=2):
    assert number() == 2
"""
"""Tests that one call more disturbs, and that are not copied, for they have arguments."""


class TestSecondLooks:
    """A test that must fail may disturb others; then another one is tried."""

    def task(self, make_repair: Make) -> RepairTask:
        path = "tests/test_discount.py"
        tree = make_repair(files={path: None})
        others = tuple(f"{path}::test_{name}" for name in ("first", "second"))
        patch = make_patch(Tree({}), Tree({path: Entry(data=COUNTED.encode())})).text
        return replace(tree, test_patch=patch, pass_to_pass=others)

    def test_a_sound_change_is_not_failed_by_a_call(self, workshop: LocalWorkshop, make_repair: Make) -> None:
        """In a file whose counter a call of the planted test uses up, one look of several fails, and two do not."""
        task = self.task(make_repair)
        found = {}
        for looks in (False, True):
            grader = RepairGrader(workshop, limits=LIMITS, second_look=looks)
            found[looks] = [grader.grade_patch(task, task.patch, rng=rng(seed)).verdict.status for seed in range(6)]
        assert "failed" in found[False]
        assert found[True].count("failed") < found[False].count("failed")

    def test_a_change_that_breaks_others_fails_still(
        self, grader: RepairGrader, workshop: LocalWorkshop, make_repair: Make
    ) -> None:
        """Both looks find what it broke."""
        task = make_repair()
        sound = apply_patch(workshop.tree(task), parse_patch(task.patch))["shop/prices.py"].data
        broken = Entry(data=sound.replace(b"sum(prices) + shipping", b"0"))
        report = grader.grade(task, {"shop/prices.py": broken}, rng=rng())
        assert report.verdict.status == "failed" and "1 others broke" in (report.verdict.detail or "")


class TestPatches:
    """Answers that are patches."""

    @pytest.mark.parametrize(
        ("patch", "told"),
        [
            ("nothing like a patch", "refused"),
            ("--- a/no.py\n+++ b/no.py\n@@ -1 +1 @@\n-x\n+y\n", "refused"),
            ("diff --git a/shop/prices.py b/x.py\nrename from shop/prices.py\nrename to x.py\n", "refused"),
            ("diff --git a/x b/x\nnew file mode 100644\nGIT binary patch\nliteral 1\nIc${NkU|;|M00aO5\n\n", "refused"),
            ("--- a/big.py\n+++ b/big.py\n@@ -0,0 +1,5000000 @@\n" + "+x\n" * 5_000_000, "refused"),
            ("", "0 of 1 failing tests pass"),
            ("\n \n", "0 of 1 failing tests pass"),
        ],
        ids=["prose", "absent", "rename", "binary", "10 MB", "empty", "blank"],
    )
    def test_bad_ones_get_a_verdict(self, grader: RepairGrader, make_repair: Make, patch: str, told: str) -> None:
        """One sentence each, no score and no exception."""
        report = grader.grade_patch(make_repair(), patch, rng=rng())
        assert (report.verdict.status, report.verdict.score) == ("failed", 0.0)
        assert told in report.verdict.detail and "\n" not in report.verdict.detail

    @pytest.mark.parametrize("change", ["crlf", "no final newline"])
    def test_ends_of_lines(self, grader: RepairGrader, make_repair: Make, change: str) -> None:
        """A patch with CRLF, or without its last newline, is taken or refused with a sentence; it never raises."""
        task = make_repair()
        patch = task.patch.replace("\n", "\r\n") if change == "crlf" else task.patch.rstrip("\n")
        report = grader.grade_patch(task, patch, rng=rng())
        assert report.verdict.status in ("passed", "failed") and report.verdict.detail

    def test_the_gold_one_resolves(self, grader: RepairGrader, make_repair: Make) -> None:
        """Whatever the random names are; what was judged is told."""
        task = make_repair()
        for seed in range(3):
            report = grader.grade_patch(task, task.patch, rng=rng(seed))
            assert report.resolved, report
        assert parse_patch(report.patch) == parse_patch(task.patch)
        assert report.tests_s > 0 and report.seconds > report.tests_s


def test_other_repairs_than_the_gold_one_resolve(grader: RepairGrader, make_repair: Make) -> None:
    """What is asked of a repair is the behaviour."""
    task = make_repair()
    tree = grader._workshop.tree(task)
    other = tree.text("shop/prices.py").replace("price + price * percent // 100", "price - percent * price // 100")
    report = grader.grade(task, {"shop/prices.py": Entry(data=other.encode())}, rng=rng())
    assert report.resolved


def test_a_lost_machine_is_no_verdict(grader: RepairGrader, make_repair: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised."""

    def lose(*_: object) -> None:
        raise SandboxDied("gone")

    monkeypatch.setattr("bai.envs.machines.local.LocalMachine.make_sandbox", lose)
    with pytest.raises(SandboxDied):
        grader.grade_patch(make_repair(), "", rng=rng())
