"""Files of JSON lines that a run which was cut off goes on from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from bai.envs.tasks.files import Row
from bai.errors import ConfigError, DataError

__all__ = ["LineJournal", "cut_torn_line", "difference"]

T = TypeVar("T")


class LineJournal(Generic[T]):
    """A file of one JSON object a line: first what its entries depend on, then the entries as they come.

    An entry counts once its line is whole. For one writer at a time.

    Args:
        path: The file; made where it is absent, or where not even its first line is whole.
        identity: What the entries depend on. JSON values.
        of: What may be other in another's file, as the error says it: ``project, seed or settings``.
        read: Makes an entry of a line.

    Raises:
        ConfigError: The file is of another identity, or was damaged.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], *, of: str, read: Callable[[Row], T]) -> None:
        self.path = path
        self.entries: list[T] = []
        """What the file held when it was opened."""
        lines = cut_torn_line(path).splitlines()
        if not lines:
            path.write_text(json.dumps(dict(identity)) + "\n", encoding="ascii")
            return
        try:
            known, *rows = (Row(json.loads(line), path, number) for number, line in enumerate(lines, start=1))
            differs = difference(known, identity)
            self.entries = [] if differs else [read(row) for row in rows]
        except (ValueError, KeyError, TypeError, DataError) as error:
            raise ConfigError(f"{path} is damaged ({error}): remove it, or choose another output") from error
        if differs:
            raise ConfigError(
                f"{path} holds runs made with another {of} ({differs}): remove it, or choose another output"
            )

    def add(self, values: Mapping[str, Any]) -> None:
        """Writes one entry down."""
        with self.path.open("a", encoding="ascii") as file:
            file.write(json.dumps(dict(values)) + "\n")


def cut_torn_line(path: Path) -> bytes:
    """Cuts off a last line that was being written when its process ended, or the next would be glued to it.

    Returns:
        What is left; nothing where there is no file.
    """
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return whole


def difference(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Tells the first thing, by name, in which what a file is of differs from what is wanted; empty if nothing."""
    plain = json.loads(json.dumps(dict(wanted)))
    for name in sorted({*known, *plain}):
        if known.get(name) != plain.get(name):
            return f"its {name} is {known.get(name)!r:.200}, not {plain.get(name)!r:.200}"
    return ""
