r"""A solution's steps, for rewards that judge each of them.

A step is a line that is not blank; what belongs together stays together: a fenced block, ``\[ ... \]``, ``$$ ... $$``
and ``\begin{...} ... \end{...}`` are parts of the step that they begin in. Steps are places in the text, so that a
reward term finds their words in a trajectory (:attr:`bai.types.Turn.action`) and a learner their tokens.
"""

from __future__ import annotations

import re

__all__ = ["MAX_STEPS", "split_steps"]

MAX_STEPS = 500
"""Most steps of a solution; the last goes on to its end."""

_MARKS = re.compile(r"^ {0,3}(```+|~~~+)|(\\\[)|(\\\])|(\$\$)|(\\begin\s?\{)|(\\end\s?\{)", re.MULTILINE)


def split_steps(solution: str) -> list[tuple[int, int]]:
    """Gives the steps of a solution as places: where each begins, and where it ends, in characters.

    Args:
        solution: Any text.

    Returns:
        In order, none empty and none overlapping; at most :data:`MAX_STEPS`.
    """
    steps: list[tuple[int, int]] = []
    start, block = -1, ""
    at = 0
    for line in solution.splitlines(keepends=True):
        end = at + len(line.rstrip())
        if line.strip() and start < 0:
            start = at + len(line) - len(line.lstrip())
        block = _after(line, block)
        if start >= 0 and not block:
            steps.append((start, end))
            start = -1
        at += len(line)
        if len(steps) == MAX_STEPS:
            return [*steps[:-1], (steps[-1][0], len(solution.rstrip()))]
    if start >= 0:
        steps.append((start, max(start + 1, len(solution.rstrip()))))
    return steps


def _after(line: str, block: str) -> str:
    """The kind of block that is open behind a line."""
    depth = int(block[5:] or 0) if block.startswith("begin") else 0
    for match in _MARKS.finditer(line):
        fence, opens, closes, dollars, begin, end = match.groups()
        if not block:
            block = fence or ("\\[" if opens else "$$" if dollars else "begin1" if begin else "")
            depth = 1
        elif block[0] in "`~":
            block = "" if fence and fence.startswith(block) else block
        elif (block == "\\[" and closes) or (block == "$$" and dollars):
            block = ""
        elif block.startswith("begin") and (begin or end):
            depth += 1 if begin else -1
            block = f"begin{depth}" if depth > 0 else ""
    return block
