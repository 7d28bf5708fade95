"""From an agent's changes to a verdict on a repair, in a sandbox that the agent never saw.

What leaves the agent's sandbox is a difference of files, looked at here. What is judged is the trusted tree with the
changes that may be made (:mod:`bai.envs.repository.policy`), the task's own tests put on last, each file by itself, and
one test more that must fail, under a name drawn at random. SWE-bench's parsers read what the tests print and its rules
decide (:mod:`bai.envs.grading.resolution`); neither printed text nor the exit code does by itself. A change that
resolves the task so far is run once more against tests from which what they expect is withheld
(:mod:`bai.envs.grading.control`).
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bai.envs.grading.control import Control, make_control
from bai.envs.grading.given_up import given_up
from bai.envs.grading.logs import LogReader
from bai.envs.grading.resolution import Examination, examine
from bai.envs.grading.sentinel import Sentinel, make_sentinel
from bai.envs.grading.verifier import judge
from bai.envs.machines.base import Machine, Workshop
from bai.envs.repository.patch import apply_patch, make_patch, parse_patch
from bai.envs.repository.policy import Stripped, guard
from bai.envs.repository.tree import Entry, Tree, parents_of
from bai.envs.sandbox.base import MIB, ExecResult, Limits
from bai.envs.tasks.repair import RepairTask
from bai.errors import InfraError, PatchError
from bai.types import Status, Verdict

__all__ = ["TEST_LIMITS", "RepairGrader", "RepairReport", "run_tests", "tested_tree"]

TEST_LIMITS = Limits(
    wall_s=600.0,
    memory_bytes=2048 * MIB,
    processes=256,
    output_bytes=32 * MIB,
    disk_bytes=512 * MIB,
    open_files=1024,
)
"""What a run of a task's tests may take."""


@dataclass(frozen=True, kw_only=True)
class RepairReport:
    """How a change was judged."""

    verdict: Verdict
    """``passed`` if it resolves the task; its score is the share of fail-to-pass tests that pass, where it is
    ``failed`` and no test broke."""
    examination: Examination | None = None
    """What the tests showed, or None if they were not run."""
    patch: str = field(default="", repr=False)
    """What was judged, as a unified diff: the change without what was taken out of it."""
    stripped: tuple[Stripped, ...] = ()
    """What was taken out, each a sign of tampering."""
    log: str = field(default="", repr=False)
    """What the tests printed; it names hidden tests, so it is not for an agent."""
    tests_s: float = 0.0
    """Seconds that the tests took."""
    seconds: float = 0.0
    """Seconds that the judging took."""

    @property
    def resolved(self) -> bool:
        """Whether the task is resolved."""
        return self.verdict.status == "passed"

    def terms(self) -> dict[str, float]:
        """Gives ``resolved``, ``fail_to_pass`` (share that passes) and ``tampered_files`` (how many)."""
        found = self.examination
        wanted = list(found.resolution.fail_to_pass.values()) if found and self.verdict.status != "tampered" else []
        return {
            "resolved": float(self.resolved),
            "fail_to_pass": sum(wanted) / len(wanted) if wanted else 0.0,
            "tampered_files": float(len(self.stripped)),
        }

    def failing(self) -> list[str] | None:
        """Names the expected tests that do not pass, hidden ones too; None where the tests did not come to tell."""
        if self.examination is None:
            return None
        resolution = self.examination.resolution
        expected = {**resolution.fail_to_pass, **resolution.pass_to_pass}
        return [test for test, passes in expected.items() if not passes]


class RepairGrader:
    """Judges changes to repositories. Safe for use from several threads.

    Args:
        workshop: Where trees and machines come from.
        limits: What a run of the tests may take.
        second_look: Whether a change that makes pass what has to, and breaks something else, is judged once more, with
            another test that must fail: that test calls what others call too, which can disturb them. Admission does
            without, so that it sees what is flaky.

    Raises:
        MissingDependency: ``swebench`` is not installed.
    """

    def __init__(self, workshop: Workshop, *, limits: Limits = TEST_LIMITS, second_look: bool = True) -> None:
        self._workshop, self._limits, self._looks = workshop, limits, 2 if second_look else 1
        self._reader = LogReader()

    def grade_patch(self, task: RepairTask, patch: str, *, rng: np.random.Generator) -> RepairReport:
        """Judges a unified diff, any text at all.

        Args:
            task: What was to be repaired.
            patch: The diff; an empty one changes nothing.
            rng: Names the test that must fail.

        Raises:
            InfraError: The machinery failed.
        """
        tree = self._workshop.tree(task)
        if not patch.strip():
            return self.grade(task, {}, rng=rng)
        try:
            changed = apply_patch(tree, parse_patch(patch))
        except PatchError as error:
            return RepairReport(verdict=Verdict(status="failed", score=0.0, detail=f"the patch is refused: {error}"))
        return self.grade(task, tree.changes_to(changed), rng=rng)

    def grade(self, task: RepairTask, changes: Mapping[str, Entry | None], *, rng: np.random.Generator) -> RepairReport:
        """Judges changes to the tree that the task begins with. Raises as :meth:`grade_patch`."""
        if "harbor" in task.origin:
            return self._judged(task, changes, rng)
        began = time.perf_counter()
        tree, machine = self._workshop.tree(task), self._workshop.machine(task)
        tests = _trusted_tests(task, tree)
        guarded = guard(tree, changes, {*tests, *_named_files(task, tree)})
        judged, trusted = tree.changed(guarded.kept), tree.changed(tests)
        for _ in range(self._looks):
            sentinel = make_sentinel(task, trusted, rng)
            final = _with_tests(judged, {**tests, **sentinel.files})
            result = run_tests(task, machine, final, self._limits, sentinel.targets)
            log = _printed(result)
            examination = self._examine(task, result, log, sentinel, trusted, tests)
            if not _breaks_others(examination):
                break
        if examination is not None and examination.resolved and not self._holds(task, tree, judged, tests, rng):
            examination = replace(examination, tampering=(_WITHHELD,))
        return RepairReport(
            verdict=_verdict(result, examination, guarded.stripped),
            examination=examination,
            patch=make_patch(tree, judged).text,
            stripped=guarded.stripped,
            log=log,
            tests_s=result.wall_s,
            seconds=time.perf_counter() - began,
        )

    def _judged(self, task: RepairTask, changes: Mapping[str, Entry | None], rng: np.random.Generator) -> RepairReport:
        """Judges by the task's own script, which gives a reward."""
        found = judge(task, changes, self._workshop, self._limits, rng)
        tree, stripped = self._workshop.tree(task), found.guarded.stripped
        verdict = _verdict(found.result, found.examination, stripped)
        if found.examination is None and not stripped and found.result.status == "exited":
            verdict = Verdict(status="failed", score=0.0, detail="the task's script wrote no reward")
        elif found.reward is not None and verdict.status == "failed":
            verdict = Verdict(status="failed", score=found.reward, detail=f"reward {found.reward:g}")
        return RepairReport(
            verdict=verdict,
            examination=found.examination,
            patch=make_patch(tree, tree.changed(found.guarded.kept)).text,
            stripped=stripped,
            log=_printed(found.result),
            tests_s=found.result.wall_s,
            seconds=found.seconds,
        )

    def _examine(
        self,
        task: RepairTask,
        result: ExecResult,
        log: str,
        sentinel: Sentinel,
        trusted: Tree,
        tests: Collection[str],
    ) -> Examination | None:
        if result.status != "exited":
            return None
        reading = self._reader.read_log(task.log_parser, log)
        lost = given_up(reading.statuses, trusted, tests)
        exit_code, word, twin = result.exit_code, sentinel.word, sentinel.twin
        return examine(task, reading, exit_code=exit_code, sentinel=word, twin=twin, given_up=lost)

    def _holds(
        self,
        task: RepairTask,
        tree: Tree,
        judged: Tree,
        tests: Mapping[str, Entry | None],
        rng: np.random.Generator,
    ) -> bool:
        """Whether tests over a change that resolves the task tell what they expect where that is withheld.

        What is told wrongly is held against the gold patch: it may come to nothing there too, for reasons of the tests.
        """
        control = make_control(task, tree.changed(tests), rng)
        if control is None:
            return True
        # Of a file that was copied only what the agent has seen may be there: the rest holds what is withheld.
        files = {**tests, **{path: tree.get(path) for path in control.originals}, **control.files}
        right = self._right(task, control, _with_tests(judged, files))
        if right == control.expected.keys():
            return True
        try:
            gold = apply_patch(tree, parse_patch(task.patch), allow_renames=True)
        except PatchError:
            return True
        return right >= self._right(task, control, _with_tests(gold, files))

    def _right(self, task: RepairTask, control: Control, tree: Tree) -> frozenset[int]:
        """Gives which of a control's values come out right over a tree."""
        machine = self._workshop.machine(task)
        result = run_tests(task, machine, tree, self._limits, control.targets, records=control.records)
        return control.right(_printed(result)) if result.status == "exited" else frozenset()


def _breaks_others(examination: Examination | None) -> bool:
    """Whether what has to pass does, nothing speaks against the run, and something else broke."""
    if examination is None or examination.tampering or not examination.whole:
        return False
    return all(examination.resolution.fail_to_pass.values()) and not examination.resolution.kept


def run_tests(
    task: RepairTask,
    machine: Machine,
    tree: Tree,
    limits: Limits,
    targets: Sequence[str] | None = None,
    *,
    records: Sequence[str] = (),
) -> ExecResult:
    """Runs tests over a tree in a fresh sandbox, as a task's are run.

    Args:
        task: The task.
        machine: Where.
        tree: All files, tests included.
        limits: What the run may take.
        targets: What is appended to the test command; None for the task's own.
        records: Files that are printed when the tests are over.

    Raises:
        InfraError: The sandbox failed before the tests began.
    """
    targets = task.run.targets if targets is None else targets
    script = "\n".join([*task.run.before, " ".join([task.run.command, *map(shlex.quote, targets)])])
    if records:
        script += f"\necho\ncat -- {' '.join(map(shlex.quote, records))} 2>/dev/null"
    with machine.make_sandbox(limits) as sandbox:
        try:
            machine.fill(sandbox, tree)
        except OSError as error:
            raise InfraError(f"the repository of {task.task_id} does not fit into its sandbox: {error}") from error
        return sandbox.exec(machine.shell(script), env=dict(machine.variables), wall_s=limits.wall_s)


def tested_tree(task: RepairTask, tree: Tree, changed: Tree) -> Tree:
    """Puts the task's tests on a changed tree, each file by itself.

    Args:
        task: The task.
        tree: The tree that it begins with, to which its test patch applies.
        changed: The tree to be tested.
    """
    return _with_tests(changed, _trusted_tests(task, tree))


def _trusted_tests(task: RepairTask, tree: Tree) -> dict[str, Entry | None]:
    """The files of the task's tests as they have to be: None for one that must not be there."""
    if not task.test_patch.strip():
        return {}
    patch = parse_patch(task.test_patch)
    tested = apply_patch(tree, patch, allow_renames=True)
    paths = {name for file in patch.files for name in (file.path, file.old_path) if name}
    return {path: tested.get(path) for path in sorted(paths)}


def _named_files(task: RepairTask, tree: Tree) -> set[str]:
    """The files that the test command names, which are tests whatever they are called."""
    return {path for target in task.run.targets if (path := target.split("::")[0]) in tree}


def _printed(result: ExecResult) -> str:
    return (result.stdout + result.stderr).decode("utf-8", "replace")


def _with_tests(tree: Tree, tests: Mapping[str, Entry | None]) -> Tree:
    """Puts files on last; what lies where their directories have to be goes."""
    above = {parent for path, entry in tests.items() if entry for parent in parents_of(path)}
    below = tuple(f"{path}/" for path, entry in tests.items() if entry)
    in_the_way = {path: None for path in tree if path in above or path.startswith(below)} if below else {}
    return tree.changed({**in_the_way, **tests})


_WITHHELD = "what tests compare is not what they expect where that is withheld from them"
_STATUS: dict[str, Status] = {"timeout": "timeout", "crashed": "crashed", "memory": "memory"}


def _verdict(result: ExecResult, examination: Examination | None, stripped: tuple[Stripped, ...]) -> Verdict:
    """Decides. What was taken out of a change that resolves the task all the same is told, and not held against it."""
    told = _told(stripped)
    if examination is not None and examination.tampering:
        return Verdict(status="tampered", score=0.0, detail="; ".join((*examination.tampering, *told)))
    if examination is not None and examination.resolved:
        return Verdict(status="passed", score=1.0, detail="; ".join(("resolved", *told)))
    if stripped:
        return Verdict(status="tampered", score=0.0, detail="; ".join(("not resolved", *told)))
    if examination is None:
        ended = result.status
        return Verdict(status=_STATUS.get(ended, "failed"), score=0.0, detail=f"the tests ended with {ended}")
    return _failed(examination)


def _failed(examination: Examination) -> Verdict:
    resolution = examination.resolution
    if not examination.whole:
        return Verdict(status="failed", score=0.0, detail="the tests did not run to their end")
    wanted, kept = resolution.fail_to_pass, resolution.pass_to_pass
    detail = (
        f"{sum(wanted.values())} of {len(wanted)} failing tests pass; {len(kept) - sum(kept.values())} others broke"
    )
    if examination.given_up:
        detail += f"; {len(examination.given_up)} of both gave up (xfail or skip), of which no test file speaks"
    return Verdict(status="failed", score=resolution.fraction, detail=detail)


def _told(stripped: tuple[Stripped, ...]) -> tuple[str, ...]:
    if not stripped:
        return ()
    named = ", ".join(f"{one.path[:80]} ({one.reason})" for one in stripped[:3])
    more = f" and {len(stripped) - 3} more" if len(stripped) > 3 else ""
    return (f"taken out of the change: {named}{more}",)
