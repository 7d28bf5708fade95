"""Live IPython shells on the host's side: where they come from, how cells run in them, how they branch.

A :class:`Nursery` keeps one sandbox in which a shell has been made and libraries are imported. Every episode's shell is
a live fork of that one, which takes milliseconds instead of seconds, with a workspace of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bai.envs.machines.base import Machine
from bai.envs.notebooks.outputs import Output, read_outputs
from bai.envs.notebooks.packages import site_inside
from bai.envs.sandbox.base import MIB, CallResult, Limits, LoadedModule, Sandbox
from bai.errors import CannotFork, SandboxDied

__all__ = ["CellResult", "Nursery", "Shell"]

CellStatus = Literal["ok", "error", "timeout", "crashed", "memory"]

PRELOADED = ("pandas", "matplotlib.pyplot")
"""Imported before the first episode."""
LOAD_S = 120.0
"""Seconds that making the first shell may take."""
_SOURCE = (Path(__file__).parent / "inside.py").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """What came of a cell."""

    status: CellStatus
    """``ok``; ``error``: it raised, and the shell goes on; else the shell is gone, and why."""
    outputs: tuple[Output, ...] = ()
    """In the form of nbformat 4; empty where the shell is gone."""
    detail: str = ""
    """Where the shell is gone: one line for people."""
    seconds: float = 0.0
    """Seconds of real time inside the shell; 0 where it is gone."""

    @property
    def is_gone(self) -> bool:
        """Whether the shell ended with the cell."""
        return self.status not in ("ok", "error")


class Shell:
    """One live shell and its workspace.

    Args:
        module: The process, which :class:`Nursery` has prepared.
    """

    def __init__(self, module: LoadedModule) -> None:
        self._module = module

    @property
    def sandbox(self) -> Sandbox:
        """Where it runs: its workspace is the shell's working directory."""
        return self._module.sandbox

    def run(self, source: str, count: int, wall_s: float | None = None) -> CellResult:
        """Runs a cell.

        Args:
            source: Its text; IPython's, magics included.
            count: Its number, as in ``In[3]``.
            wall_s: Seconds that it may take; None for the sandbox's limit.

        Raises:
            InfraError: The sandbox failed.
        """
        return _read(self._module.call("run_cell", (source, count), wall_s=wall_s))

    def fork(self) -> Shell:
        """Branches the live state: variables, imports, figures, open files and the workspace.

        Raises:
            CannotFork: A thread, a socket or the like is in the way; the message says which.
        """
        return Shell(self._module.fork())

    def close(self) -> None:
        """Ends the process and removes its workspace; may be called twice."""
        self._module.close()
        self._module.sandbox.close()


def _read(result: CallResult) -> CellResult:
    if result.status == "returned":
        try:
            failed, outputs = read_outputs(result.value)
        except ValueError as error:
            return CellResult(status="crashed", detail=f"the shell answered what no shell answers: {error}"[:200])
        return CellResult(status="error" if failed else "ok", outputs=outputs, seconds=result.wall_s)
    if result.status in ("timeout", "memory"):
        limit = "time" if result.status == "timeout" else "memory"
        return CellResult(status=result.status, detail=f"a cell broke the {limit} limit")
    if result.status == "crashed":
        return CellResult(status="crashed", detail=f"a cell ended the shell: {result.message}"[:200])
    return CellResult(status="crashed", detail=f"a cell broke the shell: {result.exception} {result.message}"[:200])


class Nursery:
    """Makes shells that are all alike.

    Not safe for use from several threads at once; shells of one nursery are served by one runner, one at a time.

    Args:
        machine: What the shells run on.
        limits: Bounds; ``memory_bytes`` and ``processes`` hold for all shells of the nursery together.
    """

    def __init__(self, machine: Machine, limits: Limits) -> None:
        self.machine, self.limits = machine, limits
        self._sandbox: Sandbox | None = None
        self._first: LoadedModule | None = None

    def open(self, files: Mapping[str, bytes]) -> Shell:
        """Gives a fresh shell with files in its workspace.

        Raises:
            InfraError: It cannot be had.
        """
        try:
            shell = Shell(self._pristine().fork())
        except CannotFork:
            # The runner was lost since, or something is left in it: a new one has neither.
            self.close()
            try:
                shell = Shell(self._pristine().fork())
            except CannotFork as error:
                self.close()
                raise SandboxDied(f"a fresh shell cannot be forked: {error}") from error
        try:
            for name, data in files.items():
                shell.sandbox.write(name, data)
        except OSError as error:
            shell.close()
            raise SandboxDied(f"the tables do not fit into the workspace: {error}") from error
        return shell

    def _pristine(self) -> LoadedModule:
        if self._first is None:
            try:
                self._first = self._loaded()
            except SandboxDied as error:
                self.close()
                given = self.limits.memory_bytes // MIB
                raise SandboxDied(
                    f"no shell can be made with {given} MiB of memory (memory_mb), of which its libraries alone take "
                    f"100 to 200: {error}"
                ) from error
        return self._first

    def _loaded(self) -> LoadedModule:
        self._sandbox = self._sandbox or self.machine.make_sandbox(self.limits)
        first = self._sandbox.load(_SOURCE, wall_s=LOAD_S)
        made = first.call("open_shell", (site_inside(self.machine), list(PRELOADED)), wall_s=LOAD_S)
        if made.status != "returned":
            raise SandboxDied(" ".join(filter(None, (made.status, made.exception, made.message))))
        return first

    def close(self) -> None:
        """Ends the sandbox; shells that are out live on."""
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox = self._first = None
