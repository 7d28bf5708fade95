"""Gold answers said in other words, and said wrong, by writing their trees anew."""

from __future__ import annotations

import cmath
import math
import random
from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest

from bai.envs.grading.mathematics.algebra import Algebra
from bai.envs.grading.mathematics.comparing import Comparer
from bai.envs.grading.mathematics.parser import read
from bai.envs.grading.mathematics.tree import Node


@pytest.fixture(scope="session")
def comparer() -> Comparer:
    """Compares within a generous limit, so that a slow machine never meets it."""
    return Comparer(Algebra(wall_s=60.0))


class Writer:
    """Writes a tree in a style of its own; every style changes more than spaces.

    Args:
        rng: Draws the changes.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def write(self, node: Node) -> str:
        method = getattr(self, f"write_{node.kind}", None)
        return method(node) if method else self.plain(node)

    def factor(self, node: Node) -> str:
        simple = node.kind in ("number", "symbol", "constant", "call") and not node.value.startswith("-")
        return self.write(node) if simple else f"({self.write(node)})"

    def joined(self, node: Node, comma: str = ", ") -> str:
        return comma.join(map(self.write, node.parts))

    def write_number(self, node: Node) -> str:
        return node.value

    def write_symbol(self, node: Node) -> str:
        return node.value

    def write_constant(self, node: Node) -> str:
        return {"pi": "\\pi", "oo": "\\infty"}.get(node.value, node.value)

    def write_add(self, node: Node) -> str:
        terms = list(node.parts)
        self.rng.shuffle(terms)
        return " + ".join(map(self.factor, terms))

    def write_multiply(self, node: Node) -> str:
        factors = list(node.parts)
        self.rng.shuffle(factors)
        return " * ".join(map(self.factor, factors))

    def write_negate(self, node: Node) -> str:
        return f"-{self.factor(node.parts[0])}"

    def write_divide(self, node: Node) -> str:
        return f"\\frac{{{self.write(node.parts[0])}}}{{{self.write(node.parts[1])}}}"

    def write_mixed(self, node: Node) -> str:
        whole, part = node.parts
        value = int(whole.value) + Fraction(int(part.parts[0].value), int(part.parts[1].value))
        return f"{value.numerator}/{value.denominator}"

    def write_power(self, node: Node) -> str:
        base, exponent = node.parts
        if exponent.kind == "divide" and [part.value for part in exponent.parts] == ["1", "2"]:
            return f"\\sqrt{{{self.write(base)}}}"
        return f"{self.factor(base)}^{{{self.write(exponent)}}}"

    def write_call(self, node: Node) -> str:
        return f"\\{node.value}({self.joined(node)})"

    def write_quantity(self, node: Node) -> str:
        return self.write(node.parts[0])  # the unit is what the question fixed

    def write_based(self, node: Node) -> str:
        return f"{node.parts[0].value}_{{{node.value}}}"

    def write_plus_minus(self, node: Node) -> str:
        first, second = map(self.factor, node.parts)
        return f"{first} - {second}, {first} + {second}"

    def write_list(self, node: Node) -> str:
        items = list(node.parts)
        self.rng.shuffle(items)
        return " or ".join(map(self.write, items))

    def write_set(self, node: Node) -> str:
        items = list(node.parts)
        self.rng.shuffle(items)
        return f"\\{{{', '.join(map(self.write, items))}\\}}"

    def write_pair(self, node: Node) -> str:
        return f"\\left({self.joined(node, ',')}\\right)"

    def write_interval(self, node: Node) -> str:
        return f"{node.value[0]}{self.joined(node)}{node.value[1]}"

    def write_union(self, node: Node) -> str:
        return " \\cup ".join(map(self.write, reversed(node.parts)))

    def write_matrix(self, node: Node) -> str:
        rows = " \\\\ ".join(" & ".join(map(self.write, row.parts)) for row in node.parts)
        return f"\\begin{{bmatrix}}{rows}\\end{{bmatrix}}"

    def write_relation(self, node: Node) -> str:
        sign = "\\in" if node.value == "in" else node.value
        return f" {sign} ".join(map(self.write, node.parts))

    def write_text(self, node: Node) -> str:
        return f"\\textbf{{{node.value.upper()}}}"

    def plain(self, node: Node) -> str:
        raise AssertionError(f"no way to write a {node.kind}")


class Commuted(Writer):
    """Sums and products in another order, numbers with separators, in a box's LaTeX."""

    def write_number(self, node: Node) -> str:
        whole = node.value.isdigit() and len(node.value) > 3
        return f"{int(node.value):,}".replace(",", ",\\!") if whole else node.value.rstrip()

    def write_divide(self, node: Node) -> str:
        return f"\\dfrac{{ {self.write(node.parts[0])} }}{{ {self.write(node.parts[1])} }}"


class Plain(Writer):
    """Without LaTeX: slashes, sqrt(), decimals with zeros behind them."""

    def write_number(self, node: Node) -> str:
        if node.value.isdigit():
            return f"{node.value}.0" if self.rng.random() < 0.5 else f"0{node.value}"
        return f"{node.value}0"

    def write_constant(self, node: Node) -> str:
        return {"oo": "infinity"}.get(node.value, node.value)

    def write_divide(self, node: Node) -> str:
        above, below = node.parts
        value = below.value if below.kind == "number" and below.value.isdigit() else ""
        if above.kind == "number" and above.value.isdigit() and value and 10**6 % int(value) == 0:
            return f"{int(above.value) / int(value):.6f}"
        return f"{self.factor(above)}/{self.factor(below)}"

    def write_power(self, node: Node) -> str:
        return f"{self.factor(node.parts[0])}**({self.write(node.parts[1])})"


class Scaled(Writer):
    """Fractions that can be reduced, a unit where there was one, or the name of what was found."""

    def write_number(self, node: Node) -> str:
        factor = self.rng.randint(2, 9)
        value = Fraction("0" + node.value if node.value[0] == "." else node.value)
        return f"\\frac{{{value.numerator * factor}}}{{{value.denominator * factor}}}"

    def factor(self, node: Node) -> str:
        return f"({self.write(node)})"

    def write_divide(self, node: Node) -> str:
        factor = self.rng.randint(2, 9)
        if all(part.kind == "number" and part.value.isdigit() for part in node.parts):
            above, below = (int(part.value) * factor for part in node.parts)
            return f"\\frac{{{above}}}{{{below}}}"
        above, below = map(self.factor, node.parts)
        return f"\\frac{{{factor}{above}}}{{{factor}{below}}}"

    def write_power(self, node: Node) -> str:
        base, exponent = node.parts
        return f"{self.factor(base)}^{{{Writer(self.rng).write(exponent)}}}"

    def write_quantity(self, node: Node) -> str:
        name, _, power = node.value.partition("^")
        return f"{self.write(node.parts[0])} \\text{{ {name}}}" + (f"^{power}" if power != "1" else "")

    def write_text(self, node: Node) -> str:
        return f"{node.value}."

    def write_based(self, node: Node) -> str:
        return f"{node.parts[0].value}"


@pytest.fixture(scope="session")
def rewritten() -> Callable[[str, random.Random], Iterator[str]]:
    """Gives three other forms of a gold answer."""

    def rewrite(gold: str, rng: random.Random) -> Iterator[str]:
        tree = read(gold)
        for style in (Commuted, Plain, Scaled):
            form = style(rng).write(tree)
            unchanged = "".join(form.split()) == "".join(gold.split())
            yield f"x = {form}" if unchanged and tree.kind in ("number", "negate", "symbol", "constant") else form

    return rewrite


def _changed(node: Node, place: int, rng: random.Random) -> Node:
    """The same tree with its number at a place, from the left, another one."""
    seen = -1

    def go(each: Node) -> Node:
        nonlocal seen
        if each.kind == "number":
            seen += 1
            if seen == place:
                step = rng.choice([1, 2, 7, 10])
                return Node("number", (), str(int(each.value) + step) if each.value.isdigit() else f"{each.value}7")
        return Node(each.kind, tuple(map(go, each.parts)), each.value)

    return go(node)


def _value(node: Node) -> complex:
    """What a tree of one value comes to in floating point, its symbols given values."""
    values = [_value(part) for part in node.parts]
    match node.kind:
        case "number":
            return complex(float(node.value))
        case "symbol":
            return complex(1.37 + sum(map(ord, node.value)) / 1000)
        case "constant":
            return {"pi": complex(math.pi), "e": complex(math.e), "i": 1j, "oo": complex(1e9)}[node.value]
        case "add" | "mixed":
            return sum(values)
        case "multiply":
            return math.prod(values)
        case "negate":
            return -values[0]
        case "divide":
            return values[0] / values[1]
        case "power":
            return values[0] ** values[1]
        case "call":
            return cmath.cos(values[0]) / cmath.sin(values[0])
        case "based":
            return complex(int(node.parts[0].value, 10))
    # Of several values one stands for all: each has its own weight.
    return sum(value * weight for weight, value in enumerate(values, start=2)) if values else 0j


@pytest.fixture(scope="session")
def perturbed() -> Callable[[str, random.Random], str]:
    """Gives a wrong answer that looks like the gold one: a number in it is another, and so is its value."""

    def perturb(gold: str, rng: random.Random) -> str:
        tree = read(gold)
        if tree.kind == "text":
            return f"\\text{{un{tree.value.strip('()')}}}"
        numbers = sum(node.kind == "number" for node in tree.nodes())
        if not numbers:
            return f"{Writer(rng).write(tree)} + 1" if tree.kind != "relation" else "y = -17x + 1"
        while True:
            other = _changed(tree, rng.randrange(numbers), rng)
            digits = [int(n.parts[0].value, int(n.value)) for n in other.nodes() if n.kind == "based" and _fits(n)]
            fits = len(digits) == sum(node.kind == "based" for node in other.nodes())
            if fits and abs(_value(other) - _value(tree)) > 1e-13 * (1 + abs(_value(tree))):
                return Commuted(rng).write(other)

    return perturb


def _fits(node: Node) -> bool:
    return max(node.parts[0].value) < node.value
