"""A calculator: arithmetic by a whitelist of syntax, with bounds on how large a number may become."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from bai.envs.tools.base import Tool, ToolSource
from bai.errors import ConfigError, ToolFault

__all__ = ["CalculatorSource", "calculate"]

Number = int | float | Fraction

_MOST_CHARACTERS = 1_000
_MOST_BITS = 4_096
"""Of a whole number: some 1,200 digits."""
_WARNED_OF = re.compile(r"""["'\\]|\d[\w.]*(?:and|else|for|if|in|is|not|or)\b""")
"""What Python's parser may warn of: a text with a backslash, and a number that runs into a keyword, such as ``1or 2``.

Neither is arithmetic. A warning cannot be caught by the one thread that caused it, so none may come up.
"""


class CalculatorSource(ToolSource):
    """Evaluates arithmetic; the tool is ``calculator``, with ``expression``. It keeps nothing."""

    def tools(self) -> tuple[Tool, ...]:
        return (
            Tool(
                name="calculator",
                description="Evaluate arithmetic: + - * / // % **, brackets, abs, min, max, round, sqrt, floor, ceil.",
                parameters={
                    "type": "object",
                    "properties": {"expression": {"type": "string", "description": "Such as 2 * (3 + 4)."}},
                    "required": ["expression"],
                },
            ),
        )

    def begin(self, setup: Any) -> None:
        if setup is not None:
            raise ConfigError(f"a calculator has no setup; got {setup!r:.100}")

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        return calculate(arguments["expression"])

    def end_state(self) -> Any:
        return None

    def get_state(self) -> Any:
        return None

    def set_state(self, state: Any) -> None:
        pass


def calculate(expression: str) -> str:
    """Evaluates an expression exactly, as fractions; what is not whole is written as a decimal number.

    Raises:
        ToolFault: It is no arithmetic, has no value, or would become too large.
    """
    if len(expression) > _MOST_CHARACTERS:
        raise ToolFault(f"an expression may have {_MOST_CHARACTERS} characters; got {len(expression)}", "too_large")
    if _WARNED_OF.search(expression):
        raise ToolFault(f"{expression!r:.80} is not allowed in arithmetic", "refused")
    try:
        return _written(_value(ast.parse(expression.strip(), mode="eval").body))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ToolFault(f"{expression!r:.80} is no arithmetic: {error}", "failed") from None
    except ValueError as error:
        raise ToolFault(f"{expression!r:.80} cannot be read: {error}"[:300], "failed") from None
    except (ZeroDivisionError, OverflowError) as error:
        raise ToolFault(f"{expression!r:.80} has no value: {error}", "failed") from None


def _written(value: Number) -> str:
    if isinstance(value, Fraction):
        value = value.numerator if value.denominator == 1 else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ToolFault("the value is too large", "too_large")
    return str(value) if isinstance(value, int) else repr(value)


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(Fraction(str(value)) if isinstance(value, float) else Fraction(value))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _value(inner)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left), _value(right))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _bounded(_OPERATORS[type(op)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _applied(name, [_value(arg) for arg in args])
    raise ToolFault(f"{ast.unparse(node)[:80]!r} is not allowed in arithmetic", "refused")


_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def _sqrt(value: Number) -> Number:
    exact = Fraction(value)
    if exact < 0:
        raise ToolFault("the square root of a negative number is no number", "failed")
    roots = math.isqrt(exact.numerator), math.isqrt(exact.denominator)
    is_square = roots[0] ** 2 == exact.numerator and roots[1] ** 2 == exact.denominator
    return Fraction(*roots) if is_square else math.sqrt(exact)


_FUNCTIONS: dict[str, tuple[Callable[..., Number], int, int]] = {
    "abs": (abs, 1, 1),
    "min": (lambda *values: min(values), 1, 100),
    "max": (lambda *values: max(values), 1, 100),
    "round": (lambda value, digits=0: round(Fraction(value), _whole(digits)), 1, 2),
    "sqrt": (_sqrt, 1, 1),
    "floor": (math.floor, 1, 1),
    "ceil": (math.ceil, 1, 1),
}
"""Name to what it does and how many arguments it takes, from and to."""


def _applied(name: str, args: list[Number]) -> Number:
    function, least, most = _FUNCTIONS[name]
    if not least <= len(args) <= most:
        raise ToolFault(f"{name} takes {least}{'' if least == most else f' to {most}'} arguments; got {len(args)}")
    return _bounded(function(*args))


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, float) or isinstance(exponent, float) or Fraction(exponent).denominator != 1:
        if base < 0:
            raise ToolFault("a root of a negative number is no real number", "failed")
        return math.pow(base, exponent)
    base, times = Fraction(base), _whole(exponent)
    if abs(times) * max(1, base.numerator.bit_length(), base.denominator.bit_length()) > _MOST_BITS:
        raise ToolFault("the power is too large", "too_large")
    return _bounded(base**times)


def _whole(value: Number) -> int:
    exact = Fraction(value)
    if abs(exact) > _MOST_BITS:
        raise ToolFault(f"an exponent may be {_MOST_BITS} at most", "too_large")
    if exact.denominator != 1:
        raise ToolFault(f"expected a whole number; got {float(exact):g}", "failed")
    return exact.numerator


def _bounded(value: Number) -> Number:
    if isinstance(value, Fraction):
        size = max(value.numerator.bit_length(), value.denominator.bit_length())
    else:
        size = value.bit_length() if isinstance(value, int) else 0
    if size > _MOST_BITS:
        raise ToolFault("a number on the way is too large", "too_large")
    return Fraction(value) if isinstance(value, int) else value
