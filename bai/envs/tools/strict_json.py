"""JSON as the standard has it: no key twice, no NaN, no number or string that could not be written back."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["NotJson", "parse", "parse_prefix"]

_DEEPEST = 64
"""Most levels of lists and objects."""


class NotJson(ValueError):
    """A text is no strict JSON; says what was found and where."""


def parse(text: str) -> Any:
    """Gives the value of a text that is JSON and nothing else but white space.

    Raises:
        NotJson: It is none, or nests more than 64 levels.
    """
    value, end = parse_prefix(text, _skip(text, 0))
    if (rest := _skip(text, end)) < len(text):
        raise NotJson(f"{_excerpt(text, rest)} follows the JSON value, at character {rest}")
    return value


def parse_prefix(text: str, start: int) -> tuple[Any, int]:
    """Gives the JSON value that begins at ``start``, and where it ends. Raises as :func:`parse`."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at character {error.pos}, near {_excerpt(text, error.pos)}") from None
    except RecursionError:
        raise NotJson(f"it nests more than {_DEEPEST} levels") from None
    except ValueError as error:  # a whole number with thousands of digits
        raise error if isinstance(error, NotJson) else NotJson(str(error).partition(";")[0]) from None
    _expect_sound(value)
    return value, end


def _skip(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start


def _excerpt(text: str, at: int) -> str:
    return repr(text[max(0, at - 10) : at + 20])


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise NotJson(f"the key {key!r:.80} comes twice in one object")
        found[key] = value
    return found


def _constant(name: str) -> Any:
    raise NotJson(f"{name} is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise NotJson(f"the number {text:.40} is too large")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)


def _expect_sound(value: Any) -> None:
    """Refuses what no other program would read back: deep nesting, halves of surrogate pairs."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise NotJson(f"it nests more than {_DEEPEST} levels")
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            elif isinstance(item, str) and not _encodes(item):
                raise NotJson("a string holds half a surrogate pair")
        level = inner


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
