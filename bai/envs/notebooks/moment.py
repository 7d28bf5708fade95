"""A moment of a live shell, to go back to: a fork of it that waits, and the cells that led there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from bai.envs.notebooks.document import Cell
from bai.envs.notebooks.shell import Shell
from bai.errors import CannotFork, InfraError

__all__ = ["Moment"]


class Moment:
    """A fork of a shell in which nothing runs: it is forked anew each time that somebody comes back.

    Copies of a moment are the same moment. One that goes to another process leaves the live shell behind; there, and
    where the fork is lost, the cells run again in a fresh shell instead.

    Args:
        shell: The fork, or None.
        cells: All that had run, in order.
    """

    def __init__(self, shell: Shell | None, cells: Sequence[Cell]) -> None:
        self._shell, self._steps = shell, tuple((cell.source, cell.count, cell.failed) for cell in cells)
        self.is_last = False
        """Whether nobody will come back another time: then the fork itself is given away."""

    @classmethod
    def of(cls, shell: Shell, cells: Sequence[Cell]) -> Self:
        """Forks a shell.

        Raises:
            CannotFork: It cannot be; the message says why.
        """
        return cls(shell.fork(), cells)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_shell": None}

    def revive(self, open_fresh: Callable[[], Shell]) -> tuple[Shell, bool]:
        """Gives a shell as it was at that moment, and whether it is a live copy.

        Args:
            open_fresh: Gives a fresh shell, for the cells to run again.

        Raises:
            CannotFork: The cells do not come to the same when they run again.
            InfraError: There is no shell to be had.
        """
        shell = self._shell
        if shell is not None and self.is_last:
            self._shell = None
            return shell, True
        if shell is not None:
            try:
                return shell.fork(), True
            except (CannotFork, InfraError):
                self._shell = None
        return self._replay(open_fresh()), False

    def _replay(self, shell: Shell) -> Shell:
        for source, count, failed in self._steps:
            result = shell.run(source, count)
            if result.is_gone or (result.status == "error") != failed:
                shell.close()
                raise CannotFork(f"cell {count} came to {result.status} when it was run again")
        return shell
