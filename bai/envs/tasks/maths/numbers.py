"""Problems of numbers: sums, fractions, percentages, divisors, sequences, units."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

from bai.envs.tasks.maths.draw import Draw, Kind, Problem, latex

__all__ = ["NUMBER_KINDS"]


def _sum(draw: Draw, level: int) -> Problem:
    top = (9, 50, 99, 500, 999)[level - 1]
    numbers = [draw.whole(0 if level == 1 else 2, top) for _ in range((2, 2, 3, 4, 5)[level - 1])]
    signs = [draw.pick("+-") for _ in numbers[1:]]
    if level == 1 and signs == ["-"]:
        numbers.sort(reverse=True)  # nothing below zero yet
    text, total, steps = str(numbers[0]), numbers[0], []
    for sign, number in zip(signs, numbers[1:], strict=True):
        after = total + number if sign == "+" else total - number
        steps.append(f"{total} {sign} {number} = {after}")
        text, total = f"{text} {sign} {number}", after
    return Problem(f"{text} = ?", str(total), tuple(steps))


def _product(draw: Draw, level: int) -> Problem:
    top = (5, 9, 20, 50, 99)[level - 1]
    a, b, c = draw.whole(2, top), draw.whole(2, 12), draw.whole(1, top)
    if level == 1:
        return Problem(f"{a} * {b % 4 + 2} = ?", str(a * (b % 4 + 2)), (f"{a} * {b % 4 + 2} = {a * (b % 4 + 2)}",))
    if level < 4:
        return Problem(f"{c} + {a} * {b} = ?", str(c + a * b), (f"{a} * {b} = {a * b}", f"{c} + {a * b} = {c + a * b}"))
    left, total = a + c, (a + c) * b
    return Problem(f"({a} + {c}) * {-b} = ?", str(-total), (f"{a} + {c} = {left}", f"{left} * {-b} = {-total}"))


def _sequence(draw: Draw, level: int) -> Problem:
    start, step = draw.whole(1, 9 * level), draw.whole(1, (5, 9, 20, 9, 9)[level - 1])
    if level <= 2:
        terms = [start + step * place for place in range(5)]
        why = f"each term is {step} more than the one before"
    elif level == 3:
        ratio = draw.whole(2, 4)
        terms, why = [start * ratio**place for place in range(5)], f"each term is {ratio} times the one before"
    elif level == 4:
        terms = [start + step * place + place * place for place in range(5)]
        why = f"the differences begin with {step + 1} and grow by 2"
    else:
        terms = [start, step]
        while len(terms) < 6:
            terms.append(terms[-1] + terms[-2])
        why = "each term is the sum of the two before"
    shown = ", ".join(map(str, terms[:-1]))
    return Problem(f"What comes next: {shown}, ...?", str(terms[-1]), (f"Here {why}.", f"So {terms[-1]} comes next."))


def _fraction(draw: Draw, level: int) -> Problem:
    top = (0, 5, 9, 12, 15)[level - 1]
    bottoms = [draw.whole(2, top) for _ in range(2)]
    tops = [draw.other(1, 2 * bottom, bottom) for bottom in bottoms]
    first, second = (Fraction(a, b) for a, b in zip(tops, bottoms, strict=True))
    texts = [f"\\frac{{{a}}}{{{b}}}" for a, b in zip(tops, bottoms, strict=True)]
    sign = draw.pick(("+", "-") if level < 4 else ("\\times", "\\div"))
    value = {"+": first + second, "-": first - second, "\\times": first * second, "\\div": first / second}[sign]
    common = lcm(*bottoms)
    way = {
        "\\times": "Numerators and denominators are multiplied.",
        "\\div": "The second is turned over, then numerators and denominators are multiplied.",
    }.get(sign, f"They are {first * common}/{common} and {second * common}/{common}.")
    return Problem(f"Compute ${texts[0]} {sign} {texts[1]}$.", latex(value), (way, f"That gives ${latex(value)}$."))


def _percentage(draw: Draw, level: int) -> Problem:
    rate = draw.pick((10, 20, 25, 50) if level < 3 else tuple(range(5, 100, 5)))
    whole = draw.whole(1, 10 * level) * 20
    part = Fraction(rate * whole, 100)
    if level < 4:
        gold = latex(part)
        steps = (f"{rate}% is {rate}/100.", f"{rate}/100 of {whole} is {gold}.")
        return Problem(f"What is {rate}% of {whole}?", gold, steps)
    after = latex(whole + part)
    question = f"A price rises from {whole} to {after} dollars. By how many percent does it rise?"
    return Problem(question, f"{rate}\\%", (f"The rise is {latex(part)}.", f"{latex(part)} of {whole} is {rate}%."))


def _divisor(draw: Draw, level: int) -> Problem:
    common = draw.whole(2, 4 * level)
    a, b = common * draw.whole(1, 3 * level), common * draw.whole(1, 3 * level)
    if draw.pick((True, False)):
        return Problem(f"What is the greatest common divisor of {a} and {b}?", str(gcd(a, b)), _euclid(a, b))
    value = lcm(a, b)
    steps = (f"The greatest common divisor is {gcd(a, b)}.", f"{a} * {b} / {gcd(a, b)} = {value}")
    return Problem(f"What is the least common multiple of {a} and {b}?", str(value), steps)


def _euclid(a: int, b: int) -> tuple[str, ...]:
    steps = []
    while b:
        steps.append(f"{a} = {a // b} * {b} + {a % b}")
        a, b = b, a % b
    return (*steps, f"The last number that divides is {a}.")


_UNITS = (
    ("km", "m", 1000), ("m", "cm", 100), ("hours", "minutes", 60), ("minutes", "seconds", 60), ("kg", "g", 1000),
    ("feet", "inches", 12), ("days", "hours", 24), ("dollars", "cents", 100),
)  # fmt: skip


def _unit(draw: Draw, level: int) -> Problem:
    big, small, factor = draw.pick(_UNITS)
    count = draw.whole(2, 12 * level)
    if level < 4:
        steps = (f"There are {factor} {small} to each of the {big}.", f"{count} * {factor} = {count * factor}")
        return Problem(f"How many {small} are {count} {big}?", f"{count * factor} \\text{{ {small}}}", steps)
    extra = draw.whole(1, factor - 1)
    total = Fraction(count * factor + extra, factor)
    question = f"Write {count} {big} and {extra} {small} in {big}, as one fraction."
    steps = (f"{extra} {small} are {extra}/{factor} {big}.", f"{count} + {extra}/{factor} = {total}")
    return Problem(question, f"{latex(total)} \\text{{ {big}}}", steps)


NUMBER_KINDS: dict[str, tuple[int, Kind]] = {
    "sum": (1, _sum),
    "product": (1, _product),
    "sequence": (1, _sequence),
    "percentage": (2, _percentage),
    "divisor": (2, _divisor),
    "unit": (2, _unit),
    "fraction": (2, _fraction),
}
"""Name to the first level that has it, and what makes it."""
