"""Public examples read from what a prompt shows."""

from __future__ import annotations

import pytest

from bai.envs.tasks.coding import Case
from bai.envs.tasks.examples import case_of_assert, examples_in


@pytest.mark.parametrize(
    ("text", "cases"),
    [
        (">>> f(1, 'a')\n[1]\n", [((1, "a"), [1])]),
        ("f(1) == 2", [((1,), 2)]),
        ("f(1) = 2, as said", [((1,), 2)]),
        ("f([1, 2]) => (3, 4)", [(([1, 2],), (3, 4))]),
        ("f('a)') ➞ 'b'", [(("a)",), "b")]),
        ("f(2) should return False.", [((2,), False)]),
        ("f(2) returns None # always", [((2,), None)]),
        ("f(-1.5) -> 1e-3", [((-1.5,), 0.001)]),
        ("f(1)\n    {\n 'a': 1,\n 'b': [2]}", [((1,), {"a": 1, "b": [2]})]),
        ("f(1) == 1\nf(1) == 1\nf(2) == 4", [((1,), 1), ((2,), 4)]),
        ("f(8) = 8 - 3 = 5", []),
        ("f(x) == 2", []),
        ("g.f(1) == 2; off(1) == 2", []),
        ("f(1, k=2) == 3", []),
        ("f(1) is nice", []),
        ("f(1 == 2", []),
        ("f(1) == [1, 2", []),
    ],
)
def test_only_what_is_literal_on_both_sides_is_an_example(text: str, cases: list[tuple]) -> None:
    """Calls with written-out arguments and a written-out value are found, in order and once each."""
    assert [(case.args, case.expected) for case in examples_in(text, "f")] == cases


@pytest.mark.parametrize(
    ("source", "case"),
    [
        ("assert f(1) == {1}", Case(args=(1,), expected={1})),
        ("assert f((1, 2), 'a') == set([1])", Case(args=((1, 2), "a"), expected={1})),
        ("assert f(float('inf')) == -1", Case(args=(float("inf"),), expected=-1)),
        ("assert set(f(1)) == {1}", None),
        ("assert f(1)", None),
        ("assert f(1) == 2 == 3", None),
        ("assert f(x) == 2", None),
        ("assert g(1) == 2", None),
        ("not python", None),
    ],
)
def test_an_assertion_on_literals_is_a_case(source: str, case: Case | None) -> None:
    """Any other assertion stays text."""
    assert case_of_assert(source, "f") == case
