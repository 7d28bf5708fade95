"""What every command shares: consoles, JSON, progress, and options given as NAME=VALUE."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bai.errors import ConfigError

__all__ = ["assignments", "errors", "out", "print_json", "progress"]

out = Console(highlight=False, soft_wrap=True)
"""What was asked for goes to standard output."""
errors = Console(stderr=True, highlight=False, soft_wrap=True)
"""Everything else goes to standard error: progress, warnings, faults."""

QUIET_S = 10.0
"""Seconds between two lines of progress where there is no terminal to draw a bar on."""


def print_json(value: Any) -> None:
    """Prints one JSON value, for machines."""
    print(json.dumps(value, indent=2, ensure_ascii=True))


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Gives a listener that takes (done, total) and draws a bar, or prints a line now and then."""
    if errors.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=errors, transient=True) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        yield _lines(label)


def _lines(label: str) -> Callable[[int, int], None]:
    last = time.monotonic()

    def listen(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= QUIET_S:
            last = time.monotonic()
            errors.print(f"{label}: {done} of {total}", markup=False)

    return listen


def assignments(pairs: Sequence[str]) -> dict[str, Any]:
    """Reads ``NAME=VALUE`` options; a value that is JSON is taken as such, any other as text.

    Raises:
        ConfigError: There is no equals sign, or no name.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"expected NAME=VALUE; got {pair!r}")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values
