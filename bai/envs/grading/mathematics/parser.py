r"""A recursive-descent parser for answers, LaTeX or plain: a whitelist, so what is not named here is not read.

Bounds hold on length, digits, nesting and nodes (:data:`MAX_DEPTH`, :data:`MAX_NODES`), and nothing is ever evaluated:
what comes out is a tree. Readings that are ambiguous in writing are settled so:

* ``1\frac{4}{5}`` and ``1 4/5`` are mixed numbers: a whole number beside a proper fraction of whole numbers.
* ``1/2x`` is read from the left, ``(1/2)x``.
* ``\frac43`` and ``\sqrt2`` take one digit each, as LaTeX does; ``x^10`` takes the whole number.
* ``1,234`` outside of brackets is one number where every group after a comma has three digits; ``(1,234)`` is a pair.
* ``i`` is the imaginary unit and ``e`` Euler's number.
* ``52_8`` is a number in base eight.
* Words behind a value are its unit where they are one, and else passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from bai.envs.grading.mathematics.tokens import Token, tidy, tokenize
from bai.envs.grading.mathematics.tree import Node, Unreadable, leaf, number

__all__ = ["MAX_DEPTH", "MAX_NODES", "read"]

MAX_DEPTH = 40
"""Deepest nesting."""
MAX_NODES = 1_000
"""Most nodes of an answer."""

_FUNCTIONS = {
    **{
        name: name
        for name in [
            "sin",
            "cos",
            "tan",
            "cot",
            "sec",
            "csc",
            "sinh",
            "cosh",
            "tanh",
            "ln",
            "log",
            "exp",
            "floor",
            "ceil",
            "gcd",
            "lcm",
            "abs",
        ]
    },
    **{name: "a" + name.removeprefix("arc") for name in ("arcsin", "arccos", "arctan")},
    **{name: name for name in ("asin", "acos", "atan", "factorial")},
}
_CONSTANTS = {"pi": "pi", "infty": "oo", "infinity": "oo", "oo": "oo", "inf": "oo"}
_LETTERS = {"e": "e", "i": "i"}
_GREEK = frozenset(
    [
        "theta",
        "alpha",
        "beta",
        "gamma",
        "lambda",
        "mu",
        "sigma",
        "phi",
        "omega",
        "delta",
        "rho",
        "tau",
        "varphi",
        "varepsilon",
        "epsilon",
        "ell",
    ]
)
_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", "le": "<=", "leq": "<=", "ge": ">=",
    "geq": ">=", "ne": "!=", "neq": "!=", "in": "in", "lt": "<", "gt": ">", "leqslant": "<=", "geqslant": ">=",
}  # fmt: skip
_TIMES = ("*", "times", "cdot", "ast")
_OVER = ("/", "div")
_CLOSING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "|": "|", "\\|": "\\|"}
_MATRICES = ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "smallmatrix", "array")


def read(text: str, *, thousands: bool = True) -> Node:
    """Reads an answer.

    Args:
        text: Any text.
        thousands: Whether ``1,234`` outside of brackets is one number.

    Raises:
        Unreadable: It is no mathematics that is read here, or beyond a bound.
    """
    found = _Parser(tokenize(tidy(text), thousands=thousands)).whole()
    _expect_shallow(found)
    return found


def _expect_shallow(tree: Node) -> None:
    """Refuses what became deep without brackets, such as a tower of factorials; goes level by level, never deep."""
    level, depth = [tree], 0
    while level:
        level, depth = [part for node in level for part in node.parts], depth + 1
        if depth > 2 * MAX_DEPTH:
            raise Unreadable(f"it is nested over {MAX_DEPTH} deep")


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._count = 0
        self._bars = 0

    def whole(self) -> Node:
        tokens = self._tokens
        if all(token.kind in ("words", "unit") for token in tokens[:-1]) and tokens[0].kind == "words":
            return leaf("text", " ".join(token.text for token in tokens[:-1]))
        found = self._listed(("end",))
        if self._now.kind != "end":
            raise self._unexpected()
        return found

    # Tokens.

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _is(self, *texts: str) -> bool:
        token = self._now
        return token.text in texts and (token.kind == "sign" or (token.kind == "name" and token.command))

    def _take(self, *texts: str) -> bool:
        if self._is(*texts):
            self._next()
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(f"; {text} was expected")

    def _unexpected(self, more: str = "") -> Unreadable:
        found = repr(self._now.text[:20]) if self._now.kind != "end" else "the end"
        return Unreadable(f"{ascii(found)[1:-1]} is not expected there{more}")

    def _node(self, kind: str, *parts: Node, value: str = "") -> Node:
        self._count += 1
        if self._count > MAX_NODES:
            raise Unreadable(f"it has over {MAX_NODES} parts")
        return Node(kind, parts, value)  # type: ignore[arg-type]

    def _deeper(self, parse: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"it is nested over {MAX_DEPTH} deep")
        found = parse()
        self._depth -= 1
        return found

    # From the loosest to the tightest.

    def _listed(self, ends: tuple[str, ...]) -> Node:
        items = [self._relation()]
        while self._take(",", ";", "or", "and"):
            while self._take("or", "and"):
                pass
            items.append(self._relation())
        if not (self._is(*ends) or self._now.kind == "end"):
            raise self._unexpected()
        return items[0] if len(items) == 1 else self._node("list", *items)

    def _relation(self) -> Node:
        parts, signs = [self._union()], []
        while self._is(*_RELATIONS):
            signs.append(_RELATIONS[self._next().text])
            parts.append(self._union())
        return self._node("relation", *parts, value=" ".join(signs)) if signs else parts[0]

    def _union(self) -> Node:
        parts = [self._sum()]
        while self._take("cup", "union"):
            parts.append(self._sum())
        return parts[0] if len(parts) == 1 else self._node("union", *parts)

    def _sum(self) -> Node:
        found, is_open = self._signed(), False
        while self._is("+", "-", "pm", "mp"):
            sign = self._next().text
            right = self._product()
            if sign in ("+", "-"):
                term = right if sign == "+" else self._node("negate", right)
                found = self._node("add", *(found.parts if is_open and found.kind == "add" else (found,)), term)
                is_open = True
            else:
                found = self._node("plus_minus" if sign == "pm" else "minus_plus", found, right)
        return found

    def _signed(self) -> Node:
        if self._is("+", "-", "pm", "mp"):
            sign = self._next().text
            if sign == "+":
                return self._product()
            kind = {"-": "negate", "pm": "plus_minus", "mp": "minus_plus"}[sign]
            return self._node(kind, self._product())
        return self._product()

    def _product(self) -> Node:
        found = self._factor()
        while True:
            if self._take(*_TIMES):
                found = self._times(found, self._factor(signed=True))
            elif self._take(*_OVER):
                found = self._over(found, self._factor(signed=True))
            elif self._now.kind in ("unit", "words"):
                found = self._measured(found)
            elif self._begins_factor():
                found = self._beside(found)
            else:
                return found

    def _over(self, left: Node, right: Node) -> Node:
        if left.value == "side":
            return self._mixed(left.parts[0], self._node("divide", left.parts[1], right))
        return self._node("divide", left, right)

    def _beside(self, left: Node) -> Node:
        """What stands directly behind a factor: a product, or a mixed number."""
        token, right = self._now, self._factor()
        if left.kind == "number" and token.text == "frac":
            return self._mixed(left, right)
        if right.kind == "number":
            # Only `1 4/5` has two numbers side by side.
            if left.kind == "number" and token.spaced and self._is("/"):
                return self._node("multiply", left, right, value="side")
            raise Unreadable("a number stands directly behind another value")
        return self._times(left, right)

    def _times(self, left: Node, right: Node) -> Node:
        """A product; a longer one of the same factors stays flat."""
        return self._node("multiply", *(left.parts if left.kind == "multiply" else (left,)), right)

    def _mixed(self, whole: Node, fraction: Node) -> Node:
        above, below = (fraction.parts + (fraction, fraction))[:2]
        is_proper = (
            fraction.kind == "divide"
            and all(part.kind == "number" and part.value.isdigit() for part in (whole, above, below))
            and int(above.value) < int(below.value)
        )
        if is_proper:
            return self._node("mixed", whole, fraction)
        if all(part.kind == "number" for part in (above, below)):
            raise Unreadable("a number stands directly before a fraction that is not below one")
        return self._node("multiply", whole, fraction)

    def _measured(self, value: Node) -> Node:
        """A value and its unit; words that are none are passed over."""
        units = []
        while self._now.kind in ("unit", "words"):
            token = self._next()
            if token.kind == "unit":
                units.append(self._unit_power(token.text))
        if len(units) > 1:
            raise Unreadable("a value has several units")
        return self._node("quantity", value, value=units[0]) if units else value

    def _unit_power(self, unit: str) -> str:
        if not self._is("^"):
            return unit
        self._next()
        braced = self._take("{")
        token = self._next()
        if braced:
            self._expect("}")
        name, _, power = unit.partition("^")
        if token.text not in ("2", "3") or " " in unit:
            raise Unreadable("a unit has a power that is not read")
        return f"{name}^{int(power) * int(token.text)}"

    def _begins_factor(self) -> bool:
        token = self._now
        if token.kind == "number":
            return True
        if token.kind == "name":
            return token.text not in _RELATIONS and token.text not in (
                *_TIMES, *_OVER, "cup", "union", "pm", "mp", "or", "and", "end"
            )  # fmt: skip
        return token.kind == "sign" and (token.text in ("(", "[", "{", "\\{") or (token.text == "|" and not self._bars))

    def _factor(self, *, signed: bool = False) -> Node:
        if signed and self._take("-"):
            return self._deeper(lambda: self._node("negate", self._factor(signed=True)))
        base = self._behind(self._atom())
        if not self._take("^"):
            return base
        if self._is_degree():
            return self._behind(self._node("quantity", base, value="degree^1"))
        return self._behind(self._node("power", base, self._deeper(self._exponent)))

    def _is_degree(self) -> bool:
        if self._take("circ"):
            return True
        tokens = [token.text for token in self._tokens[self._at : self._at + 3]]
        if tokens == ["{", "circ", "}"]:
            self._at += 3
            return True
        return False

    def _exponent(self) -> Node:
        if self._take("-"):
            return self._node("negate", self._factor())
        return self._factor()

    def _behind(self, value: Node) -> Node:
        """Signs that follow a value: a factorial, a percentage, a subscript."""
        while True:
            if self._take("!"):
                value = self._node("call", value, value="factorial")
            elif self._take("%", "\\%"):
                value = self._node("percent", value)
            elif self._take("_"):
                value = self._subscripted(value)
            else:
                return value

    def _subscripted(self, value: Node) -> Node:
        braced = self._take("{")
        token = self._next()
        if braced:
            self._expect("}")
        if value.kind == "symbol" and token.kind in ("number", "name"):
            return leaf("symbol", f"{value.value}_{token.text}")
        if value.kind == "number" and token.text.isdigit() and value.value.isdigit() and 2 <= int(token.text) <= 10:
            if max(value.value) < str(int(token.text)) or token.text == "10":
                return self._node("based", value, value=token.text)
        raise Unreadable("a subscript is not read there")

    # Atoms.

    def _atom(self) -> Node:
        token = self._now
        if token.kind == "number":
            self._next()
            return self._number(token.text)
        if token.kind == "name":
            self._next()
            return self._named(token)
        if token.kind == "unit" and token.text == "dollar^1":
            self._next()
            return self._node("quantity", self._factor(), value=token.text)
        if token.kind == "sign" and token.text in _CLOSING:
            self._next()
            return self._deeper(lambda: self._bracketed(token.text))
        raise self._unexpected()

    def _number(self, text: str) -> Node:
        self._count += 1
        if "overline" in text:
            head, _, tail = text.removesuffix("}").partition("\\overline{")
            whole, _, fixed = head.partition(".")
            repeating = Fraction(int(tail), 10 ** len(fixed) * (10 ** len(tail) - 1))
            value = Fraction(int(whole + fixed or "0"), 10 ** len(fixed)) + repeating
            return self._node("divide", number(str(value.numerator)), number(str(value.denominator)))
        digits, _, power = text.lower().partition("e")
        if power:
            return self._node("multiply", number(digits), self._node("power", number("10"), _whole(int(power))))
        return number(text)

    def _named(self, token: Token) -> Node:
        name = token.text
        if not token.command:
            return leaf("constant", _LETTERS[name]) if name in _LETTERS else leaf("symbol", name)
        if name in _CONSTANTS:
            return leaf("constant", _CONSTANTS[name])
        if name in _GREEK:
            return leaf("symbol", name)
        if name in _FUNCTIONS:
            return self._deeper(lambda: self._call(_FUNCTIONS[name]))
        special = {
            "frac": self._fraction,
            "sqrt": self._root,
            "cbrt": lambda: self._node("power", self._argument(), self._node("divide", number("1"), number("3"))),
            "binom": lambda: self._node("call", self._argument(), self._argument(), value="binomial"),
            "begin": self._matrix,
            "boxed": self._argument,
            "fbox": self._argument,
            "lfloor": lambda: self._closed("rfloor", "floor"),
            "lceil": lambda: self._closed("rceil", "ceil"),
            "lvert": lambda: self._closed("rvert", "abs"),
            "emptyset": lambda: self._node("set"),
            "varnothing": lambda: self._node("set"),
        }
        if name not in special:
            raise Unreadable(f"the name {name[:20]!a} is not read")
        return self._deeper(special[name])

    def _closed(self, end: str, name: str) -> Node:
        inside = self._sum()
        self._expect(end)
        return self._node("call", inside, value=name)

    def _argument(self) -> Node:
        """What a LaTeX command takes: a group, or one digit, letter or command."""
        if self._take("{"):
            inside = self._deeper(lambda: self._listed(("}",)))
            self._expect("}")
            return inside
        token = self._now
        if token.kind == "number" and token.text.isdigit() and len(token.text) > 1:
            self._tokens[self._at] = Token("number", token.text[1:])
            return self._number(token.text[0])
        return self._deeper(self._atom)

    def _fraction(self) -> Node:
        above = self._argument()
        return self._node("divide", above, self._argument())

    def _root(self) -> Node:
        degree = number("2")
        if self._take("["):
            degree = self._sum()
            self._expect("]")
        return self._node("power", self._argument(), self._node("divide", number("1"), degree))

    def _call(self, name: str) -> Node:
        power = base = None
        if name == "log" and self._take("_"):
            base = self._argument()
        if self._take("^"):
            power = self._argument()
        if self._is("(", "{"):
            closing = _CLOSING[self._next().text]
            inside = self._listed((closing,))
            self._expect(closing)
            arguments = inside.parts if inside.kind == "list" else (inside,)
        else:
            arguments = (self._bare_argument(),)
        if name in ("gcd", "lcm") or len(arguments) == 1:
            found = self._node("call", *arguments, *([base] if base else []), value=name)
            return found if power is None else self._node("power", found, power)
        raise Unreadable(f"{name} takes one argument")

    def _bare_argument(self) -> Node:
        """The argument of ``\\sin 2x``: factors side by side, up to the next sign."""
        found = self._factor()
        while self._begins_factor() and not (self._now.command and self._now.text in _FUNCTIONS):
            found = self._node("multiply", found, self._factor())
        return found

    def _bracketed(self, opening: str) -> Node:
        if opening in ("|", "\\|"):
            return self._absolute(opening)
        if opening == "\\{":
            if self._take("\\}"):
                return self._node("set")
            inside = self._listed(("\\}",))
            self._expect("\\}")
            return self._node("set", *(inside.parts if inside.kind == "list" else (inside,)))
        bars, self._bars = self._bars, 0
        if opening == "{" and self._take("}"):
            return self._node("set")
        inside = self._listed((")", "]", "}"))
        self._bars = bars
        return self._closed_by(opening, inside)

    def _closed_by(self, opening: str, inside: Node) -> Node:
        closing = self._next().text
        items = inside.parts if inside.kind == "list" else (inside,)
        if opening == "{":
            if closing != "}":
                raise Unreadable("a brace is not closed")
            return inside if len(items) == 1 else self._node("set", *items)
        if closing not in (")", "]"):
            raise Unreadable("a bracket is not closed")
        if opening == "[" and closing == "]" and all(item.kind in ("interval", "row") for item in items):
            return self._node("matrix", *(self._node("row", *item.parts) for item in items))
        if opening == "[" and closing == "]" and len(items) != 2:
            return self._node("row", *items) if len(items) > 2 else inside
        if len(items) == 1 and opening + closing == "()":
            return inside
        if opening + closing == "()":
            return self._node("pair", *items)
        if len(items) != 2:
            raise Unreadable("an interval has two ends")
        return self._node("interval", *items, value=opening + closing)

    def _absolute(self, opening: str) -> Node:
        self._bars += 1
        inside = self._sum()
        self._expect(opening)
        self._bars -= 1
        return self._node("call", inside, value="abs")

    def _matrix(self) -> Node:
        name = self._environment()
        if name not in _MATRICES:
            raise Unreadable(f"the environment {name[:20]!a} is not read")
        if name == "array" and self._take("{"):
            while not self._take("}"):
                if self._next().kind == "end":
                    raise self._unexpected()
        rows, row = [], [self._relation()]
        while not self._take("end"):
            if self._take("&"):
                row.append(self._relation())
            elif self._take("\\\\"):
                rows.append(self._node("row", *row))
                if self._is("end"):
                    row = []
                    continue
                row = [self._relation()]
            else:
                raise self._unexpected()
        if self._environment() != name:
            raise Unreadable("a matrix is not closed")
        rows += [self._node("row", *row)] if row else []
        if len({len(item.parts) for item in rows}) != 1:
            raise Unreadable("the rows of a matrix differ in length")
        return self._node("matrix", *rows)

    def _environment(self) -> str:
        self._expect("{")
        name = ""
        while self._now.kind in ("name", "words"):
            name += self._next().text
        self._expect("}")
        return name


def _whole(value: int) -> Node:
    found = number(str(abs(value)))
    return Node("negate", (found,)) if value < 0 else found
