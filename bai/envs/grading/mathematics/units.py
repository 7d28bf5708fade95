"""Units of measurement: which words are units, and how they relate.

A unit is a factor and powers of base units. Its text, as :class:`~bai.envs.grading.mathematics.tree.Node` holds it, is
names with powers, such as ``inch^2`` or ``mile hour^-1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["SHORT_UNITS", "Unit", "read_unit", "unit_of"]

_BASES: Mapping[str, Mapping[str, str]] = {
    "metre": {
        "1": "m metre metres meter meters",
        "1/100": "cm centimetre centimetres centimeter centimeters",
        "1/1000": "mm millimetre millimetres millimeter millimeters",
        "1/10": "dm decimetre decimeter decimetres decimeters",
        "1000": "km kilometre kilometres kilometer kilometers",
        "254/10000": "in inch inches",
        "3048/10000": "ft foot feet",
        "9144/10000": "yd yard yards",
        "1609344/1000": "mi mile miles",
    },
    "second": {
        "1": "s sec secs second seconds",
        "60": "min mins minute minutes",
        "3600": "h hr hrs hour hours",
        "86400": "day days",
        "604800": "week weeks",
    },
    "month": {"1": "month months", "12": "year years yr yrs"},
    "gram": {
        "1": "g gram grams",
        "1/1000": "mg milligram milligrams",
        "1000": "kg kilogram kilograms",
        "45359237/100000": "lb lbs pound pounds",
        "45359237/1600000": "oz ounce ounces",
        "1000000": "tonne tonnes",
    },
    "dollar": {"1": "dollar dollars USD usd", "1/100": "cent cents"},
    "euro": {"1": "euro euros EUR"},
    "sterling": {"1": "sterling GBP"},
    "degree": {"1": "degree degrees deg"},
    "litre": {
        "1": "L l litre litres liter liters",
        "1/1000": "mL ml millilitre millilitres milliliter milliliters",
        "3785411784/1000000000": "gallon gallons",
        "946352946/1000000000": "quart quarts",
        "473176473/1000000000": "pint pints",
    },
    "watt": {"1": "W watt watts"},
    "joule": {"1": "J joule joules"},
}
_NAMES = {
    name: (base, Fraction(factor))
    for base, table in _BASES.items()
    for factor, names in table.items()
    for name in names.split()
}
_SPEEDS = {"mph": "mile hour^-1", "kph": "km hour^-1"}
SHORT_UNITS = frozenset(name for name in _NAMES if len(name) == 1)
"""Units of one letter, which outside of text could be a symbol."""

_WORD = re.compile(r"(per|/|square|sq|cubic|cu|squared|cubed|[A-Za-z]+)\.?(?:\s*\^\s*\{?\s*(-?[1-9])\s*\}?)?\s*")


@dataclass(frozen=True)
class Unit:
    """What a unit measures, and in what size."""

    factor: Fraction
    """Base units in one of it."""
    powers: frozenset[tuple[str, int]]
    """Base units with their powers."""


def read_unit(text: str) -> str | None:
    """Reads words such as ``square inches``, ``miles per hour`` or ``cm^2`` as a unit; None where they are none.

    A short form counts only as it is written, a long one in any case of its letters.
    """
    text = _SPEEDS.get(text.strip().lower(), text.strip())
    powers: dict[str, int] = {}
    sign, square, at, last = 1, 1, 0, ""
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            return None
        at, word = match.end(), match[1]
        if word in ("per", "/"):
            sign = -1
        elif word in _PREFIXES:
            square = _PREFIXES[word]
        elif word in _SUFFIXES and last:
            powers[last] *= _SUFFIXES[word]
        else:
            last = word if word in _NAMES else word.lower()
            if last not in _NAMES:
                return None
            powers[last] = powers.get(last, 0) + sign * square * int(match[2] or 1)
            square = 1
    return " ".join(f"{name}^{power}" for name, power in sorted(powers.items())) or None


_PREFIXES = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_SUFFIXES = {"squared": 2, "cubed": 3}


def unit_of(text: str) -> Unit:
    """Gives the unit that :func:`read_unit` read."""
    factor, powers = Fraction(1), dict[str, int]()
    for item in text.split():
        name, _, power = item.partition("^")
        base, size = _NAMES[name]
        factor *= size ** int(power)
        powers[base] = powers.get(base, 0) + int(power)
    return Unit(factor, frozenset((base, power) for base, power in powers.items() if power))
