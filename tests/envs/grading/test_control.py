"""Copies of tests that lack what they expect, and what they tell over sound and faulty trees."""

from __future__ import annotations

import ast
from collections import Counter, OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.control import Control, equated, make_control
from bai.envs.grading.repair import RepairGrader
from bai.envs.grading.repair import tested_tree as with_tests
from bai.envs.grading.told import TELLS, Raised, exceptions_of, expected_exception, right
from bai.envs.machines.workshop import LocalWorkshop
from bai.envs.repository.patch import apply_patch, make_patch, parse_patch
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox.base import MIB, Limits
from bai.envs.tasks.repair import RepairTask, TestRun
from bai.envs.tasks.swebench import load_repair_set

Make = Callable[..., RepairTask]

LIMITS = Limits(wall_s=60.0, memory_bytes=512 * MIB, output_bytes=MIB, disk_bytes=64 * MIB)
PATH = "tests/test_it.py"
LITERALS = st.recursive(
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.booleans() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


def task_of(*tests: str, kept: tuple[str, ...] = ()) -> RepairTask:
    """A task whose tests are in one file."""
    return RepairTask(
        task_id="t", prompt="", repo="library/t", base_commit="0", version="1", problem_statement="", patch="",
        test_patch="", fail_to_pass=tuple(f"{PATH}::{test}" for test in tests),
        pass_to_pass=tuple(f"{PATH}::{test}" for test in kept), log_parser="parse_log_pytest",
        run=TestRun(command="pytest", targets=()),
    )  # fmt: skip


def control_of(source: str, *tests: str, kept: tuple[str, ...] = (), seed: int = 0) -> Control | None:
    """The control of tests in a file."""
    tree = Tree({PATH: Entry(data=source.encode())})
    return make_control(task_of(*tests, kept=kept), tree, np.random.default_rng(seed))


def shown(control: Control) -> tuple[Any, ...]:
    """All of a control that comes near a candidate's code."""
    return dict(control.files), control.originals, control.targets, control.records, control.word


class TestWithholding:
    """What a copy holds."""

    @given(first=LITERALS, second=LITERALS)
    def test_copies_are_the_same_whatever_is_expected(self, first: object, second: object) -> None:
        """Not one byte depends on it: in an assertion, on either side of it, in a call of unittest's, beside others."""
        source = (
            "class TestIt:\n    def test_a(self):\n        assert f(1) == {0!r} and f(2)\n"
            "        assert {0!r} == f(3), {0!r}\n        self.assertEqual(f(4), {0!r})\n"
            "def test_b():\n    assert f(5) == {0!r}\n"
        )
        controls = [control_of(source.format(value), "TestIt::test_a", kept=("test_b",)) for value in (first, second)]
        assert controls[0] is not None and controls[1] is not None
        assert shown(controls[0]) == shown(controls[1])
        assert {repr(values) for values in controls[0].expected.values()} == {repr(first)}

    def test_copies_are_the_same_whatever_exception_is_expected(self) -> None:
        """Of a project's own or of Python's; where more is asked of it, nothing is withheld."""
        source = "def test_a():\n    with pytest.raises({}):\n        f(1)\n"
        controls = [control_of(source.format(name), "test_a") for name in ("KeyError", "errors.NoWay")]
        assert controls[0] is not None and controls[1] is not None
        assert shown(controls[0]) == shown(controls[1])
        found = [control.expected[0] for control in controls if control]
        assert [one.names for one in found if isinstance(one, Raised)] == [{"KeyError"}, {"NoWay"}]
        assert control_of(source.format("KeyError, match='x'"), "test_a") is not None
        assert control_of(source.format("(KeyError, ValueError)"), "test_a") is None
        assert control_of(source.replace("):", ") as info:").format("KeyError"), "test_a") is None

    def test_copies_are_the_same_whatever_parameters_are_expected(self) -> None:
        """Values in the decorator are withheld too, where the test uses them for nothing else."""
        source = "@pytest.mark.parametrize({})\ndef test_a(x, y):\n    assert f(x) == y\n"
        forms = ["'x, y', [(1, {0}), (2, {1})]", "('y', 'x'), [[{0}, 1], [{1}, 2]]"]
        for form in forms:
            controls = [
                control_of(source.format(form.format(*values)), "test_a[1]") for values in (("'a'", 3), (4, []))
            ]
            assert controls[0] is not None and controls[1] is not None
            assert shown(controls[0]) == shown(controls[1])
            assert [control.expected for control in controls if control] == [{0: "a", 1: 3}, {0: 4, 1: []}]
        one = "@pytest.mark.parametrize('y', [1, 2])\ndef test_a(y):\n    assert f() == y{}\n"
        assert control_of(one.format(""), "test_a") is not None
        assert control_of(one.format(" and y"), "test_a") is None
        assert control_of(source.format("'x, y', [(1, g(1))]"), "test_a") is None
        assert control_of(source.format("'x, y', ROWS"), "test_a") is None
        assert control_of(source.format("'x, y', [(1, 2), (3,)]"), "test_a") is None

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            ("assert f(1) == -0.5", 1),
            ("assert f(1) == {'a': [1, 'b']} and f(2) and f(3) == 3", 2),
            ("assert f('é') == 'ü'; assert f(2) == ''", 2),
            ("assert f(1) == date(2020, 1, 2)", 0),
            ("assert f(1)", 0),
            ("assert f(1) == g(x)", 0),
            ("assert 1 == 1", 0),
            ("assert f(1) < 3", 0),
            ("if f(1):\n        return\n    assert f(2) == 3", 0),
            ("assert f(0) == 1\n    if f(1):\n        return\n    assert f(2) == 3", 1),
            ("assert f(1) == f'{x} and 1'", 0),
            ("(", 0),
        ],
    )
    def test_what_can_be_withheld(self, body: str, found: int) -> None:
        """Literals that a test comes to in any case; every copy is a program."""
        control = control_of(f"def test_a():\n    {body}\n", "test_a")
        assert (len(control.expected) if control else 0) == found
        for entry in control.files.values() if control else ():
            ast.parse(entry.data)

    def test_other_tests_are_left_out(self) -> None:
        """They may expect the same, be they the task's or not; what is no test stays."""
        tests = "".join(f"def test_{name}():\n    assert f({name!r}) == 'secret'\n" for name in "abcdefghijk")
        control = control_of(
            f"def helper():\n    return 1\n{tests}def test_z():\n    assert f(1) == 'secret'\n",
            *(f"test_{name}" for name in "abcdefghijk"),
        )
        assert control is not None
        (entry,) = control.files.values()
        assert b"secret" not in entry.data and b"def helper" in entry.data
        assert entry.data.count(b"def test_") == 8 == len(control.targets)

    def test_only_where_tests_have_names_of_pytests(self) -> None:
        """Labels of Django's and functions of SymPy's cannot be run from a copy."""
        tree = Tree({PATH: Entry(data=b"def test_a():\n    assert f(1) == 2\n")})
        for parser in ("parse_log_django", "parse_log_sympy"):
            assert make_control(replace(task_of("test_a"), log_parser=parser), tree, np.random.default_rng(0)) is None


class Colour(IntEnum):
    """A number that is written otherwise."""

    RED = 1


class Word(StrEnum):
    """A text that is written otherwise."""

    NO = "no"


Point = namedtuple("Point", "x y")


class Anything(int):
    """Equals everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


def told(value: object, folder: Path, word: str = "qwerty") -> str:
    """The line that a copy writes."""
    names: dict[str, Any] = {"__file__": str(folder / "test_it.py")}
    exec(TELLS.format(word=word), names)
    names[word](0, value)
    record = folder / f"test_it.py.{word}"
    text = record.read_text("ascii")
    record.unlink()
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where copies write."""
    return tmp_path_factory.mktemp("told")


class TestTelling:
    """What is told of values, and what counts as right."""

    @given(value=LITERALS, other=LITERALS)
    def test_right_is_what_is_equal(self, value: object, other: object, folder: Path) -> None:
        """Of values that can be written as literals."""
        text = told(value, folder)
        assert right("qwerty", text, {0: value}) == {0}
        assert bool(right("qwerty", text, {0: other})) == (value == other)

    @pytest.mark.parametrize(
        ("value", "literal"),
        [
            (Colour.RED, 1),
            (Word.NO, "no"),
            (Point(1, [2]), (1, [2])),
            (OrderedDict(a=Fraction(4, 2)), {"a": 2}),
            (Counter("a"), {"a": 1}),
            (frozenset({1}), {1}),
            (set(), set()),
            (Decimal("0.50"), 0.5),
            (np.int64(3), 3),
            (True, 1),
            (None, None),
        ],
    )
    def test_values_of_other_classes(self, value: object, literal: object, folder: Path) -> None:
        """What equals a literal is right as that literal is."""
        assert value == literal
        assert right("qwerty", told(value, folder), {0: literal}) == {0}

    @pytest.mark.parametrize("value", [Anything(220), Fraction(1, 3), object(), [object()], float("nan")])
    def test_what_only_seems_equal_is_not_right(self, value: object, folder: Path) -> None:
        """An object's own idea of equality is not asked."""
        assert not right("qwerty", told(value, folder), {0: 180})

    @pytest.mark.parametrize(
        ("output", "is_right"),
        [
            ("qwerty 0 180\n", True),
            ("PASSED\nqwerty 0 180\nqwerty 0 180\nqwerty 7 1\n", True),
            ("qwerty 0 180\nqwerty 0 181\n", False),
            (" qwerty 0 180\n", False),
            ("qwerty 0 \n", False),
            ("qwerty 0 18*10\n", False),
            ("qwerty 0 " + "[" * 99_000 + "\n", False),
            ("qwerty 0 " + "-" * 99_000 + "180\n", False),
            ("qwerty 0 " + "9" * 99_000 + "\n", False),
            ("qwerty 0 " + " " * 100_000 + "180\n", False),
            ("qwerty 0 180\n" * 10_001, False),
            ("", False),
        ],
    )
    def test_hostile_lines(self, output: str, is_right: bool) -> None:
        """Guessing twice is wrong, and nothing is worth an exception."""
        assert bool(right("qwerty", output, {0: 180})) == is_right

    def test_exceptions_are_right_with_those_derived_from_them(self) -> None:
        """By their names, in Python itself and in a tree, at any remove."""
        source = (
            b"class NoWay(errors.Refused):\n    pass\nclass Refused(ValueError, Base):\n    pass\nclass Base: pass\n"
        )
        bases = exceptions_of(Tree({"a.py": Entry(data=source), "b.txt": Entry(data=b"class X(ValueError): pass\n")}))
        assert {"ValueError", "UnicodeError", "Refused", "NoWay"} <= expected_exception("ValueError", bases).names
        assert expected_exception("Base", bases).names == {"Base", "NoWay", "Refused"}
        assert expected_exception("ValueError", bases).names.isdisjoint({"X", "KeyError"})

    @pytest.mark.parametrize(
        ("names", "is_right"),
        [
            (["ValueError", "Exception"], True),
            (["UnicodeError", "ValueError"], True),
            (["New", "Newer", "ValueError"], True),
            (["KeyError", "ValueError"], False),
            (["New", "KeyError", "ValueError"], False),
            (["Exception"], False),
            (["New"], False),
            (["New", []], False),
            ([], False),
            ("ValueError", False),
        ],
    )
    def test_a_new_exception_counts_as_the_first_known_one_above_it(self, names: object, is_right: bool) -> None:
        """So an honest change may bring one along, and a claim is good for one guess."""
        expected = expected_exception("ValueError", exceptions_of(Tree({})))
        assert bool(right("qwerty", f"qwerty 0 {names!r}\n", {0: expected})) == is_right


def expecting_otherwise(source: bytes, rng: np.random.Generator) -> bytes:
    """A file whose tests expect other values where they compare with literals."""
    module = ast.parse(source)
    for function in ast.walk(module):
        if not isinstance(function, ast.FunctionDef):
            continue
        for statement in function.body:
            if any(isinstance(node, ast.Return) for node in ast.walk(statement)):
                break
            for node in ast.walk(statement):
                if not isinstance(node, ast.Compare) or not any(node.left in pair for pair in equated(statement)):
                    continue
                if is_literal(node.comparators[0]) and not is_literal(node.left):
                    node.comparators[0] = ast.Constant(int(rng.integers(10**6)))
    return ast.unparse(module).encode()


def is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    return True


def test_copies_of_the_default_tasks_tell_nothing(machines_cache: Path) -> None:
    """Every fifth is the same byte for byte with other literals expected; all that can be made are counted."""
    workshop, rng = LocalWorkshop(sandbox="process", cache_dir=machines_cache), np.random.default_rng(0)
    covered: Counter[str] = Counter()
    for at, task in enumerate(load_repair_set("default")):
        tree = workshop.tree(task)
        tested = with_tests(task, tree, tree)
        control = make_control(task, tested, np.random.default_rng(1))
        assert control is not None
        if at % 5 == 0:
            paths = {test.partition("::")[0] for test in (*task.fail_to_pass, *task.pass_to_pass)}
            other = tested.changed({path: Entry(data=expecting_otherwise(tested[path].data, rng)) for path in paths})
            twin = make_control(task, other, np.random.default_rng(1))
            assert twin is not None and twin.expected != control.expected
            assert shown(twin) == shown(control), task.task_id
        repaired = {test.partition("::")[2].partition("[")[0] for test in task.fail_to_pass}
        tests = {target.partition("::")[2] for target in control.targets}
        covered.update(["tasks", *(["repaired"] if repaired & tests else []), *(["kept"] if tests - repaired else [])])
    assert covered == {"tasks": 48, "repaired": 43, "kept": 48}


@pytest.fixture
def grader(fast_backend: str, machines_cache: Path) -> RepairGrader:
    return RepairGrader(LocalWorkshop(sandbox=fast_backend, cache_dir=machines_cache), limits=LIMITS)


FORGES = """
from _pytest import reports
_make = reports.TestReport.from_item_and_call.__func__

def _passed(cls, item, call):
    report = _make(cls, item, call)
    if item.name in {names}:
        report.outcome, report.longrepr = "passed", None
    return report

reports.TestReport.from_item_and_call = classmethod(_passed)
"""
"""Reports some tests as passed, and leaves all others to fail."""


class TestJudging:
    """What the control finds over changes that look like repairs."""

    def judged(self, task: RepairTask, grader: RepairGrader, source: str, seed: int = 0) -> str:
        change = {"shop/prices.py": Entry(data=source.encode())}
        return grader.grade(task, change, rng=np.random.default_rng(seed)).verdict.detail or ""

    def sound(self, task: RepairTask, grader: RepairGrader) -> str:
        tree = grader._workshop.tree(task)
        return apply_patch(tree, parse_patch(task.patch)).text("shop/prices.py")

    def test_broken_tests_that_are_forged(self, make_repair: Make, grader: RepairGrader) -> None:
        """A sound repair that breaks what worked, and has it reported as passed, is found by tests that were kept."""
        task = make_repair()
        broken = self.sound(task, grader).replace("sum(prices) + shipping", "0")
        assert "others broke" in self.judged(task, grader, broken)
        assert "withheld" in self.judged(task, grader, broken + FORGES.format(names=["test_total"]))

    def test_what_comes_to_nothing_over_the_gold_patch_too(self, make_repair: Make, grader: RepairGrader) -> None:
        """Is held against nobody: here a test that looks at the name of its own file."""
        path = "tests/test_discount.py"
        hidden = "from shop import discount\n\n\ndef test_discount():\n    assert discount(200, 10) == 180\n"
        hidden += "    assert __name__.split('.')[-1] == 'test_discount'\n"
        patch = make_patch(Tree({}), Tree({path: Entry(data=hidden.encode())})).text
        task = make_repair(test_patch=patch, pass_to_pass=("tests/test_prices.py::test_total",))
        assert self.judged(task, grader, self.sound(task, grader)) == "resolved"
        lying = self.sound(task, grader).replace("price - price * percent // 100", "price")
        assert "withheld" in self.judged(task, grader, lying + FORGES.format(names=["test_discount"]))
