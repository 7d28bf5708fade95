"""Where a text ends that holds a stop string."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["cut_after_stop"]


def cut_after_stop(text: str, stop: Sequence[str]) -> str:
    """Gives ``text`` up to the end of the stop string that completes first; all of it where none occurs."""
    ends = [at + len(word) for word in stop if (at := text.find(word)) >= 0]
    return text[: min(ends)] if ends else text
