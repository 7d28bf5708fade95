"""BFCL's sums and conversions."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bai.errors import ToolFault


@pytest.fixture
def sums(start: Any) -> Any:
    return lambda tool, **arguments: start("bfcl_math", {"numbers": [1]})[1](tool, **arguments)["result"]


@pytest.mark.parametrize(
    ("tool", "arguments", "result"),
    [
        ("absolute_value", {"number": -2}, 2.0),
        ("add", {"a": 1, "b": 2.5}, 3.5),
        ("subtract", {"a": 1, "b": 2}, -1.0),
        ("multiply", {"a": 3, "b": 4}, 12.0),
        ("divide", {"a": 1, "b": 4}, 0.25),
        ("percentage", {"part": 1, "whole": 4}, 25.0),
        ("power", {"base": 2, "exponent": 10}, 1024.0),
        ("square_root", {"number": 2, "precision": 20}, math.sqrt(2)),
        ("square_root", {"number": 2, "precision": 3}, 1.41),
        ("logarithm", {"value": 36, "base": 6, "precision": 4}, 2.0),
        ("logarithm", {"value": 20, "base": 10, "precision": 2}, 1.3),
        ("round_number", {"number": 2.345, "decimal_places": 1}, 2.3),
        ("round_number", {"number": 2.5}, 2.0),
        ("max_value", {"numbers": [1, 3, 2]}, 3.0),
        ("min_value", {"numbers": [1, 3, 2]}, 1.0),
        ("sum_values", {"numbers": []}, 0.0),
        ("mean", {"numbers": [1, 2]}, 1.5),
        ("standard_deviation", {"numbers": [2, 4, 4, 4, 5, 5, 7, 9]}, 2.0),
        ("imperial_si_conversion", {"value": 2, "unit_in": "m", "unit_out": "feet"}, 6.56168),
        ("imperial_si_conversion", {"value": 6.56168, "unit_in": "feet", "unit_out": "m"}, 2.0),
        ("si_unit_conversion", {"value": 2, "unit_in": "km", "unit_out": "cm"}, 200_000.0),
        ("si_unit_conversion", {"value": 2, "unit_in": "m", "unit_out": "mm"}, 2_000.0),
    ],
)
def test_results(tool: str, arguments: dict[str, Any], result: float, sums: Any) -> None:
    """What each tool gives."""
    assert sums(tool, **arguments) == pytest.approx(result, rel=1e-12)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("divide", {"a": 1, "b": 0}),
        ("percentage", {"part": 1, "whole": 0}),
        ("power", {"base": 10, "exponent": 10_000}),
        ("power", {"base": -1, "exponent": 0.5}),
        ("add", {"a": float("nan"), "b": 1}),
        ("add", {"a": 10**400, "b": 1}),
        ("square_root", {"number": -1, "precision": 5}),
        ("square_root", {"number": 2, "precision": 10**9}),
        ("logarithm", {"value": 0, "base": 10, "precision": 5}),
        ("logarithm", {"value": 2, "base": 1, "precision": 5}),
        ("logarithm", {"value": 2, "base": 3, "precision": 0}),
        ("round_number", {"number": 1, "decimal_places": 10**9}),
        ("mean", {"numbers": []}),
        ("max_value", {"numbers": []}),
        ("standard_deviation", {"numbers": []}),
        ("imperial_si_conversion", {"value": 2, "unit_in": "m", "unit_out": "pounds"}),
        ("si_unit_conversion", {"value": 2, "unit_in": "km", "unit_out": "kg"}),
        ("si_unit_conversion", {"value": 2, "unit_in": "xm", "unit_out": "m"}),
        ("si_unit_conversion", {"value": 2, "unit_in": "", "unit_out": "m"}),
    ],
)
def test_what_has_no_finite_result_is_refused(tool: str, arguments: dict[str, Any], sums: Any) -> None:
    """At once, and in words; no number is too big to be refused."""
    with pytest.raises(ToolFault):
        sums(tool, **arguments)


def test_whole_numbers_with_a_point_are_integers(sums: Any) -> None:
    """JSON Schema takes 3.0 for an integer, and so do the tools."""
    assert sums("square_root", number=2, precision=3.0) == 1.41
    assert sums("logarithm", value=20, base=10, precision=2.0) == 1.3
    assert sums("round_number", number=2.345, decimal_places=1.0) == 2.3
