"""An agent's place of work in a repository: a sandbox that holds the files, for as long as an episode lasts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bai.envs.grading.repair import shell
from bai.envs.machines.base import Machine
from bai.envs.machines.history import with_history
from bai.envs.repository.edits import apply_edits, parse_edits
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox.base import ExecResult, Limits, Sandbox, Snapshot
from bai.errors import CannotFork, ConfigError, DataError, InfraError, PatchError, SandboxDied

__all__ = ["Workplace"]


@dataclass
class Workplace:
    """A repository in a sandbox.

    Its sandbox is started by :meth:`begin` and serves the episodes after it that want the same machine. A pickle holds
    neither it nor the files, which :meth:`pack` copies and :meth:`unpack` puts back.
    """

    limits: Limits
    """Bounds on each command."""
    history: bool
    """Whether the agent gets a ``.git`` of one commit."""
    spent_s: float = 0.0
    """Seconds that commands have taken."""
    wrecked: bool = False
    """Whether a script ended the sandbox that it ran in, and the files with it."""
    _machine: Machine | None = None
    _sandbox: Sandbox | None = None
    _tree: Tree | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_machine": None, "_sandbox": None, "_tree": None}

    def begin(self, tree: Tree, machine: Machine) -> None:
        """Puts a tree into an empty sandbox of a machine.

        Raises:
            InfraError: It cannot be had.
        """
        self._open(tree, machine)
        assert self._sandbox is not None
        with _fitting():
            machine.fill(self._sandbox, with_history(tree) if self.history else tree)
        self.spent_s = 0.0

    def _open(self, tree: Tree, machine: Machine) -> None:
        if self._machine is None or self._machine.key != machine.key:
            self.close()
        self._tree, self._machine, self.wrecked = tree, machine, False
        if self._sandbox is None:
            self._sandbox = machine.make_sandbox(self.limits)
            self._sandbox.start()
        else:
            self._sandbox.reset()

    def run(self, script: str, wall_s: float) -> ExecResult:
        """Runs a shell script in the repository's directory.

        Raises:
            InfraError: The sandbox failed before it began.
        """
        sandbox = self._present()
        assert self._machine is not None
        result = sandbox.exec(
            shell(self._machine, script), env={**self._machine.variables, "PAGER": "cat"}, wall_s=wall_s
        )
        self.spent_s += result.wall_s
        self.wrecked = not sandbox.alive
        return result

    def _present(self) -> Sandbox:
        """The sandbox with the files; one that is gone would be started anew without a word, and empty."""
        assert self._sandbox is not None
        if not self._sandbox.alive:
            raise SandboxDied("the sandbox that held the repository is gone")
        return self._sandbox

    def edit(self, text: str) -> tuple[str, ...]:
        """Carries out SEARCH/REPLACE edits, all or none; gives the files that they changed.

        Raises:
            PatchError: They cannot be read or do not fit.
            SandboxDied: The sandbox is gone.
        """
        sandbox = self._present()
        edits = parse_edits(text)
        before = Tree({path: entry for path in {edit.path for edit in edits} if (entry := self._file(path))})
        after = apply_edits(before, edits)
        changes = before.changes_to(after)
        for path, entry in changes.items():
            assert entry is not None
            try:
                sandbox.write(self._inside(path), entry.data)
            except (ConfigError, OSError) as error:
                raise PatchError(f"{path} cannot be written: {error}") from error
        return tuple(changes)

    def _file(self, path: str) -> Entry | None:
        assert self._sandbox is not None
        try:
            return Entry(data=self._sandbox.read(self._inside(path)))
        except FileNotFoundError:
            return None
        except (ConfigError, OSError) as error:
            raise PatchError(f"{path} cannot be edited: {error}") from error

    def _inside(self, path: str) -> str:
        assert self._machine is not None
        return f"{self._machine.below}/{path}" if self._machine.below else path

    def changes(self) -> Mapping[str, Entry | None]:
        """Gives what is other than at the beginning.

        Raises:
            DataError: The workspace holds what cannot be looked at.
            SandboxDied: The sandbox is gone.
        """
        assert self._machine is not None and self._tree is not None
        try:
            now = Tree.from_archive(self.pack().archive, below=self._machine.below)
        except (CannotFork, ConfigError) as error:
            raise DataError(f"the repository cannot be read: {error}") from error
        own = {path: entry for path, entry in now.items() if path.split("/", 1)[0] != ".git"}
        return self._tree.changes_to(Tree(own))

    # Copies.

    def pack(self) -> Snapshot:
        """Copies all files. Raises CannotFork, or SandboxDied where the sandbox is gone."""
        if self._sandbox is None:
            raise CannotFork("there is no repository to copy: call reset() first")
        return self._present().snapshot()

    def unpack(self, snapshot: Snapshot, tree: Tree, machine: Machine, spent_s: float) -> None:
        """Goes back to a copy, in whatever sandbox there is. Raises as :meth:`begin`."""
        self._open(tree, machine)
        assert self._sandbox is not None
        with _fitting():
            self._sandbox.restore(snapshot)
        self.spent_s = spent_s

    def close(self) -> None:
        """Ends the sandbox."""
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox = self._machine = self._tree = None


@contextlib.contextmanager
def _fitting() -> Iterator[None]:
    """Says that it is the machinery's fault where a repository finds no room."""
    try:
        yield
    except OSError as error:
        raise InfraError(f"the repository does not fit into its sandbox: {error}") from error
