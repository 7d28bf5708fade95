"""Running a project's tests over many small changes to it, in one sandbox that is started once.

What comes back was written by a process that the tested code shares: good for finding a fault and for choosing among
repairs, never for a verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from types import TracebackType
from typing import Any, Self

from bai.envs.machines.base import Machine
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox.base import MIB, Limits, Sandbox
from bai.errors import ConfigError

__all__ = ["Trial", "Trials"]

_SCRIPT = "bai_trials.py"
_MOST_JOBS = 64
"""Changes tried in one go: what a lost sandbox takes with it."""
_SLACK, _LEAST_S, _NEAR = 10.0, 0.2, 0.5
"""Times that a test may take of the longest known; seconds that it may take in any case; and the share of its limit
from which a test is taken to have been ended by it."""
_LIMITS = Limits(memory_bytes=2048 * MIB, processes=128, output_bytes=64 * MIB, disk_bytes=512 * MIB, open_files=1024)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the tests did with one change."""

    statuses: Mapping[str, bool] = field(default_factory=dict)
    """Whether each test that ran passed, by its pytest id."""
    lines: Mapping[str, frozenset[tuple[str, int]]] = field(default_factory=dict, repr=False)
    """Lines (path, number) that each test ran, where they were taken down."""
    seconds: Mapping[str, float] = field(default_factory=dict, repr=False)
    """Processor time of each test."""

    @property
    def passed(self) -> frozenset[str]:
        """Ids of tests that passed."""
        return frozenset(name for name, passed in self.statuses.items() if passed)

    @property
    def failed(self) -> frozenset[str]:
        """Ids of tests that failed."""
        return frozenset(name for name, passed in self.statuses.items() if not passed)


class Trials:
    """Tries changes to one tree. Not safe for several threads; close it, or use it in ``with``.

    Args:
        machine: Where; its Python has pytest.
        tree: The project, with the tests.
        targets: Files, directories or ids of the tests.
        python_path: Directories of the tree that tests import from besides its root.
        test_s: Seconds of processor time that one test may take when it is traced. After that, it may take ten times
            the longest that ended by itself, if that is less: a small change that makes a loop endless is common.
        job_s: Seconds that all tests of one change may take.
    """

    def __init__(
        self,
        machine: Machine,
        tree: Tree,
        targets: Sequence[str],
        *,
        python_path: Sequence[str] = (),
        test_s: float = 5.0,
        job_s: float = 120.0,
    ) -> None:
        if not (test_s > 0 and job_s > 0):
            raise ConfigError(f"test_s and job_s are seconds above 0; got {test_s!r} and {job_s!r}")
        self._machine, self._targets = machine, tuple(targets)
        script = resources.files("bai.agents.repair.shown").joinpath(_SCRIPT).read_bytes()
        self._tree = tree.changed({_SCRIPT: Entry(data=script)})
        self._python_path, self._test_s, self._traced_s, self._job_s = [".", *python_path], test_s, test_s, job_s
        self._sandbox: Sandbox | None = None

    def trace(self) -> Trial:
        """Runs the tests as they are, and takes down which lines each one runs."""
        trial = self._run([{}], first=(), trace=True)[0]
        ended = [seconds for seconds in trial.seconds.values() if seconds < _NEAR * self._traced_s]
        self._test_s = min(self._traced_s, max(_LEAST_S, _SLACK * max(ended, default=0.0)))
        return trial

    def run(self, changes: Sequence[Mapping[str, str]], *, first: Iterable[str] = ()) -> list[Trial]:
        """Runs the tests over each of several changes.

        Args:
            changes: Texts by path, each for itself on top of the tree.
            first: Ids of tests to begin with; where none of them passes, the others are not run.

        Returns:
            One a change; without statuses where nothing came back.

        Raises:
            InfraError: The sandbox failed.
        """
        found: list[Trial] = []
        for start in range(0, len(changes), _MOST_JOBS):
            found += self._run(changes[start : start + _MOST_JOBS], first=tuple(first), trace=False)
        return found

    def _run(self, changes: Sequence[Mapping[str, str]], *, first: tuple[str, ...], trace: bool) -> list[Trial]:
        given = {
            "python_path": self._python_path,
            "test_s": self._traced_s if trace else self._test_s,
            "job_s": self._job_s,
            "jobs": [dict(change) for change in changes],
            "first": first,
            "targets": self._targets,
            "trace": trace,
        }
        sandbox = self._fresh()
        argv = self._machine.shell(f"python -B {_SCRIPT}", joined=False)
        variables = {**self._machine.variables, "PYTHONHASHSEED": "0"}
        wall_s = self._job_s * len(changes) + 10.0
        done = sandbox.exec(argv, input=json.dumps(given).encode(), env=variables, wall_s=wall_s)
        read = [_read(line) for line in done.stdout.splitlines()[: len(changes)]]
        return read + [Trial()] * (len(changes) - len(read))

    def _fresh(self) -> Sandbox:
        """Gives the sandbox with the tree as it was."""
        if self._sandbox is None or not self._sandbox.alive:
            self.close()
            self._sandbox = self._machine.make_sandbox(_LIMITS)
            self._sandbox.start()
        self._machine.fill(self._sandbox, self._tree)
        return self._sandbox

    def close(self) -> None:
        """Ends the sandbox; may be called twice."""
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _read(line: bytes) -> Trial:
    """Reads what a run reported; what has another form counts as nothing, for tested code may have written it."""
    try:
        row = json.loads(line)
        statuses = {str(name): status == "passed" for name, status in row["statuses"].items()}
        return Trial(
            statuses=statuses,
            lines={str(name): _lines(found) for name, found in row["lines"].items()},
            seconds={str(name): float(seconds) for name, seconds in row["seconds"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Trial()


def _lines(found: Any) -> frozenset[tuple[str, int]]:
    return frozenset((str(path), int(line)) for path, lines in found.items() for line in lines)
