"""Numbers that need no computer algebra: rational ones, computed exactly and within a bound on their size."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from math import comb, factorial, gcd, lcm

from bai.envs.grading.mathematics.tree import Node

__all__ = ["TooLarge", "plain_number", "rational"]

_MAX_BITS = 20_000
"""Most bits of a numerator or a denominator: six thousand digits."""
_MAX_FACTORIAL = 1_000

_PLAIN = re.compile(r"\$?\s?(-?)\s?\$?\s?(\d{1,60}|\d{1,3}(?:,\d{3}){1,15})(?:\.(\d{1,60}))?\s?\.?", re.ASCII)


class TooLarge(ArithmeticError):
    """A value is too long to be worked with exactly."""


def plain_number(text: str) -> Fraction | None:
    """Gives the value of a number in digits, such as ``-1,234.50`` or ``$18``; None for any other text.

    This is the quick path that most answers take.
    """
    match = _PLAIN.fullmatch(text.strip()) if len(text) < 200 else None
    if match is None:
        return None
    whole, decimals = match[2].replace(",", ""), match[3] or ""
    value = Fraction(int(whole + decimals), 10 ** len(decimals))
    return -value if match[1] else value


def rational(tree: Node) -> Fraction | None:
    """Gives the value of a tree of rational numbers; None where it is none, or is not defined.

    Raises:
        TooLarge: It, or something on the way, is too large.
    """
    if tree.kind == "number":
        return Fraction("0" + tree.value if tree.value.startswith(".") else tree.value)
    if tree.kind not in _RULES:
        return None
    values = []
    for part in tree.parts:
        value = rational(part)
        if value is None:
            return None
        values.append(value)
    return _RULES[tree.kind](tree, values)


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise TooLarge("a number is too large")
    return value


def _add(tree: Node, values: list[Fraction]) -> Fraction | None:
    total = Fraction(0)
    for value in values:
        total = _bounded(total + value)
    return total


def _multiply(tree: Node, values: list[Fraction]) -> Fraction | None:
    product = Fraction(1)
    for value in values:
        product = _bounded(product * value)
    return product


def _divide(tree: Node, values: list[Fraction]) -> Fraction | None:
    return _bounded(values[0] / values[1]) if values[1] else None


def _power(tree: Node, values: list[Fraction]) -> Fraction | None:
    base, exponent = values
    if exponent.denominator != 1 or (base == 0 and exponent <= 0):
        return None
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent.numerator) * bits > 2 * _MAX_BITS and abs(base) not in (0, 1):
        raise TooLarge("a power is too large")
    if abs(base) == 1:
        return base if exponent.numerator % 2 else Fraction(1)
    return _bounded(base**exponent.numerator)


def _percent(tree: Node, values: list[Fraction]) -> Fraction | None:
    return values[0] / 100


def _based(tree: Node, values: list[Fraction]) -> Fraction | None:
    return Fraction(int(tree.parts[0].value, int(tree.value)))


def _call(tree: Node, values: list[Fraction]) -> Fraction | None:
    name, first = tree.value, values[0]
    if name == "abs":
        return abs(first)
    if name in ("floor", "ceil"):
        return Fraction(first.__floor__() if name == "floor" else first.__ceil__())
    if any(value.denominator != 1 for value in values):
        return None
    whole = [value.numerator for value in values]
    if name == "factorial" and whole[0] >= 0:
        if whole[0] > _MAX_FACTORIAL:
            raise TooLarge("a factorial is too large")
        return Fraction(factorial(whole[0]))
    if name == "binomial" and min(whole) >= 0:
        if whole[0] > _MAX_FACTORIAL:
            raise TooLarge("a binomial coefficient is too large")
        return Fraction(comb(*whole))
    return Fraction({"gcd": gcd, "lcm": lcm}[name](*whole)) if name in ("gcd", "lcm") else None


_RULES: dict[str, Callable[[Node, list[Fraction]], Fraction | None]] = {
    "add": _add,
    "mixed": _add,
    "multiply": _multiply,
    "negate": lambda tree, values: -values[0],
    "divide": _divide,
    "power": _power,
    "percent": _percent,
    "based": _based,
    "call": _call,
}
