"""Comparison of arguments that people wrote: of what a value says, not of how it is spelled."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

__all__ = ["is_empty", "loosely_equal", "says"]

_NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_IDENTIFIER = re.compile(r"[^\s]*[\d@/:][^\s]*")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_WORD = re.compile(r"[0-9]+(?:\.[0-9]+)?|[^\W\d_]+")


def is_empty(value: Any) -> bool:
    """Whether a value says nothing: null, or an empty text, list or object."""
    return value is None or value in ("", [], {})


def loosely_equal(actual: Any, expected: Any) -> bool:
    """Whether two JSON values say the same.

    Texts are compared by their words and numbers alone, without case, punctuation and blanks (``Boxing-Day`` is
    ``boxing day``), unless they look like an identifier: one piece that holds a digit, ``@``, ``/`` or ``:`` is
    compared letter by letter. A number equals a text that spells it in digits; lists are compared without order, and a
    list equals a text of its items between commas; objects have to hold equal values, whatever they are filed under.
    """
    return bool(_meaning(actual) == _meaning(expected))


def _meaning(value: Any) -> Hashable:
    if isinstance(value, Mapping):
        value = [inner for inner in value.values() if not is_empty(inner)]
    if isinstance(value, str) and "," in value:
        value = _items(value)
    if isinstance(value, list):
        return frozenset(Counter(_meaning(item) for item in value).items())
    text = str(value).strip()
    if _NUMBER.fullmatch(text):
        return _plain(text)
    return text if _IDENTIFIER.fullmatch(text) else tuple(_words(text)) or text


def _items(text: str) -> list[str]:
    return [part for part in text.split(",") if part.strip()]


def _words(text: str) -> list[str]:
    return [_plain(word) for word in _WORD.findall(text.casefold())]


def _plain(word: str) -> str:
    """A word as it is, a number without the zeros that add nothing."""
    return word.rstrip("0").rstrip(".") if _NUMBER.fullmatch(word) and "." in word else word


def says(text: str, value: Any) -> bool:
    """Whether a text names a value: all of its words, in one place; of a list or an object, each part somewhere.

    The numbers from two to twelve may be spelled out, those within ``35 to 39`` need not be, and the last word may
    have a plural's ``s``.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, str) and "," in value:
        value = _items(value)
    if isinstance(value, list):
        return bool(value) and all(says(text, part) for part in value)
    if isinstance(value, bool) or is_empty(value):
        return False
    words, wanted = _spelled(text), _spelled(str(value))
    if str(value) in _between(words):
        return True
    starts = range(len(words) - len(wanted) + 1) if wanted else ()
    return any(_same_words(words[start : start + len(wanted)], wanted) for start in starts)


def _spelled(text: str) -> list[str]:
    numbers = {word: str(number) for number, word in enumerate(_NUMBERS, start=2)}
    return [numbers.get(word, word) for word in _words(text)]


def _same_words(words: list[str], wanted: list[str]) -> bool:
    return words[:-1] == wanted[:-1] and words[-1] in (wanted[-1], f"{wanted[-1]}s")


def _between(words: list[str]) -> set[str]:
    """The numbers of ranges such as ``35 to 39``, of at most a hundred numbers."""
    found: set[str] = set()
    for low, to, high in zip(words, words[1:], words[2:], strict=False):
        if to == "to" and low.isdecimal() and high.isdecimal() and int(high) - int(low) <= 100:
            found.update(map(str, range(int(low), int(high) + 1)))
    return found
