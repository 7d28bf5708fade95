"""An episode as a notebook document: nbformat 4.5, which Jupyter opens and nbclient runs again."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bai.envs.notebooks.outputs import Output

__all__ = ["Cell", "make_notebook", "rewritten"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell that was run."""

    source: str
    """Its code."""
    count: int
    """Its number; a cell that takes the place of a failed one has that one's."""
    thought: str = ""
    """What the agent thought before."""
    outputs: tuple[Output, ...] = ()
    """What came of it."""
    failed: bool = False
    """Whether it raised, or ended the shell."""


def rewritten(cells: Sequence[Cell]) -> list[Cell]:
    """Leaves out the failed cells that another took the place of."""
    last = {cell.count: cell for cell in cells}
    return list(last.values())


def make_notebook(
    cells: Sequence[Cell], *, prompt: str, answer: str | None, facts: dict[str, Any], failures: bool
) -> dict[str, Any]:
    """Gives the notebook of an episode.

    Args:
        cells: All that ran, in order.
        prompt: The task, which becomes the first cell.
        answer: The answer, which becomes the last cell, or None where there is none.
        facts: What is kept in the metadata, under ``bai``; JSON values.
        failures: Whether failed cells stay beside those that took their place; then they are numbered as they ran.
    """
    body = [_markdown(prompt)]
    kept = list(cells) if failures else rewritten(cells)
    for number, cell in enumerate(kept, start=1):
        if cell.thought:
            body.append(_markdown(cell.thought))
        body.append(_code(cell, number if failures else cell.count))
    if answer is not None:
        body.append(_markdown(f"**Answer**\n\n{answer}"))
    return {
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(body)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "version": platform.python_version()},
            "bai": facts,
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _markdown(text: str) -> dict[str, Any]:
    sound = text.encode("utf-8", "backslashreplace").decode()
    return {"cell_type": "markdown", "metadata": {}, "source": sound}


def _code(cell: Cell, count: int) -> dict[str, Any]:
    # Whoever runs the notebook again is not to stop at a failure that belongs to it.
    metadata = {"tags": ["raises-exception"]} if cell.failed else {}
    outputs = [{**output, "execution_count": count} if _is_result(output) else output for output in cell.outputs]
    sound = cell.source.encode("utf-8", "backslashreplace").decode()
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": metadata,
        "outputs": outputs,
        "source": sound,
    }


def _is_result(output: Output) -> bool:
    return bool(output["output_type"] == "execute_result")
