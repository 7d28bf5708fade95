"""Arithmetic, exact and bounded."""

from __future__ import annotations

import contextlib
import math
import warnings
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bai.envs.tools.calculator import calculate
from bai.errors import ToolFault


@given(a=st.integers(-(10**9), 10**9), b=st.integers(-(10**9), 10**9), c=st.integers(1, 10**6))
def test_whole_numbers_are_exact(a: int, b: int, c: int) -> None:
    """As Python has them."""
    assert calculate(f"{a} + {b} * {c}") == str(a + b * c)
    assert calculate(f"({a} - {b}) // {c}") == str((a - b) // c)
    assert calculate(f"{a} % {c}") == str(a % c)
    quotient = Fraction(a, c)
    assert float(calculate(f"{a} / {c}")) == (float(quotient))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("0.1 + 0.2", "0.3"),
        ("2 ** 10", "1024"),
        ("2 ** -2", "0.25"),
        ("sqrt(16)", "4"),
        ("sqrt(2)", repr(math.sqrt(2))),
        ("round(2.567, 2)", "2.57"),
        ("max(1, 2.5, -3)", "2.5"),
        ("abs(-7) + floor(2.5) + ceil(2.5)", "12"),
        ("  -(3 - 5)", "2"),
        ("9 ** 0.5", "3.0"),
    ],
)
def test_values(expression: str, value: str) -> None:
    """Decimal fractions are what they look like."""
    assert calculate(expression) == value


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("9 ** 9 ** 9", "too_large"),
        ("(2 ** 4000) ** 2", "too_large"),
        ("2 ** 4000 * 2 ** 4000", "too_large"),
        ("1" * 2000, "too_large"),
        ("1e308 ** 1.5", "failed"),
        ("1 / 0", "failed"),
        ("5 % 0", "failed"),
        ("sqrt(-1)", "failed"),
        ("(-8) ** 0.5", "failed"),
        ("", "failed"),
        ("2 +", "failed"),
        ("1e999", "failed"),
        ("round(1, 2, 3)", "failed"),
        ("round(1.5, 10 ** 9)", "too_large"),
        ("x + 1", "refused"),
        ("__import__('os')", "refused"),
        ("(1).__class__", "refused"),
        ("[1 for _ in range(9)]", "refused"),
        ("'a' * 10", "refused"),
        ("True + 1", "refused"),
        ("lambda: 1", "refused"),
        ("1 < 2", "refused"),
        ("abs(x=1)", "refused"),
        ("(" * 400 + "1" + ")" * 400, "failed"),
        ("\0", "failed"),
    ],
)
def test_what_is_not_arithmetic_or_too_much(expression: str, kind: str) -> None:
    """Is a fault, at once."""
    with pytest.raises(ToolFault) as caught:
        calculate(expression)
    assert caught.value.kind == kind and len(caught.value.reason) < 500


@given(expression=st.text(st.sampled_from("0123456789.+-*/%() esqrtabmaxround,")))
def test_anything_is_answered_or_a_fault(expression: str) -> None:
    """No text raises anything else."""
    with contextlib.suppress(ToolFault):
        assert len(calculate(expression)) < 2_000


@pytest.mark.parametrize("expression", ["10**1000/3", "abs(-10**1000/7)", "1/3*10**400"])
def test_values_beyond_floats_are_faults(expression: str) -> None:
    """A value that is not whole and no float holds is a fault, not an error of ours."""
    with pytest.raises(ToolFault, match="no value"):
        calculate(expression)


def test_the_least_and_the_most_of_one() -> None:
    """One number is the least and the most of itself."""
    assert (calculate("min(7)"), calculate("max(1/2)")) == ("7", "0.5")


_PIECES = ["1", "0xf", "0b1", "0o7", "2.", "1e5", "1j", "or", "and", "if", "else", "for", "in", "is", "not", "lambda"]
_PIECES += ["'", '"', "f", "b", "\\", "d", "400", "(", ")", "[", "]", ",", " ", "+", "#", "\n", "{", "}", "abs", "True"]


@given(expression=st.lists(st.sampled_from(_PIECES)).map("".join))
@example(expression="1 is 1")
@example(expression="(1)(2)")
@example(expression=r"'\d'")
@example(expression=r"f'{1}\d'")
@example(expression="1or 2")
@example(expression="1if 1else 2")
@example(expression="0xfor 1")
def test_nothing_makes_python_warn(expression: str) -> None:
    """What Python's parser or compiler finds odd is refused without a warning in our process."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(ToolFault):
            calculate(expression)
    assert caught == []
