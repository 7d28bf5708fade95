"""Running a project's tests, and scripts against it, on a machine."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from queue import Empty, LifoQueue
from types import TracebackType
from typing import Literal, NamedTuple, Self

from bai.envs.machines.base import Machine
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox.base import MIB, ExecResult, Limits, Sandbox
from bai.errors import InfraError, SandboxDied

__all__ = ["PYTEST", "Failure", "MachineRunner", "Outcome", "Printed", "read_statuses"]

PYTEST = "python -m pytest -rA --no-header -p no:cacheprovider -o addopts="
"""How tests are run: one line a test at the end, no options of the project's own, nothing written beside them."""
_WORDS = ("PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS")
_LIMITS = Limits(memory_bytes=1024 * MIB, output_bytes=16 * MIB, disk_bytes=256 * MIB)
_PROBE, _SCRIPTS = "bai_probe", "bai_scripts"
_COMPILED = re.compile(r"(^|/)__pycache__/[^/]*-pytest-[^/]*\.pyc$")
"""Test files as pytest has compiled them; it holds each against its source before it uses it."""
_SCRIPT_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Where a test failed."""

    test_id: str
    """Its pytest id."""
    line: int
    """Line of its function that failed, counted from 1."""
    parameters: Mapping[str, str]
    """What each parameter's value prints as."""
    indices: Mapping[str, int]
    """Which of its values each parameter has, counted from 0."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one run of tests."""

    end: Literal["exited", "timeout", "crashed", "memory"]
    """How the run ended; only after ``exited`` do the statuses tell of all tests."""
    statuses: Mapping[str, str] = field(default_factory=dict)
    """``PASSED``, ``FAILED``, ``ERROR``, ... by test id, as the reader of logs has it."""
    cut: frozenset[str] = frozenset()
    """First words of ids that stand in the log with spaces in them: the reader keeps no more of them."""
    failures: tuple[Failure, ...] = ()
    """Where tests failed, for those that failed in their own function."""
    seconds: float = 0.0
    """Of real time."""
    log: str = field(default="", repr=False)
    """What was printed."""

    @property
    def failed(self) -> frozenset[str]:
        """Ids of tests that failed or could not be set up."""
        return frozenset(name for name, status in self.statuses.items() if status in ("FAILED", "ERROR"))

    @property
    def passed(self) -> frozenset[str]:
        """Ids of tests that passed."""
        return frozenset(name for name, status in self.statuses.items() if status == "PASSED")


class Printed(NamedTuple):
    """What one script did."""

    code: int
    """Its exit code, or the negative number of the signal that ended it."""
    out: str
    """What it printed, without white space at the end."""
    error: str
    """The exception that ended it, with its message; empty where there was none."""


def read_statuses(log: str) -> tuple[dict[str, str], frozenset[str]]:
    """Reads what pytest prints under ``-rA``, as ``parse_log_pytest`` of the package ``swebench`` does.

    Returns:
        The status by test id, and those ids that are the first word of a longer one.
    """
    statuses: dict[str, str] = {}
    cut = set()
    for line in log.split("\n"):
        words = line.split()
        if len(words) < 2 or not line.startswith(_WORDS) or (words[0] == "SKIPPED" and words[1].startswith("[")):
            continue
        statuses[words[1]] = words[0]
        if len(words) > 2 and (words[2] != "-" or words[0] == "PASSED"):
            cut.add(words[1])
    return statuses, frozenset(cut)


class MachineRunner:
    """Runs tests in sandboxes of a machine, which are kept for the next run; safe for several threads.

    Args:
        machine: Where; its Python has pytest 7 or newer.
        python_path: Directories of the tree to import from besides its root, such as ``src``.
        wall_s: Seconds that a run of tests may take.
        limits: Bounds on each run; its time is ``wall_s``'s.
    """

    def __init__(
        self, machine: Machine, *, python_path: Sequence[str] = (), wall_s: float = 120.0, limits: Limits = _LIMITS
    ) -> None:
        self.machine, self.python_path, self.wall_s = machine, tuple(python_path), wall_s
        self.command = PYTEST + (f" -o pythonpath={shlex.quote(' '.join(self.python_path))}" if python_path else "")
        self._limits = limits
        self._helpers = {f"{name}.py": Entry(data=_source(name)) for name in (_PROBE, _SCRIPTS)}
        self._compiled: dict[str, Entry] = {}
        self._idle: LifoQueue[Sandbox] = LifoQueue()

    def warm(self, tree: Tree, targets: Sequence[str]) -> None:
        """Runs the tests once and keeps what pytest compiled of their files, which saves later runs a good part."""
        with self._lease() as sandbox:
            self._shell(sandbox, tree, f"{self.command} {shlex.join(targets)}", self.wall_s, writes=True)
            after = Tree.from_archive(sandbox.snapshot().archive, below=self.machine.below)
        self._compiled = {path: entry for path, entry in after.items() if _COMPILED.search(path)}

    def __call__(self, tree: Tree, targets: Sequence[str], *, most_failing: int | None = None) -> Outcome:
        """Runs tests.

        Args:
            tree: The project.
            targets: Files, directories or ids.
            most_failing: Stop after so many failures; None to go on.
        """
        began = time.monotonic()
        stop = "" if most_failing is None else f"--maxfail={most_failing}"
        command = f"{self.command} --tb=no -p {_PROBE} {stop} {shlex.join(targets)}"
        with self._lease() as sandbox:
            done = self._shell(sandbox, tree, command, self.wall_s)
            failures = self._failures(sandbox) if done.status == "exited" and done.exit_code else ()
        log = done.stdout.decode("utf-8", "replace")
        statuses, cut = read_statuses(log)
        seconds = time.monotonic() - began
        return Outcome(end=done.status, statuses=statuses, cut=cut, failures=failures, seconds=seconds, log=log)

    def scripts(self, tree: Tree, codes: Sequence[str]) -> list[Printed]:
        """Runs scripts, each alone, in the root of a tree, from where they can import the project.

        Returns:
            What each did; nothing at all where they ended the process that runs them.
        """
        folders = ["$PWD", *(f"$PWD/{folder}" for folder in self.python_path), "$PYTHONPATH"]
        given = json.dumps({"codes": list(codes), "seconds": _SCRIPT_S}).encode()
        command = f'PYTHONPATH="{":".join(folders)}" python {_SCRIPTS}.py'
        with self._lease() as sandbox:
            done = self._shell(sandbox, tree, command, _SCRIPT_S * len(codes) + 5.0, given)
        return [Printed(*row) for row in json.loads(done.stdout)] if done.ok else []

    def _failures(self, sandbox: Sandbox) -> tuple[Failure, ...]:
        try:
            rows = json.loads(sandbox.read(f"{self.machine.below}/{_PROBE}.json".lstrip("/")))
        except FileNotFoundError:
            return ()
        return tuple(Failure(**row) for row in rows if row["line"])

    def _shell(
        self, sandbox: Sandbox, tree: Tree, command: str, wall_s: float, given: bytes = b"", *, writes: bool = False
    ) -> ExecResult:
        self.machine.fill(sandbox, tree.changed({**self._compiled, **self._helpers}))
        variables = {**self.machine.variables, **({"PYTHONDONTWRITEBYTECODE": ""} if writes else {})}
        argv = self.machine.shell(command, joined=False)
        return sandbox.exec(argv, input=given, env=variables, wall_s=wall_s)

    @contextmanager
    def _lease(self) -> Iterator[Sandbox]:
        try:
            sandbox = self._idle.get_nowait()
        except Empty:
            sandbox = self.machine.make_sandbox(self._limits)
            sandbox.start()
        try:
            yield sandbox
        except SandboxDied as died:
            sandbox.close()
            raise InfraError(f"the sandbox was lost while tests ran: {died}") from died
        except BaseException:
            sandbox.close()
            raise
        if sandbox.alive:
            self._idle.put(sandbox)
        else:
            sandbox.close()

    def close(self) -> None:
        """Closes the sandboxes that are kept."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _source(name: str) -> bytes:
    return resources.files("bai.envs.tasks.mutation.shown").joinpath(f"{name}.py").read_bytes()
