"""Comparison of plain data, on the judge's side.

What arrives here was rebuilt by the codec from bytes, so every type is the real one and no ``__eq__`` of
a candidate is ever asked. Values compare as Python's ``==`` does, with three differences, each of them
applied at any depth: a NaN equals a NaN, numpy arrays compare as a whole, and numbers may be given a
tolerance (``|a - b| <= atol + rtol * |b|``, numpy's ``allclose``). No ``range`` is ever walked: ten
bytes on the wire can stand for 10**18 elements.
"""

from __future__ import annotations

import math
import numbers
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bai.envs.tasks.coding import Rule

__all__ = ["Tolerance", "equal", "matches"]


@dataclass(frozen=True)
class Tolerance:
    """How far apart two numbers may be."""

    atol: float = 0.0
    """Absolute."""
    rtol: float = 0.0
    """Relative to the expected number."""

    @property
    def is_exact(self) -> bool:
        """Whether none is given."""
        return not self.atol and not self.rtol


def matches(rule: Rule, actual: Any, expected: Any, args: Sequence[Any], tolerance: Tolerance) -> bool:
    """Whether ``actual`` is right by a :data:`~bai.envs.tasks.coding.Rule`; never raises."""
    try:
        return _RULES[rule](actual, expected, args, tolerance)
    except (ArithmeticError, TypeError, ValueError, RecursionError, MemoryError):
        return False


def equal(actual: Any, expected: Any, tolerance: Tolerance | None = None) -> bool:
    """Whether two pieces of plain data are equal; never raises."""
    return matches("value", actual, expected, (), tolerance or Tolerance())


def _by_value(actual: Any, expected: Any, args: Sequence[Any], tolerance: Tolerance) -> bool:
    return _same(actual, expected, tolerance)


def _by_elements(actual: Any, expected: Any, args: Sequence[Any], tolerance: Tolerance) -> bool:
    kinds = (list, tuple, set, frozenset)
    if not isinstance(actual, kinds) or not isinstance(expected, kinds):
        return False
    wanted = set(expected)
    # One by one first: a set of elements crafted to share one hash would take quadratic time to make.
    return all(item in wanted for item in actual) and set(actual) == wanted


def _by_root(actual: Any, expected: Any, args: Sequence[Any], tolerance: Tolerance) -> bool:
    if isinstance(actual, bool) or not isinstance(actual, (int, float)):
        return False
    value = sum(coefficient * math.pow(actual, power) for power, coefficient in enumerate(args[0]))
    return bool(abs(value) <= tolerance.atol)


_RULES: dict[Rule, Callable[[Any, Any, Sequence[Any], Tolerance], bool]] = {
    "value": _by_value,
    "elements": _by_elements,
    "polynomial_root": _by_root,
}


def _same(actual: Any, expected: Any, tolerance: Tolerance) -> bool:
    if _is_array(actual) or _is_array(expected):
        return _same_array(actual, expected, tolerance)
    if isinstance(actual, numbers.Number) and isinstance(expected, numbers.Number):
        return _same_number(actual, expected, tolerance)
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        return _same_mapping(actual, expected, tolerance)
    if _is_sequence(actual) and _is_sequence(expected):
        if not _comparable(actual, expected) or len(actual) != len(expected):
            return False
        return all(_same(a, e, tolerance) for a, e in zip(actual, expected, strict=True))
    if isinstance(actual, (set, frozenset)) and isinstance(expected, (set, frozenset)):
        return _same_set(actual, expected, tolerance)
    return bool(actual == expected)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, range))


def _comparable(actual: Any, expected: Any) -> bool:
    # A list never equals a tuple or a deque; subclasses of one of them (a named tuple) may equal it.
    return isinstance(actual, type(expected)) or isinstance(expected, type(actual))


def _same_number(actual: Any, expected: Any, tolerance: Tolerance) -> bool:
    if actual == expected or (actual != actual and expected != expected):
        return True
    if tolerance.is_exact or isinstance(actual, bool) or isinstance(expected, bool):
        return False
    distance = abs(actual - expected)
    return bool(distance <= tolerance.atol + tolerance.rtol * abs(expected) and distance < math.inf)


def _same_mapping(actual: Any, expected: Any, tolerance: Tolerance) -> bool:
    if len(actual) != len(expected):
        return False
    if isinstance(actual, OrderedDict) and isinstance(expected, OrderedDict) and list(actual) != list(expected):
        return False
    return all(key in actual and _same(actual[key], value, tolerance) for key, value in expected.items())


def _same_set(actual: Any, expected: Any, tolerance: Tolerance) -> bool:
    if actual == expected or tolerance.is_exact:
        return bool(actual == expected)
    return len(actual) == len(expected) and _same(sorted(actual), sorted(expected), tolerance)


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "dtype")


def _same_array(actual: Any, expected: Any, tolerance: Tolerance) -> bool:
    import numpy as np

    if not (_is_array(actual) or isinstance(actual, numbers.Number)):
        return False
    if not (_is_array(expected) or isinstance(expected, numbers.Number)):
        return False
    if np.shape(actual) != np.shape(expected):
        return False
    # As arrays: a bare Python number would be rounded to the other's precision, and 10**9 to float16's infinity.
    actual, expected = np.asarray(actual), np.asarray(expected)
    if np.issubdtype(actual.dtype, np.inexact) or np.issubdtype(expected.dtype, np.inexact):
        return bool(np.allclose(actual, expected, rtol=tolerance.rtol, atol=tolerance.atol, equal_nan=True))
    return bool(np.array_equal(actual, expected))
