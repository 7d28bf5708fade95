"""What every command shares: consoles, JSON, progress, and the forms in which options are given."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bai.errors import ConfigError

__all__ = [
    "Difficulty",
    "EnvironmentArguments",
    "Listener",
    "assignments",
    "difficulties",
    "env_id",
    "env_options",
    "errors",
    "out",
    "phases",
    "print_json",
    "progress",
]

out = Console(highlight=False, soft_wrap=True)
"""What was asked for goes to standard output."""
errors = Console(stderr=True, highlight=False, soft_wrap=True)
"""Everything else goes to standard error: progress, warnings, faults."""

Difficulty = Annotated[
    list[str] | None,
    typer.Option(
        metavar="N|N-M|NAME",
        help="Only these difficulties: 3, or 1-3 for 1, 2 and 3, or as the set names them, such as easy; may be "
        "repeated.",
    ),
]
"""An option that several commands have; :func:`difficulties` reads it."""

EnvironmentArguments = Annotated[
    list[str] | None,
    typer.Option(
        "--env-arg",
        "--option",
        metavar="NAME=VALUE",
        help="An argument of the environment, its value as JSON or as plain text; may be repeated.",
    ),
]
"""The environment's own arguments; :func:`env_options` reads them."""

QUIET_S = 10.0
"""Seconds between two lines of progress where there is no terminal to draw a bar on."""


def print_json(value: Any) -> None:
    """Prints one JSON value, for machines."""
    print(json.dumps(value, indent=2, ensure_ascii=True))


class Listener(Protocol):
    """Hears how far some work is."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Of ``total`` things ``done`` are done; ``note`` is what to say beside it."""


@contextmanager
def progress(label: str) -> Iterator[Listener]:
    """Gives a listener that draws a bar, or prints a line now and then where there is no terminal."""
    if not errors.is_terminal:
        yield _Lines(label)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=errors, transient=True) as bar:
        task = bar.add_task(label, total=None, note="")

        def listen(done: int, total: int, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield listen


@contextmanager
def phases() -> Iterator[Callable[[str, int, int, str], None]]:
    """Gives a listener to work in named phases; each has a bar, or lines, of its own."""
    with ExitStack() as stack:
        listeners: dict[str, Listener] = {}

        def listen(phase: str, done: int, total: int, note: str = "") -> None:
            if phase not in listeners:
                stack.pop_all().close()
                listeners[phase] = stack.enter_context(progress(phase))
            listeners[phase](done, total, note)

        yield listen


class _Lines:
    def __init__(self, label: str) -> None:
        self._label = label
        self._last = time.monotonic()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        if time.monotonic() - self._last >= QUIET_S:
            self._last = time.monotonic()
            errors.print(f"{self._label}: {done} of {total} {note}".rstrip(), markup=False)


def env_id(env: str | None, task_set: str | None) -> str:
    """Gives the Gymnasium id: the one that was named, or else the one that the task set is for."""
    from bai.envs.tasks.family import CODING, family_of

    return env or (CODING.env if task_set is None else family_of(task_set).env)


def env_options(env: str, options: Sequence[str], **named: Any) -> dict[str, Any]:
    """Gives the arguments of ``gym.make``: what has an option of its own, and over it what NAME=VALUE says.

    Args:
        env: The Gymnasium id; ``bai/Coding-v0`` takes ``micro`` where no task set is given.
        options: NAME=VALUE.
        named: Options of their own; None where they were not given.
    """
    default = {"task_set": "micro"} if env == "bai/Coding-v0" else {}
    return default | {name: value for name, value in named.items() if value is not None} | assignments(options)


def difficulties(given: Sequence[str]) -> list[int | str]:
    """Reads difficulties, each a number (``3``), a range with both of its ends (``1-3``) or a set's name for one.

    Args:
        given: As on the command line; numbers of at most four digits. What holds a letter is a name (``easy``,
            ``15 min - 1 hour``).

    Returns:
        Every difficulty once, in the order they were given.

    Raises:
        ConfigError: It is none of them, or the range ends below its start.
    """
    found: list[int | str] = []
    for text in given:
        if any(character.isalpha() for character in text):
            found.append(text)
            continue
        match = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", text)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise ConfigError(
                f"a difficulty is a number such as 3, a range such as 1-3 that goes upwards, or a name such as easy; "
                f"got {text!r}"
            )
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


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
