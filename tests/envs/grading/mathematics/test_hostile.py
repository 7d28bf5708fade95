"""Nothing an agent says makes comparing it long, large or a fault of the machinery."""

from __future__ import annotations

import os
import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.mathematics.algebra import Algebra
from bai.envs.grading.mathematics.comparing import Comparer
from bai.envs.grading.mathematics.final import final_answer
from bai.envs.grading.mathematics.grader import MathGrader
from bai.envs.grading.mathematics.parser import read
from bai.envs.grading.mathematics.steps import MAX_STEPS, split_steps
from bai.envs.grading.mathematics.tree import KINDS, Node, Unreadable, number
from bai.envs.sandbox.base import MIB
from bai.envs.tasks.maths.task import MathTask

TASK = MathTask(task_id="t", prompt="What is $x + x$?", gold="2x")
FAILS = {
    "empty": "", "blank": " \n\t", "a NUL": "\\boxed{2\0x}", "right to left": "\\boxed{\u202ex2}",
    "digits of another script": "\\boxed{٢x}", "wide digits": "\\boxed{２x}", "a surrogate": "\\boxed{2x\udcff}",
    "a million digits": "\\boxed{" + "7" * 1_000_000 + "}", "a mebibyte of brackets": "(" * 1_048_576,
    "a mebibyte of boxes": "\\boxed{" * 149_000, "a mebibyte of words": "answer is " * 100_000,
    "a mebibyte of hashes": "####" * 262_144, "deep nesting": "\\boxed{" + "(" * 900 + "x" + ")" * 900 + "}",
    "deep roots": "\\boxed{" + "\\sqrt{" * 250 + "x" + "}" * 250 + "}", "many terms": "\\boxed{" + "x+" * 900 + "x}",
    "many factorials": "\\boxed{x" + "!" * 1900 + "}", "many signs": "\\boxed{" + "-" * 1900 + "x}",
    "a tower": "\\boxed{9^{9^{9^9}}}", "a tower in plain": "\\boxed{9^9^9^9}",
    "a symbol's tower": "\\boxed{x^{9^{9^9}}}",
    "a factorial": "\\boxed{(10^{10})!}", "a symbol's factorial": "\\boxed{(99999999)! x}",
    "a binomial": "\\boxed{\\binom{10^9}{10^8} x}", "a great power": "\\boxed{(x+1)^{1999}(x+2)^{1998}}",
    "division by zero": "\\boxed{x/0}", "zero to zero": "\\boxed{x 0^{-1}}",
    "code": "\\boxed{__import__('os').system('id')}",
    "an attribute": "\\boxed{x.__class__}", "a lambda": "\\boxed{(lambda: 1)()}",
    "many signs of both": "\\boxed{" + "x \\pm " * 300 + "x}",
    "a long list": "\\boxed{" + "x," * 900 + "x}", "infinity": "\\boxed{\\infty - \\infty + 2x}",
}  # fmt: skip


@pytest.fixture(scope="module")
def grader() -> MathGrader:
    return MathGrader(wall_s=10.0)


@pytest.mark.parametrize("solution", FAILS.values(), ids=FAILS.keys())
def test_whatever_is_said_is_a_wrong_answer_and_the_next_one_is_read(grader: MathGrader, solution: str) -> None:
    """A typed verdict with nothing earned; the right answer after it is right."""
    verdict = grader.grade(TASK, solution)
    assert verdict.score == 0.0
    assert verdict.status in ("failed", "timeout", "memory")
    assert len(verdict.detail) < 200
    assert verdict.detail.isascii()
    assert grader.grade(TASK, "\\boxed{2x}").status == "passed"


@given(st.text(max_size=200) | st.text("0123456789+-*/^_!%(){}[]|,=<>\\ .$&xyiepisqrtfrac", max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """The parser gives a tree of the kinds it names, or says why not; it raises nothing else."""
    try:
        tree = read(text)
    except Unreadable as error:
        assert str(error)
        return
    assert {node.kind for node in tree.nodes()} <= KINDS


@given(st.text("ab #$\\[]{}`~begind\n", max_size=300))
def test_any_text_has_steps_and_an_answer(text: str) -> None:
    """Steps are in order, not empty, and lose nothing but spaces; the answer is found or empty."""
    steps = split_steps(text)
    assert all(start < end for start, end in steps)
    assert [place for step in steps for place in step] == sorted(place for step in steps for place in step)
    assert "".join("".join(text[start:end].split()) for start, end in steps) == "".join(text.split())
    assert isinstance(final_answer(text), str)


def test_steps_are_bounded() -> None:
    """The last of the most steps goes on to the end."""
    text = "x\n" * 10_000
    steps = split_steps(text)
    assert len(steps) == MAX_STEPS
    assert steps[-1] == (2 * MAX_STEPS - 2, len(text) - 1)


SLOW = Node("power", (Node("add", tuple(Node("symbol", (), name) for name in "abcdefgh")), number("40")))
OTHER = Node("add", (SLOW, Node("negate", (Node("symbol", (), "z"),)), Node("symbol", (), "z")))
DEEP = Node("multiply", (OTHER, Node("add", (Node("symbol", (), "q"), number("1")))))
FLAT = Node("add", (Node("multiply", (SLOW, Node("symbol", (), "q"))), SLOW))


def test_a_comparison_that_takes_too_long_is_given_up() -> None:
    """A product of many terms, equal and endless to write out: ``timeout``, at about the limit, and the next works."""
    algebra = Algebra(wall_s=1.0)
    began = time.monotonic()
    assert algebra.compare(DEEP, FLAT).problem == "timeout"
    assert time.monotonic() - began < 30
    assert algebra.compare(number("4"), Node("power", (number("2"), number("2")))).equal


def test_a_comparison_that_takes_too_much_memory_is_given_up() -> None:
    """The same in an address space that sympy barely fits in is a finding as well."""
    assert Algebra(wall_s=60.0, memory=64 * MIB).compare(DEEP, FLAT).problem in ("memory", "crashed")
    assert Algebra().compare(number("4"), Node("power", (number("2"), number("2")))).equal


def test_a_process_that_was_killed_is_replaced() -> None:
    """What something else kills while it is idle costs nothing."""
    algebra = Algebra()
    algebra.ensure_works()
    for process in list(algebra._pool.all):
        os.kill(process._process.pid, signal.SIGKILL)
    assert algebra.compare(number("4"), Node("power", (number("2"), number("2")))).equal


def test_samples_never_prove(comparer: Comparer) -> None:
    """Two numbers that agree in the first four hundred digits are not taken for equal."""
    found = comparer.compare("\\sqrt{2}", "\\sqrt{2 + 10^{-400}}")
    assert not found.equal


def test_many_comparisons_have_the_time_of_one() -> None:
    """A list whose items each take all the time there is takes it once."""
    power = "(a+b+c+d+e+f+g+h)^{40}"
    slow = f"{power}(q+1)-{power}q-{power}"
    answer = ", ".join(f"k+{slow}" for _ in range(6))
    began = time.monotonic()
    assert Comparer(Algebra(wall_s=2.0)).compare("k, l, m, n, o, p", answer).problem == "timeout"
    assert time.monotonic() - began < 7
