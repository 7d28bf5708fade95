"""Comparisons that are false, drawn from a family of forms that ordinary tests have too.

Each side is built from numbers and words that are drawn. Which of a test's comparisons is the false one shows in no
form: it takes working out what both sides come to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["comparison", "condition", "pick"]

_LEAST, _MOST = 2, 5
"""Elements of a list that is drawn."""


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """Draws one of some options."""
    return options[int(rng.integers(len(options)))]


def comparison(rng: np.random.Generator, words: Sequence[str]) -> tuple[str, str]:
    """Gives the code of two sides that are not equal.

    Args:
        rng: Draws the form and the values.
        words: What texts are made of, five different ones at least.
    """
    code, value = _side(rng, words)
    return code, repr(_other(value, rng))


def condition(rng: np.random.Generator, words: Sequence[str]) -> str:
    """Gives the code of a condition that does not hold. Takes what :func:`comparison` does."""
    if rng.integers(3):
        left, right = comparison(rng, words)
        return f"{left} == {right}"
    numbers, texts, low = _numbers(rng), _words(rng, words), int(rng.integers(50, 500))
    least, most = min(numbers), max(numbers)
    missing = next(word for word in words if word not in texts)
    forms = [
        f"{missing!r} in {texts}",
        f"{most + low} in {numbers}",
        f"{least} > {least + low}",
        f"all(item < {most} for item in {numbers})",
        f"any(item > {most + low} for item in {numbers})",
        f"{ {least, most + low} } <= { {*numbers} }",
        f"{low} in range({low + 1}, {low + most + 2})",
        f"{texts[0]!r}.startswith({texts[0] + missing!r})",
        f"isinstance({least}, str)",
        f"{texts} is None",
    ]
    return str(pick(rng, forms))


def _numbers(rng: np.random.Generator) -> list[int]:
    return [int(value) for value in rng.choice(60, size=int(rng.integers(_LEAST, _MOST)), replace=False)]


def _words(rng: np.random.Generator, words: Sequence[str]) -> list[str]:
    size = int(rng.integers(_LEAST, min(_MOST, len(words))))
    return [str(word) for word in rng.choice(list(words), size=size, replace=False)]


def _side(rng: np.random.Generator, words: Sequence[str]) -> tuple[str, Any]:
    """Gives code and what it comes to."""
    numbers, texts = _numbers(rng), _words(rng, words)
    a, b = (int(value) for value in rng.integers(2, 90, size=2))
    word, sign = texts[0], str(pick(rng, ["-", ",", "/", ":", " "]))
    joined, place = sign.join(texts), int(rng.integers(len(texts)))
    forms = [
        (f"{a} + {b}", a + b),
        (f"{a} * {b}", a * b),
        (f"divmod({a}, {b})", divmod(a, b)),
        (f"len({texts})", len(texts)),
        (f"sum({numbers})", sum(numbers)),
        (f"sorted({numbers})", sorted(numbers)),
        (f"max({numbers}) - {min(numbers)}", max(numbers) - min(numbers)),
        (f"list(reversed({texts}))", list(reversed(texts))),
        (f"[item * {b} for item in {numbers}]", [item * b for item in numbers]),
        (f"dict(zip({texts}, {numbers}))", dict(zip(texts, numbers, strict=False))),
        (f"{sign!r}.join({texts})", joined),
        (f"{joined!r}.split({sign!r})", joined.split(sign)),
        (f"{joined!r}.split({sign!r})[{place}]", joined.split(sign)[place]),
        (f"{word!r}.upper()", word.upper()),
        (f"{joined!r}.replace({sign!r}, '')", joined.replace(sign, "")),
        (f"{word!r} * {len(numbers)}", word * len(numbers)),
        (f"{texts}.index({texts[place]!r})", place),
        (f"{ {word: a} }.get({word!r}, {b})", a),
        (f"str({a * b})", str(a * b)),
        (f"{numbers}[{-1 - place % len(numbers)}]", numbers[-1 - place % len(numbers)]),
    ]
    code, value = pick(rng, forms)
    return str(code), value


def _other(value: Any, rng: np.random.Generator) -> Any:
    """Gives another value of the same type, much like it."""
    step = int(rng.integers(1, 4))
    if isinstance(value, str):
        return str(pick(rng, [value[1:], value[:-1], value + ("S" if value.isupper() else "s"), value * 2]))
    if isinstance(value, int):
        return value + step
    if isinstance(value, dict):
        return {key: number + step for key, number in value.items()}
    at = int(rng.integers(len(value)))
    return type(value)([*value[:at], _other(value[at], rng), *value[at + 1 :]])
