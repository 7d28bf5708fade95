"""Comparison of JSON values and of calls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bai.envs.tools.base import ToolCall

__all__ = ["argument_share", "paired", "same_calls", "same_value"]

_CLOSE = 1e-6
"""How far two numbers that are not whole may be apart, relatively: databases sum in orders of their own."""


def same_value(actual: Any, expected: Any) -> bool:
    """Whether two JSON values are equal: 1 equals 1.0, neither equals true, and sums of floats may differ a little."""
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(actual, int | float) and isinstance(expected, int | float):
        whole = isinstance(actual, int) and isinstance(expected, int)
        return actual == expected or (not whole and _close(actual, expected))
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        return actual.keys() == expected.keys() and all(same_value(actual[key], expected[key]) for key in expected)
    if isinstance(actual, list | tuple) and isinstance(expected, list | tuple):
        return len(actual) == len(expected) and all(map(same_value, actual, expected))
    return type(actual) is type(expected) and bool(actual == expected)


def _close(one: float, other: float) -> bool:
    try:
        return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=1e-9)
    except OverflowError:  # a whole number beyond all floats, and so far from any
        return False


def _same_call(actual: ToolCall, expected: ToolCall) -> bool:
    """Whether two calls are of the same tool with equal arguments."""
    return actual.name == expected.name and same_value(actual.arguments, expected.arguments)


def same_calls(actual: Sequence[ToolCall], expected: Sequence[ToolCall]) -> bool:
    """Whether two bags of calls are equal."""
    if len(actual) != len(expected):
        return False
    left = list(actual)
    for wanted in expected:
        found = next((index for index, call in enumerate(left) if _same_call(call, wanted)), None)
        if found is None:
            return False
        del left[found]
    return True


def paired(serving: Sequence[Sequence[int]]) -> dict[int, int]:
    """Pairs as many made calls as can be with wanted ones, each with one at the most (Kuhn's augmenting paths).

    Args:
        serving: For each wanted call, the places of the made calls that serve it.

    Returns:
        Place of a made call -> place of the wanted one.
    """
    taken: dict[int, int] = {}

    def place(want: int, tried: set[int]) -> bool:
        for index in serving[want]:
            if index not in tried:
                tried.add(index)
                if index not in taken or place(taken[index], tried):
                    taken[index] = want
                    return True
        return False

    for want in range(len(serving)):
        place(want, set())
    return taken


def argument_share(actual: Sequence[ToolCall], expected: Sequence[ToolCall]) -> float | None:
    """Share of the expected calls' arguments that were given; None where no argument is expected.

    Each expected call is held against the call of the same tool, not used yet, that gives most of its arguments.
    """
    left, right, wanted = list(actual), 0, 0
    for call in expected:
        wanted += len(call.arguments)
        scores = [(_given(one, call), -index) for index, one in enumerate(left) if one.name == call.name]
        if scores:
            best, index = max(scores)
            right += best
            del left[-index]
    return right / wanted if wanted else None


def _given(actual: ToolCall, expected: ToolCall) -> int:
    return sum(
        name in actual.arguments and same_value(actual.arguments[name], value)
        for name, value in expected.arguments.items()
    )
