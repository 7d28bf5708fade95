"""Problems with symbols and with more than one number in the answer: equations, roots, sets, polynomials, matrices."""

from __future__ import annotations

from fractions import Fraction

from bai.envs.tasks.maths.draw import Draw, Kind, Problem, combined, latex

__all__ = ["SYMBOL_KINDS"]


def _linear(draw: Draw, level: int) -> Problem:
    a, b = draw.whole(2, 4 + level), draw.whole(-9, 9)
    if level < 4:
        x = draw.whole(1, 9) if level == 2 else draw.whole(-12, 12)
        right = a * x + b
        way = (f"{a}x = {right} - ({b}) = {a * x}", f"x = {a * x} / {a} = {x}")
        return Problem(f"Solve {combined((a, 'x'), (b, ''))} = {right} for x.", f"x = {x}", way)
    c, d = draw.other(-9, 9, 0, a), draw.whole(-20, 20)
    value = Fraction(d - b, a - c)
    left, other = combined((a, "x"), (b, "")), combined((c, "x"), (d, ""))
    steps = (f"({a} - ({c}))x = {d} - ({b})", f"{a - c}x = {d - b}", f"x = {latex(value)}")
    return Problem(f"Solve {left} = {other} for x.", f"x = {latex(value)}", steps)


def _inequality(draw: Draw, level: int) -> Problem:
    a, b, x = draw.whole(2, 9), draw.whole(-9, 9), draw.whole(-9, 9)
    sign = draw.pick((">", "<"))
    gold = f"({x}, \\infty)" if sign == ">" else f"(-\\infty, {x})"
    steps = (f"{a}x {sign} {a * x}", f"x {sign} {x}")
    return Problem(f"Solve {combined((a, 'x'), (b, ''))} {sign} {a * x + b}; give the interval of x.", gold, steps)


def _root(draw: Draw, level: int) -> Problem:
    factor, inside = draw.whole(2, 2 + 2 * level), draw.pick((2, 3, 5, 6, 7, 10))
    number = factor * factor * inside
    steps = (f"{number} = {factor}^2 * {inside}", f"\\sqrt{{{number}}} = {factor}\\sqrt{{{inside}}}")
    question = f"Write $\\sqrt{{{number}}}$ as $a\\sqrt{{b}}$ with the smallest whole b; give (a, b)."
    return Problem(question, f"({factor}, {inside})", steps)


def _sets(draw: Draw, level: int) -> Problem:
    size = level + 1
    shared = draw.some(range(1, 10 * level), 3 * size)
    first, second = sorted(shared[: 2 * size]), sorted(shared[size:])
    name, symbol = draw.pick((("union", "\\cup"), ("intersection", "\\cap")))
    found = sorted({*first, *second} if name == "union" else {*first} & {*second})
    one, other, gold = (f"\\{{{', '.join(map(str, items))}\\}}" for items in (first, second, found))
    both = ", ".join(str(item) for item in first if item in second)
    return Problem(f"What is ${one} {symbol} {other}$?", gold, (f"In both: {both}.", f"The {name} is ${gold}$."))


def _expansion(draw: Draw, level: int) -> Problem:
    a, b, c = draw.other(-9, 9, 0), draw.other(-9, 9, 0), 1 if level < 5 else draw.whole(2, 5)
    middle = b + a * c
    steps = (f"The terms in x are {b}x and {a * c}x, together {middle}x.", f"The rest is {a} * {b} = {a * b}.")
    product = f"({combined((1, 'x'), (a, ''))})({combined((c, 'x'), (b, ''))})"
    question = f"Expand {product}; give the factors of x^2, x and 1 as (a, b, c)."
    return Problem(question, f"({c}, {middle}, {a * b})", steps)


def _quadratic(draw: Draw, level: int) -> Problem:
    one = draw.whole(-9, 9)
    other = draw.other(-9, 9, one)
    equation = combined((1, "x^2"), (-one - other, "x"), (one * other, ""))
    question = f"Solve {equation} = 0; give all solutions, separated by commas."
    low, high = sorted((one, other))
    steps = (f"The numbers {one} and {other} add up to {one + other}.", f"Their product is {one * other}.")
    return Problem(question, f"{low}, {high}", steps)


def _matrix(draw: Draw, level: int) -> Problem:
    a, b, c, d, x, y = (draw.whole(-5, 5) for _ in range(6))
    rows = (a * x + b * y, c * x + d * y)
    left = f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {d} \\end{{pmatrix}}"
    right = f"\\begin{{pmatrix}} {x} \\\\ {y} \\end{{pmatrix}}"
    gold = f"\\begin{{pmatrix}} {rows[0]} \\\\ {rows[1]} \\end{{pmatrix}}"
    steps = (f"{a} * {x} + {b} * {y} = {rows[0]}", f"{c} * {x} + {d} * {y} = {rows[1]}")
    return Problem(f"Compute ${left} {right}$.", gold, steps)


def _complex(draw: Draw, level: int) -> Problem:
    a, b, c, d = (draw.other(-6, 6, 0) for _ in range(4))
    real, imaginary = a * c - b * d, a * d + b * c
    steps = (f"{a} * {c} - {b} * {d} = {real}", f"{a} * {d} + {b} * {c} = {imaginary}")
    product = f"({combined((a, ''), (b, 'i'))})({combined((c, ''), (d, 'i'))})"
    question = f"Compute {product}; give its real and its imaginary part as (a, b)."
    return Problem(question, f"({real}, {imaginary})", steps)


SYMBOL_KINDS: dict[str, tuple[int, Kind]] = {
    "linear": (2, _linear),
    "sets": (3, _sets),
    "root": (3, _root),
    "expansion": (4, _expansion),
    "quadratic": (4, _quadratic),
    "inequality": (4, _inequality),
    "complex": (5, _complex),
    "matrix": (5, _matrix),
}
"""Name to the first level that has it, and what makes it."""
