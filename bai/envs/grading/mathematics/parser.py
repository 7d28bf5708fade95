r"""A recursive-descent parser for answers, LaTeX or plain: a whitelist, so what is not named here is not read.

Bounds hold on length, digits, nesting and nodes (:mod:`bai.envs.grading.mathematics.cursor`), and nothing is ever
evaluated: what comes out is a tree. Readings that are ambiguous in writing are settled so:

* ``1\frac{4}{5}`` and ``1 4/5`` are mixed numbers: a whole number beside a proper fraction of whole numbers.
* ``1/2x`` is read from the left, ``(1/2)x``.
* ``\frac43`` and ``\sqrt2`` take one digit each, as LaTeX does; ``x^10`` takes the whole number.
* ``1,234`` outside of brackets is one number where every group after a comma has three digits; ``(1,234)`` is a pair.
* ``i`` is the imaginary unit and ``e`` Euler's number.
* ``52_8`` is a number in base eight.
* Words behind a value are its unit where they are one, and else passed over.
"""

from __future__ import annotations

from bai.envs.grading.mathematics.atoms import atom
from bai.envs.grading.mathematics.cursor import MAX_DEPTH, Cursor
from bai.envs.grading.mathematics.tokens import tidy, tokenize
from bai.envs.grading.mathematics.tree import Kind, Node, Unreadable, leaf

__all__ = ["Parser", "read"]

_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", "le": "<=", "leq": "<=", "ge": ">=",
    "geq": ">=", "ne": "!=", "neq": "!=", "in": "in", "lt": "<", "gt": ">", "leqslant": "<=", "geqslant": ">=",
}  # fmt: skip
_SIGNED: dict[str, Kind] = {"-": "negate", "pm": "plus_minus", "mp": "minus_plus"}
_TIMES = ("*", "times", "cdot", "ast")
_OVER = ("/", "div")


def read(text: str, *, thousands: bool = True) -> Node:
    """Reads an answer.

    Args:
        text: Any text.
        thousands: Whether ``1,234`` outside of brackets is one number.

    Raises:
        Unreadable: It is no mathematics that is read here, or beyond a bound.
    """
    found = Parser(tokenize(tidy(text), thousands=thousands)).whole()
    _expect_shallow(found)
    return found


def _expect_shallow(tree: Node) -> None:
    """Refuses what became deep without brackets, such as a tower of factorials; goes level by level, never deep."""
    level, depth = [tree], 0
    while level:
        level, depth = [part for node in level for part in node.parts], depth + 1
        if depth > 2 * MAX_DEPTH:
            raise Unreadable(f"it is nested over {MAX_DEPTH} deep")


class Parser(Cursor):
    """The grammar, from the loosest to the tightest."""

    def whole(self) -> Node:
        """Parses all there is."""
        tokens = self.tokens
        if all(token.kind in ("words", "unit") for token in tokens[:-1]) and tokens[0].kind == "words":
            return leaf("text", " ".join(token.text for token in tokens[:-1]))
        found = self.listed(("end",))
        if self.now.kind != "end":
            raise self.unexpected()
        return found

    def listed(self, ends: tuple[str, ...]) -> Node:
        """Parses items up to one of some ends: one, or a list."""
        items = [self.relation()]
        while self.take(",", ";", "or", "and"):
            while self.take("or", "and"):
                pass
            items.append(self.relation())
        if not (self.is_at(*ends) or self.now.kind == "end"):
            raise self.unexpected()
        return items[0] if len(items) == 1 else self.node("list", *items)

    def relation(self) -> Node:
        """Parses sides with the signs between them."""
        parts, signs = [self._union()], []
        while self.is_at(*_RELATIONS):
            signs.append(_RELATIONS[self.next().text])
            parts.append(self._union())
        return self.node("relation", *parts, value=" ".join(signs)) if signs else parts[0]

    def _union(self) -> Node:
        parts = [self.sum()]
        while self.take("cup", "union"):
            parts.append(self.sum())
        return parts[0] if len(parts) == 1 else self.node("union", *parts)

    def sum(self) -> Node:
        """Parses terms."""
        found, is_open = self._signed(), False
        while self.is_at("+", "-", "pm", "mp"):
            sign = self.next().text
            right = self._product()
            if sign in ("+", "-"):
                term = right if sign == "+" else self.node("negate", right)
                found = self.node("add", *(found.parts if is_open and found.kind == "add" else (found,)), term)
                is_open = True
            else:
                found = self.node("plus_minus" if sign == "pm" else "minus_plus", found, right)
        return found

    def _signed(self) -> Node:
        if self.is_at("+", "-", "pm", "mp"):
            sign = self.next().text
            if sign == "+":
                return self._product()
            return self.node(_SIGNED[sign], self._product())
        return self._product()

    def _product(self) -> Node:
        found = self.factor()
        while True:
            if self.take(*_TIMES):
                found = self.times(found, self.factor(signed=True))
            elif self.take(*_OVER):
                found = self._over(found, self.factor(signed=True))
            elif self.now.kind in ("unit", "words"):
                found = self._measured(found)
            elif self.begins_factor():
                found = self._beside(found)
            else:
                return found

    def _over(self, left: Node, right: Node) -> Node:
        if left.value == "side":
            return self._mixed(left.parts[0], self.node("divide", left.parts[1], right))
        return self.node("divide", left, right)

    def _beside(self, left: Node) -> Node:
        """What stands directly behind a factor: a product, or a mixed number."""
        token, right = self.now, self.factor()
        if left.kind == "number" and token.text == "frac":
            return self._mixed(left, right)
        if right.kind == "number":
            # Only `1 4/5` has two numbers side by side.
            if left.kind == "number" and token.spaced and self.is_at("/"):
                return self.node("multiply", left, right, value="side")
            raise Unreadable("a number stands directly behind another value")
        return self.times(left, right)

    def times(self, left: Node, right: Node) -> Node:
        """A product; a longer one of the same factors stays flat."""
        return self.node("multiply", *(left.parts if left.kind == "multiply" else (left,)), right)

    def _mixed(self, whole: Node, fraction: Node) -> Node:
        above, below = fraction.parts if fraction.kind == "divide" else (fraction, fraction)
        is_proper = (
            fraction.kind == "divide"
            and all(part.kind == "number" and part.value.isdigit() for part in (whole, above, below))
            and int(above.value) < int(below.value)
        )
        if is_proper:
            return self.node("mixed", whole, fraction)
        if all(part.kind == "number" for part in (above, below)):
            raise Unreadable("a number stands directly before a fraction that is not below one")
        return self.node("multiply", whole, fraction)

    def _measured(self, value: Node) -> Node:
        """A value and its unit; words that are none are passed over."""
        units = []
        while self.now.kind in ("unit", "words"):
            token = self.next()
            if token.kind == "unit":
                units.append(self._unit_power(token.text))
        if len(units) > 1:
            raise Unreadable("a value has several units")
        return self.node("quantity", value, value=units[0]) if units else value

    def _unit_power(self, unit: str) -> str:
        if not self.is_at("^"):
            return unit
        self.next()
        braced = self.take("{")
        token = self.next()
        if braced:
            self.expect("}")
        name, _, power = unit.partition("^")
        if token.text not in ("2", "3") or " " in unit:
            raise Unreadable("a unit has a power that is not read")
        return f"{name}^{int(power) * int(token.text)}"

    def begins_factor(self) -> bool:
        """Whether a factor may begin here."""
        token = self.now
        if token.kind == "number":
            return True
        if token.kind == "name":
            return token.text not in _RELATIONS and token.text not in (
                *_TIMES, *_OVER, "cup", "union", "pm", "mp", "or", "and", "end", "rvert", "rfloor", "rceil"
            )  # fmt: skip
        return token.kind == "sign" and (token.text in ("(", "[", "{", "\\{") or (token.text == "|" and not self.bars))

    def factor(self, *, signed: bool = False) -> Node:
        """Parses a value with its power."""
        if signed and self.take("-"):
            return self.deeper(lambda: self.node("negate", self.factor(signed=True)))
        base = self._behind(atom(self))
        if not self.take("^"):
            return base
        if self._is_degree():
            return self._behind(self.node("quantity", base, value="degree^1"))
        return self._behind(self.node("power", base, self.deeper(self._exponent)))

    def _is_degree(self) -> bool:
        if self.take("circ"):
            return True
        tokens = [token.text for token in self.tokens[self.at : self.at + 3]]
        if tokens == ["{", "circ", "}"]:
            self.at += 3
            return True
        return False

    def _exponent(self) -> Node:
        if self.take("-"):
            return self.node("negate", self.factor())
        return self.factor()

    def _behind(self, value: Node) -> Node:
        """Signs that follow a value: a factorial, a percentage, a subscript."""
        while True:
            if self.take("!"):
                value = self.node("call", value, value="factorial")
            elif self.take("%", "\\%"):
                value = self.node("percent", value)
            elif self.take("_"):
                value = self._subscripted(value)
            else:
                return value

    def _subscripted(self, value: Node) -> Node:
        braced = self.take("{")
        token = self.next()
        if braced:
            self.expect("}")
        if value.kind == "symbol" and token.kind in ("number", "name"):
            return leaf("symbol", f"{value.value}_{token.text}")
        is_whole = value.kind == "number" and value.value.isdigit() and token.text in map(str, range(2, 11))
        if is_whole and int(max(value.value)) < int(token.text):
            return self.node("based", value, value=token.text)
        raise Unreadable("a subscript is not read there")
