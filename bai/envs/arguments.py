"""Checks of arguments that several environments take, and what is said of wrong ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from bai.errors import ConfigError

__all__ = ["did_you_mean", "expect_counts", "expect_one_of", "expect_seconds"]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Gives the known name that is most like another, as a remark for a message; nothing where none is like it."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def expect_one_of(name: str, value: Any, known: Sequence[Any]) -> None:
    """Passes a value that is one of some.

    Raises:
        ConfigError: It is none of them; the message lists them.
    """
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(map(repr, known))}; got {value!r:.100}")


def expect_counts(**values: Any) -> None:
    """Passes whole numbers of at least 1, by the names of their arguments.

    Raises:
        ConfigError: One is something else; the message names it.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name} must be a whole number of at least 1; got {value!r:.100}")


def expect_seconds(most: int, **values: Any) -> None:
    """Passes numbers of seconds above 0, by the names of their arguments.

    Args:
        most: What they may be at most.
        values: What was given.

    Raises:
        ConfigError: One is something else; the message names it.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
            raise ConfigError(f"{name} must be a number of seconds above 0, at most {most:,}; got {value!r:.100}")
