"""The machine contract: sandboxes in which a repository can be worked on and tested.

A :class:`Machine` is an interpreter with packages, cached and shared by all tasks that need the same; a sandbox made
by it has no network and an empty repository directory. A :class:`Workshop` finds the machine and the trusted tree
of a task.
"""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping

from bai.envs.repository.tree import Tree
from bai.envs.sandbox.base import Limits, Sandbox, Snapshot
from bai.envs.tasks.repair import RepairTask

__all__ = ["Machine", "Workshop"]


class Machine(ABC):
    """An environment that commands of a repository run in."""

    key: str
    """The same for machines whose sandboxes may be used in each other's place."""
    root: str
    """Absolute path of the repository's directory inside its sandboxes; it lies in, or is, the workspace."""
    below: str
    """The same, relative to the workspace; empty where it is the workspace."""
    variables: Mapping[str, str]
    """Environment variables of every command: ``PATH`` with the interpreter's directory first, and the like."""

    @abstractmethod
    def make_sandbox(self, limits: Limits) -> Sandbox:
        """Gives a sandbox, not started, in which ``python`` is the machine's interpreter under :attr:`variables`.

        Raises:
            SandboxUnavailable: The backend cannot work here.
        """

    def holding(self, tree: Tree) -> Machine:
        """Gives a machine whose sandboxes :meth:`fill` fills fast with trees that differ little from a trusted one.

        Where nothing is gained by that, it is this one.
        """
        return self

    def fill(self, sandbox: Sandbox, tree: Tree) -> None:
        """Puts a tree into a sandbox of this machine, in the place of all that its workspace holds.

        Raises:
            OSError: It does not fit.
            SandboxDied: The sandbox was lost.
        """
        sandbox.restore(Snapshot(archive=tree.archive(below=self.below)))

    def shell(self, script: str, *, joined: bool = True) -> list[str]:
        """Gives the command that runs a shell script in the repository's directory.

        Args:
            script: One line or several.
            joined: Whether standard error goes where standard output goes, in the order of writing.
        """
        join = "exec 2>&1\n" if joined else ""
        return ["bash", "-c", f"{join}cd {shlex.quote(self.root)} || exit 125\n{script}"]


class Workshop(ABC):
    """Finds what a task needs. Both may take minutes the first time and milliseconds after."""

    @abstractmethod
    def tree(self, task: RepairTask) -> Tree:
        """Gives the trusted files at the task's base commit, files that an installation generates included.

        Raises:
            DataError: The repository or the commit cannot be had; the message says where it was looked for.
        """

    @abstractmethod
    def machine(self, task: RepairTask) -> Machine:
        """Gives the machine that the task's tests run on, building it first where it is not there.

        Raises:
            InfraError: It cannot be had here, or could not be built; the message says why.
        """
