"""Making a file of repair tasks from a project, or the default set from the shipped libraries."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bai.envs.machines.base import Machine, Workshop
from bai.envs.machines.workshop import LIBRARIES, LocalWorkshop
from bai.envs.repository.patch import parse_patch
from bai.envs.tasks.mutation.journal import Journal, Noted
from bai.envs.tasks.mutation.make import Baseline, Wanted, measure, try_candidates
from bai.envs.tasks.mutation.project import Project
from bai.envs.tasks.mutation.runner import MachineRunner
from bai.envs.tasks.repair import RepairTask, TestRun
from bai.envs.tasks.swebench import write_rows
from bai.errors import ConfigError

__all__ = ["Report", "changed_lines", "machine_of", "make_default_rows", "make_rows"]

Progress = Callable[[Noted, int], None]
"""Told of every fault that was tried, and how many tasks there are so far."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of making tasks."""

    tasks: tuple[RepairTask, ...]
    """The tasks, in the order in which they were made."""
    tried: int
    """Faults that were tried for them."""
    seconds: float
    """Of real time, of this run alone: what was taken from a run before is not in it."""
    fault_seconds: float
    """Seconds that faults took, one after the other, those of runs before included."""
    operators: Mapping[str, int]
    """Tasks by operator; a task with two counts for both."""
    findings: Mapping[str, int]
    """Faults by what became of them."""
    flaky: tuple[str, ...]
    """Tests left out because they pass only now and then."""
    unreadable: int
    """Tests left out because their ids have spaces in them."""

    @property
    def several_lines(self) -> int:
        """Tasks whose gold patch changes two or more lines."""
        return sum(changed_lines(task.patch) > 1 for task in self.tasks)


def changed_lines(patch: str) -> int:
    """Gives how many lines a diff adds or takes away, whichever is more."""
    lines = [line for file in parse_patch(patch).files for hunk in file.hunks for line in hunk.lines]
    return max(sum(line.startswith(sign) for line in lines) for sign in (b"+", b"-"))


def machine_of(project: Project, workshop: Workshop) -> Machine:
    """Gives the machine that tasks of a project run on. Raises as :meth:`Workshop.machine`."""
    return workshop.machine(
        RepairTask(
            task_id=project.name,
            prompt="",
            repo=project.repo,
            base_commit=project.tree.digest,
            version=project.version,
            problem_statement="",
            patch="",
            test_patch="",
            fail_to_pass=(),
            pass_to_pass=(),
            log_parser="parse_log_pytest",
            run=TestRun(command="", targets=project.tests),
            origin=project.origin or {"tree": project.name, **project.needs},
        )
    )


def make_rows(
    project: Project,
    out: Path,
    *,
    count: int,
    seed: int = 0,
    sandbox: str = "auto",
    jobs: int = 1,
    wanted: Wanted | None = None,
    on_progress: Progress | None = None,
    workshop: Workshop | None = None,
) -> Report:
    """Makes tasks of a project and writes them as SWE-bench rows.

    What was tried is kept in a journal beside ``out``: called again with the same arguments, and perhaps a larger
    count, it goes on from there. The files of a project that is no shipped library are kept beside ``out`` too.

    Args:
        project: Where the faults go.
        out: ``.jsonl``, ``.jsonl.gz`` or ``.json``.
        count: Tasks wanted, at least 1; fewer come where the faults run out.
        seed: Decides everything; the same tasks come for any ``jobs``.
        sandbox: Backend that tests run in, or ``auto``.
        jobs: Faults tried at a time, at least 1.
        wanted: Which faults become tasks; None for the defaults.
        on_progress: Called after every fault.
        workshop: Where the machine comes from, instead of a :class:`LocalWorkshop` with ``sandbox``.

    Raises:
        ConfigError: A number is out of range, or the journal is of another run.
        DataError: The project's tests tell nothing.
        InfraError: No sandbox works, or one was lost.
        MissingDependency: tree-sitter or pytest is not installed.
    """
    if count < 1 or jobs < 1:
        raise ConfigError(f"count and jobs are at least 1; got {count!r} and {jobs!r}")
    began, wanted = time.monotonic(), wanted or Wanted()
    run = {"project": project.tree.digest, "tests": project.tests, "seed": seed, **asdict(wanted), **project.needs}
    journal = Journal(out.with_name(f"{out.name}.journal"), run)
    kept = _kept(project, out)
    machine = machine_of(project, workshop or LocalWorkshop(sandbox=sandbox))
    with MachineRunner(machine, python_path=project.python_path) as runner:
        baseline = measure(project, runner)
        _go_on(kept, journal, baseline, runner, count=count, seed=seed, jobs=jobs, wanted=wanted, tell=on_progress)
    report = _report(journal.noted, baseline, count, time.monotonic() - began)
    write_rows(out, report.tasks)
    return report


def make_default_rows(
    out: Path,
    work: Path,
    *,
    each: int = 8,
    seed: int = 0,
    sandbox: str = "auto",
    jobs: int = 1,
    libraries: Path = LIBRARIES,
    on_progress: Progress | None = None,
) -> dict[str, Report]:
    """Makes the candidates of the default set: so many tasks from each shipped library, in one file.

    Args:
        out: The file of rows.
        work: A folder for each library's own rows and journal, made where it is absent.
        each: Tasks of each library.
        seed: Decides everything.
        sandbox: As for :func:`make_rows`.
        jobs: As for :func:`make_rows`.
        libraries: The folder that the libraries lie in.
        on_progress: As for :func:`make_rows`.

    Returns:
        The report of each library. Raises as :func:`make_rows`.
    """
    work.mkdir(parents=True, exist_ok=True)
    reports = {}
    for folder in sorted(path for path in libraries.iterdir() if path.is_dir()):
        project = Project.from_path(folder, library=True)
        rows = work / f"{project.name}.jsonl"
        reports[project.name] = make_rows(
            project, rows, count=each, seed=seed, sandbox=sandbox, jobs=jobs, on_progress=on_progress
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_rows(out, [task for report in reports.values() for task in report.tasks])
    return reports


def _kept(project: Project, out: Path) -> Project:
    """The project with a place from which its tree can be had later."""
    if project.origin:
        return project
    place = (out.parent / f"{project.name}-{project.version}.tar.gz").resolve()
    place.write_bytes(gzip.compress(project.tree.archive(), mtime=0))
    return replace(project, origin={"tree": str(place), **project.needs})


def _go_on(
    project: Project,
    journal: Journal,
    baseline: Baseline,
    runner: MachineRunner,
    *,
    count: int,
    seed: int,
    jobs: int,
    wanted: Wanted,
    tell: Progress | None,
) -> None:
    made = sum(noted.task is not None for noted in journal.noted)
    if made >= count:
        return
    known = frozenset(noted.key for noted in journal.noted)
    trying = try_candidates(project, baseline, seed=seed, jobs=jobs, runner=runner, wanted=wanted, known=known)
    for tried in trying:
        noted = Noted.of(tried)
        journal.add(noted)
        made += noted.task is not None
        if tell is not None:
            tell(noted, made)
        if made >= count:
            break
    trying.close()


def _report(noted: Iterable[Noted], baseline: Baseline, count: int, seconds: float) -> Report:
    counted: list[Noted] = []
    tasks: list[RepairTask] = []
    for each in noted:
        if len(tasks) == count:
            break
        counted.append(each)
        tasks += [] if each.task is None else [each.task]
    made = [each for each in counted if each.task is not None]
    return Report(
        tasks=tuple(tasks),
        tried=len(counted),
        seconds=seconds,
        fault_seconds=sum(each.seconds for each in counted),
        operators=dict(sorted(Counter(name for each in made for name in each.operators).items())),
        findings=dict(sorted(Counter(each.finding for each in counted).items())),
        flaky=baseline.flaky,
        unreadable=baseline.unreadable,
    )
