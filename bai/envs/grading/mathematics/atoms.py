"""What an answer is made of at its smallest: numbers, names and LaTeX's commands."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from bai.envs.grading.mathematics.brackets import CLOSING, bracketed, matrix
from bai.envs.grading.mathematics.tokens import Token
from bai.envs.grading.mathematics.tree import Node, Unreadable, leaf, number

if TYPE_CHECKING:
    from bai.envs.grading.mathematics.parser import Parser

__all__ = ["argument", "atom"]

FUNCTIONS = {name: name for name in (
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "asin", "acos", "atan", "ln", "log", "exp",
    "floor", "ceil", "gcd", "lcm", "abs", "factorial",
)} | {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}  # fmt: skip
"""Functions by the names that they are written with."""
_CONSTANTS = {"pi": "pi", "infty": "oo", "infinity": "oo", "oo": "oo", "inf": "oo"}
_LETTERS = {"e": "e", "i": "i"}
_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "theta", "lambda", "mu", "rho", "sigma", "tau", "phi",
    "varphi", "omega", "ell",
)  # fmt: skip


# Atoms.


def atom(parser: Parser) -> Node:
    """Parses a value without what stands behind it: a number, a name with its arguments, or something in brackets."""
    token = parser.now
    if token.kind == "number":
        parser.next()
        return _number(parser, token.text)
    if token.kind == "name":
        parser.next()
        return _named(parser, token)
    if token.kind == "unit" and token.text == "dollar^1":
        parser.next()
        return parser.node("quantity", parser.factor(), value=token.text)
    if token.kind == "sign" and token.text in CLOSING:
        parser.next()
        return parser.deeper(lambda: bracketed(parser, token.text))
    raise parser.unexpected()


def _number(parser: Parser, text: str) -> Node:
    if "overline" in text:
        head, _, tail = text.removesuffix("}").partition("\\overline{")
        whole, _, fixed = head.partition(".")
        repeating = Fraction(int(tail), 10 ** len(fixed) * (10 ** len(tail) - 1))
        value = Fraction(int(whole + fixed or "0"), 10 ** len(fixed)) + repeating
        return parser.node("divide", number(str(value.numerator)), number(str(value.denominator)))
    digits, _, power = text.lower().partition("e")
    if power:
        return parser.node("multiply", number(digits), parser.node("power", number("10"), _whole(int(power))))
    return number(text)


def _named(parser: Parser, token: Token) -> Node:
    name = token.text
    if not token.command:
        return leaf("constant", _LETTERS[name]) if name in _LETTERS else leaf("symbol", name)
    if name in _CONSTANTS:
        return leaf("constant", _CONSTANTS[name])
    if name in _GREEK:
        return leaf("symbol", name)
    if name in FUNCTIONS:
        return parser.deeper(lambda: _call(parser, FUNCTIONS[name]))
    special: dict[str, Callable[[], Node]] = {
        "frac": partial(_fraction, parser),
        "sqrt": partial(_root, parser),
        "cbrt": lambda: parser.node("power", argument(parser), parser.node("divide", number("1"), number("3"))),
        "binom": lambda: parser.node("call", argument(parser), argument(parser), value="binomial"),
        "begin": partial(matrix, parser),
        "boxed": partial(argument, parser),
        "fbox": partial(argument, parser),
        "lfloor": lambda: _closed(parser, "rfloor", "floor"),
        "lceil": lambda: _closed(parser, "rceil", "ceil"),
        "lvert": lambda: _closed(parser, "rvert", "abs"),
        "emptyset": lambda: parser.node("set"),
        "varnothing": lambda: parser.node("set"),
    }
    if name not in special:
        raise Unreadable(f"the name {name[:20]!a} is not read")
    return parser.deeper(special[name])


def _closed(parser: Parser, end: str, name: str) -> Node:
    inside = parser.sum()
    parser.expect(end)
    return parser.node("call", inside, value=name)


def argument(parser: Parser) -> Node:
    """What a LaTeX command takes: a group, or one digit, letter or command."""
    if parser.take("{"):
        inside = parser.deeper(lambda: parser.listed(("}",)))
        parser.expect("}")
        return inside
    token = parser.now
    if token.kind == "number" and token.text.isdigit() and len(token.text) > 1:
        parser.tokens[parser.at] = Token("number", token.text[1:])
        return _number(parser, token.text[0])
    return parser.deeper(partial(atom, parser))


def _fraction(parser: Parser) -> Node:
    above = argument(parser)
    return parser.node("divide", above, argument(parser))


def _root(parser: Parser) -> Node:
    degree = number("2")
    if parser.take("["):
        degree = parser.sum()
        parser.expect("]")
    return parser.node("power", argument(parser), parser.node("divide", number("1"), degree))


def _call(parser: Parser, name: str) -> Node:
    power = base = None
    if name == "log" and parser.take("_"):
        base = argument(parser)
    if parser.take("^"):
        power = argument(parser)
    if parser.is_at("(", "{"):
        closing = CLOSING[parser.next().text]
        inside = parser.listed((closing,))
        parser.expect(closing)
        arguments = inside.parts if inside.kind == "list" else (inside,)
    else:
        arguments = (_bare_argument(parser),)
    if name in ("gcd", "lcm") or len(arguments) == 1:
        found = parser.node("call", *arguments, *([base] if base else []), value=name)
        return found if power is None else parser.node("power", found, power)
    raise Unreadable(f"{name} takes one argument")


def _bare_argument(parser: Parser) -> Node:
    r"""The argument of ``\sin 2x``: factors side by side, up to the next sign."""
    found = parser.factor()
    while parser.begins_factor() and not (parser.now.command and parser.now.text in FUNCTIONS):
        found = parser.node("multiply", found, parser.factor())
    return found


def _whole(value: int) -> Node:
    found = number(str(abs(value)))
    return Node("negate", (found,)) if value < 0 else found
