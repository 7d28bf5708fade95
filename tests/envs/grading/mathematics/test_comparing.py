"""Answers are compared as mathematics: the same said otherwise is right, what only looks alike is wrong."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.mathematics.algebra import Algebra
from bai.envs.grading.mathematics.comparing import Comparer

RIGHT = [
    ("72", "72.00"), ("1234", "1,234"), ("1234", "1\\,234"), ("-5", "−5"), ("18", "$18"),
    ("18", "\\$18.00"), ("72", "72 clips"),
    ("72", "48 + 24 = 72"), ("0.5", "\\frac12"), ("\\frac{1}{2}", ".5"), ("9/5", "1\\frac{4}{5}"), ("1.8", "1 4/5"),
    ("1/3", "0.\\overline{3}"), ("300", "3 \\times 10^2"), ("0.0000672", "6.72e-5"), ("25", "25\\%"),
    ("0.25", "25%"), ("x = 5", "5"), ("5", "x = 5"), ("f(x) = 2x", "2x"), ("y = 2x + 3", "y = 3 + 2 * x"),
    ("3\\sqrt{13}", "\\sqrt{117}"), ("\\frac{\\sqrt{3}}{3}", "1/sqrt(3)"), ("2\\sqrt5", "\\frac{10}{\\sqrt 5}"),
    ("1+2\\sqrt{3}", "\\sqrt{13+4\\sqrt{3}}"), ("\\cot x", "\\frac{\\cos x}{\\sin x}"), ("2k+2", "2(k+1)"),
    ("(a+5)(b+2)", "ab + 2a + 5b + 10"), ("x+1", "\\sin^2 x+\\cos^2 x + x"), ("6 - 5i", "-5i + 6"),
    ("\\frac{20000}{\\pi}", "20000/π"), ("1,-2", "-2 and 1"), ("-2,1", "x = 1 or x = -2"),
    ("1 \\pm \\sqrt{19}", "1-\\sqrt{19}, 1+\\sqrt{19}"), ("\\{1\\pm\\sqrt{5},-2\\}", "1+√5, 1-√5, -2"),
    ("(3,4]", "\\left( 3, 4 \\right]"), ("x \\in [-2,7]", "-2 \\le x \\le 7"), ("(2,\\infty)", "x > 2"),
    ("(-\\infty, 2) \\cup (3, \\infty)", "x > 3 or x < 2"), ("5x - 7y + 11z + 4 = 0", "-10x + 14y - 22z = 8"),
    ("\\begin{pmatrix} -1/3 \\\\ 2/3 \\end{pmatrix}", "(-1/3, 2/3)"),
    ("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "[[1, 2], [3, 4]]"), ("52_8", "52_{8}"), ("52_8", "52"),
    ("90^\\circ", "90"), ("90^\\circ", "90 degrees"), ("5.4 \\text{ cents}", "$0.054"), ("5 cm", "50 mm"),
    ("864 \\mbox{ inches}^2", "6 square feet"), ("30 miles per hour", "30 mph"), ("10,\\!080", "10,080"),
    ("\\text{(C)}", "C"), ("\\text{Evelyn}", "evelyn."), ("\\text{east}", "\\textbf{East}"),
    ("|x|", "\\lvert x \\rvert"),
    ("x \\log_2 8", "3x"), ("\\binom{5}{2} x", "10x"), ("2^{10} x", "1024x"), ("100, 200", "100,200"),
]  # fmt: skip
WRONG = [
    ("72", "73"), ("72", "-72"), ("1234", "1,235"), ("0.5", "0.05"), ("1/3", "0.333"), ("\\pi", "3.14159"),
    ("3\\sqrt{13}", "\\sqrt{116}"), ("x = 5", "6"), ("1,-2", "1, 2"), ("1,-2", "1"), ("5", "5 or 6"), ("5", "5, 5"),
    ("(1,2)", "(2,1)"), ("(3,4]", "(3,4)"), ("(2,\\infty)", "x \\ge 2"), ("x^2", "x^2 + 1"), ("x", "\\sqrt{x^2}"),
    ("5 cm", "5 mm"), ("5 cm", "5 cm^2"), ("5.4 \\text{ cents}", "5.4 dollars"), ("\\text{east}", "west"),
    ("\\text{(C)}", "D"), ("52_8", "42"), ("52_8", "52_9"), ("y = 2x + 3", "y = 3x + 2"), ("5", "x"), ("x", "y"),
    ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "(1, 2, 0)"), ("72", "48 + 24"), ("4", "\\sqrt{16}"),
    ("8", "2^3"), ("1", "\\sin^2 x + \\cos^2 x"), ("(2, 3)", "(1 + 1, 3)"), ("5", "4 = 5 = 6"), ("5", "east"),
    ("x = 5", "y = 5 + y"), ("1 \\pm \\sqrt{2}", "1 + \\sqrt{2}"), ("50", "0.5"), ("25", "0.25\\%"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_the_same_said_otherwise_is_right(comparer: Comparer, gold: str, answer: str) -> None:
    """Fractions, decimals, units, lists, intervals, equations, roots, symbols: equality is of what is meant."""
    assert comparer.compare(gold, answer).equal


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_what_only_looks_alike_is_wrong(comparer: Comparer, gold: str, answer: str) -> None:
    """Approximations, other orders where order counts, other units, what is still to be computed."""
    found = comparer.compare(gold, answer)
    assert (found.equal, found.problem) == (False, None)


class Unasked:
    """In the place of sympy: has a time limit, and nothing that could be asked."""

    wall_s = 1.0


@given(st.fractions(max_denominator=999), st.fractions(max_denominator=999))
def test_rational_numbers_are_compared_exactly(one: Fraction, other: Fraction) -> None:
    """Two fractions are equal exactly where their values are, and sympy is not asked."""
    comparer = Comparer(Unasked())  # type: ignore[arg-type]
    forms = [f"{one.numerator}/{one.denominator}", f"\\frac{{{3 * one.numerator}}}{{{3 * one.denominator}}}"]
    for form in forms:
        assert comparer.compare(forms[0], form).equal
        assert comparer.compare(f"{other.numerator}/{other.denominator}", form).equal == (one == other)


POLYNOMIALS = st.lists(st.integers(-9, 9), min_size=2, max_size=4)


def test_polynomials_are_equal_exactly_where_their_factors_are(comparer: Comparer) -> None:
    """A product written out equals the product; with one factor off it does not."""

    @given(POLYNOMIALS, st.integers(-9, 9), st.integers(1, 3))
    def check(factors: list[int], root: int, off: int) -> None:
        inside = " + ".join(f"({factor})x^{power}" for power, factor in enumerate(factors))
        product = [0] * (len(factors) + 1)
        for power, factor in enumerate(factors):
            product[power + 1] += factor
            product[power] -= root * factor
        written = [" + ".join(f"({f + d})x^{p}" for p, f in enumerate(product)) for d in (0, off)]
        assert comparer.compare(f"({inside})(x - ({root})) + y", f"{written[0]} + y").equal
        assert not comparer.compare(f"({inside})(x - ({root})) + y", f"{written[1]} + y").equal

    check()


def test_a_gold_answer_that_is_not_read_is_compared_as_it_is_written() -> None:
    """A set of one's own may hold any answer."""
    comparer = Comparer(Algebra())
    assert comparer.compare("\\int_0^1 x", "\\int_0^1  x").equal
    assert not comparer.compare("\\int_0^1 x", "\\int_0^2 x").equal
