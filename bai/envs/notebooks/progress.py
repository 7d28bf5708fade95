"""How far an episode in a notebook has come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from bai.envs.notebooks.dialogue import Said
from bai.envs.notebooks.document import Cell, rewritten
from bai.envs.notebooks.outputs import pictures
from bai.envs.notebooks.shell import CellResult

__all__ = ["Progress"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What an episode has come to; replaced, never changed, so that a snapshot keeps it as it is."""

    cells: tuple[Cell, ...] = ()
    """All that ran, in order."""
    steps: int = 0
    """What the agent has said so far."""
    errors: int = 0
    """Steps in a row that failed."""
    answer: str | None = None
    """What was answered; None as long as nothing was."""

    @property
    def next_count(self) -> int:
        """Number of the cell that comes next: one after a failed one takes its place, and its number."""
        last = self.cells[-1] if self.cells else None
        return 1 if last is None else last.count + (not last.failed)

    def with_step(self) -> Self:
        """Counts a step."""
        return replace(self, steps=self.steps + 1)

    def with_answer(self, answer: str) -> Self:
        """Keeps the answer."""
        return replace(self, answer=answer)

    def with_cell(self, said: Said, result: CellResult) -> Self:
        """Keeps a cell and what came of it."""
        cell = Cell(
            source=said.body,
            count=self.next_count,
            thought=said.thought,
            outputs=result.outputs,
            failed=result.status != "ok",
        )
        return replace(self, cells=(*self.cells, cell))

    def with_end_of_step(self, *, failed: bool) -> Self:
        """Counts failures in a row."""
        return replace(self, errors=self.errors + 1 if failed else 0)

    def why_over(self, max_steps: int, max_errors: int) -> str:
        """Says why the episode ends without an answer; empty where it goes on."""
        if self.errors >= max_errors:
            return f"{max_errors} steps in a row failed"
        return f"no answer within {max_steps} steps" if self.steps >= max_steps else ""

    def pictures(self) -> int:
        """Counts the pictures that the notebook shows, those of cells that another took the place of left out."""
        return sum(pictures(cell.outputs) for cell in rewritten(self.cells))
