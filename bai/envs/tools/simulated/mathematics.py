"""Sums and unit conversion (BFCL's MathAPI)."""

from __future__ import annotations

import decimal
import math
import statistics
from collections.abc import Mapping
from typing import Any

from bai.envs.tools.simulated.base import SimulatedApi, listed, tool
from bai.errors import ToolFault

__all__ = ["MathApi"]

_MAX_DIGITS = 1_000
"""Most digits of precision that are computed."""

_IMPERIAL: dict[tuple[str, str], float] = {
    ("km", "miles"): 0.621371,
    ("m", "feet"): 3.28084,
    ("cm", "inches"): 0.393701,
    ("kg", "pounds"): 2.20462,
    ("g", "ounces"): 0.035274,
    ("l", "gallons"): 0.264172,
}
"""How many of the second are one of the first."""

_PREFIXES = {"k": 1e3, "h": 1e2, "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_SI_UNITS = ("m", "g", "s", "l", "A", "K", "mol", "cd", "N", "J", "W", "Pa", "Hz", "V")


class MathApi(SimulatedApi):
    """Has no state: whatever a setup holds is passed over. Results are doubles, which are finite or refused."""

    @tool
    def absolute_value(self, number: float) -> Any:
        """Gives the absolute value of a number."""
        return _result(abs(number))

    @tool
    def add(self, a: float, b: float) -> Any:
        """Adds two numbers."""
        return _result(a + b)

    @tool
    def subtract(self, a: float, b: float) -> Any:
        """Subtracts ``b`` from ``a``."""
        return _result(a - b)

    @tool
    def multiply(self, a: float, b: float) -> Any:
        """Multiplies two numbers."""
        return _result(float(a) * float(b))

    @tool
    def divide(self, a: float, b: float) -> Any:
        """Divides ``a`` by ``b``."""
        if b == 0:
            raise ToolFault("cannot divide by zero")
        return _result(a / b)

    @tool
    def percentage(self, part: float, whole: float) -> Any:
        """Says how many percent of the whole the part is."""
        if whole == 0:
            raise ToolFault("the whole must not be zero")
        return _result(part / whole * 100)

    @tool
    def power(self, base: float, exponent: float) -> Any:
        """Raises a number to a power."""
        try:
            value = math.pow(base, exponent)
        except (OverflowError, ValueError) as error:
            raise ToolFault(f"{base} to the power of {exponent} is no finite real number") from error
        return _result(value)

    @tool
    def square_root(self, number: float, precision: int) -> Any:
        """Gives the square root, computed with so many significant digits."""
        if number < 0:
            raise ToolFault(f"expected a number of at least 0; got {number}")
        return _result(float(_context(precision).sqrt(decimal.Decimal(number))))

    @tool
    def logarithm(self, value: float, base: float, precision: int) -> Any:
        """Gives the logarithm of a number, computed with so many significant digits."""
        if value <= 0 or base <= 0 or base == 1:
            raise ToolFault(f"expected a positive number and a positive base other than 1; got {value} and {base}")
        context = _context(precision)
        of, to = (context.ln(decimal.Decimal(number)) for number in (value, base))
        return _result(float(context.divide(of, to)))

    @tool
    def round_number(self, number: float, decimal_places: int = 0) -> Any:
        """Rounds a number to so many decimal places."""
        if abs(decimal_places) > _MAX_DIGITS:
            raise ToolFault(f"expected at most {_MAX_DIGITS} decimal places; got {decimal_places}")
        return _result(round(float(number), decimal_places))

    @tool
    def max_value(self, numbers: list[float]) -> Any:
        """Gives the largest of some numbers."""
        return _result(max(_some(numbers)))

    @tool
    def min_value(self, numbers: list[float]) -> Any:
        """Gives the smallest of some numbers."""
        return _result(min(_some(numbers)))

    @tool
    def sum_values(self, numbers: list[float]) -> Any:
        """Adds up some numbers."""
        return _result(sum(map(float, numbers)))

    @tool
    def mean(self, numbers: list[float]) -> Any:
        """Gives the arithmetic mean of some numbers."""
        return _result(sum(map(float, _some(numbers))) / len(numbers))

    @tool
    def standard_deviation(self, numbers: list[float]) -> Any:
        """Gives the standard deviation of some numbers, taken for all there are."""
        try:
            return _result(statistics.pstdev(map(float, _some(numbers))))
        except (OverflowError, ValueError) as error:
            raise ToolFault(f"these numbers have no finite standard deviation: {error}") from error

    @tool
    def imperial_si_conversion(self, value: float, unit_in: str, unit_out: str) -> Any:
        """Converts between imperial and SI units."""
        if (unit_in, unit_out) in _IMPERIAL:
            return _result(value * _IMPERIAL[unit_in, unit_out])
        if (unit_out, unit_in) in _IMPERIAL:
            return _result(value / _IMPERIAL[unit_out, unit_in])
        pairs = ", ".join(f"{si}/{imperial}" for si, imperial in _IMPERIAL)
        raise ToolFault(f"cannot convert {unit_in!r:.40} to {unit_out!r:.40}; known are {pairs}")

    @tool
    def si_unit_conversion(self, value: float, unit_in: str, unit_out: str) -> Any:
        """Converts between multiples of one SI unit."""
        (scale_in, base_in), (scale_out, base_out) = _split(unit_in), _split(unit_out)
        if base_in != base_out:
            raise ToolFault(f"{unit_in!r} and {unit_out!r} do not measure the same")
        return _result(value * scale_in / scale_out)


def _result(value: float) -> Mapping[str, float]:
    if not math.isfinite(value):
        raise ToolFault("the result is no finite number")
    return {"result": float(value)}


def _some(numbers: list[float]) -> list[float]:
    if not numbers:
        raise ToolFault("expected at least one number; got an empty list")
    return numbers


def _context(precision: int) -> decimal.Context:
    if not 1 <= precision <= _MAX_DIGITS:
        raise ToolFault(f"expected a precision of 1 to {_MAX_DIGITS} digits; got {precision}")
    return decimal.Context(prec=precision)


def _split(unit: str) -> tuple[float, str]:
    if unit in _SI_UNITS:
        return 1.0, unit
    if unit[1:] in _SI_UNITS:
        return _PREFIXES[listed(_PREFIXES, unit[0], "a prefix of an SI unit")], unit[1:]
    raise ToolFault(f"{unit!r:.40} is no SI unit known here; known are {', '.join(_SI_UNITS)} with prefixes")
