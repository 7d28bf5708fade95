"""Telling whether files changed since they were read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["Stamp", "stamp"]

Stamp = tuple[tuple[str, int, int], ...]
"""Files, each with its time of change in nanoseconds and its size in bytes."""


def stamp(paths: Iterable[Path]) -> Stamp:
    """Tells the present state of files, and of what directories hold, from another."""
    files = (file for path in paths for file in [path, *sorted(path.rglob("*"))] if file.exists())
    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
