"""Verdicts on Harbor tasks, whose own script is the judge (https://harborframework.com/docs/tasks).

The script runs in a fresh sandbox, over the trusted files with the changes that may be made, and with the task's tests
put on last. It writes a reward: ``/logs/verifier/reward.txt``, a number, or ``reward.json``, an object of numbers. Code
of the agent's that the script runs could write that file too. So a change that earns the whole reward is judged once
more, with a test put into the task's own test files that must fail: a reward that stays whole then, while that of the
gold answer does not, was not given by the tests.
"""

from __future__ import annotations

import json
import math
import posixpath
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from bai.envs.grading.gold import gold_changes, in_places
from bai.envs.grading.planting import plant, written
from bai.envs.grading.resolution import Examination, Resolution
from bai.envs.machines.base import Workshop
from bai.envs.machines.harbor import TaskFolder, read_folder
from bai.envs.repository.policy import Guarded, guard
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox.base import ExecResult, Limits
from bai.envs.tasks.repair import RepairTask
from bai.errors import ConfigError, DataError, InfraError

__all__ = ["Judgement", "judge", "read_reward"]

_TEST_FILES = ("test_*.py", "*_test.py")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a task's own script said of a change."""

    result: ExecResult
    """How it ran."""
    reward: float | None
    """The reward in [0, 1], or None if it gave none that can be read."""
    guarded: Guarded
    """What was judged, and what was taken out."""
    forged: bool
    """Whether the reward stays whole where a test must fail."""
    seconds: float
    """That all of it took."""

    @property
    def examination(self) -> Examination | None:
        """The same as an examination of one test, the script; None if there is no reward."""
        if self.reward is None:
            return None
        resolution = Resolution(fail_to_pass={"reward": self.reward >= 1.0}, pass_to_pass={})
        return Examination(resolution=resolution, tampering=(_FORGED,) if self.forged else (), whole=True)


_FORGED = "the reward is whole although a test must have failed"


def judge(
    task: RepairTask,
    changes: Mapping[str, Entry | None],
    workshop: Workshop,
    limits: Limits,
    rng: np.random.Generator,
) -> Judgement:
    """Runs a task's script over a change.

    Args:
        task: A Harbor task.
        changes: What was made of the tree that it begins with.
        workshop: Where trees and machines come from.
        limits: What a run of the script may take.
        rng: Names the test that must fail.

    Raises:
        InfraError: The machinery failed.
    """
    began = time.perf_counter()
    folder, tree = read_folder(Path(task.origin["harbor"])), workshop.tree(task)
    guarded = guard(tree, changes, set())
    judged = tree.changed(guarded.kept)
    result = _run(task, folder, folder.tests, judged, workshop, limits)
    reward, forged = _reward_of(result, folder), False
    planted = _planted(folder.tests, rng)
    if reward == 1.0 and planted is not None:
        forged = _whole(task, folder, planted, judged, workshop, limits) and not _gold_whole(
            task, folder, planted, workshop, limits
        )
    return Judgement(result=result, reward=reward, guarded=guarded, forged=forged, seconds=time.perf_counter() - began)


def _run(
    task: RepairTask, folder: TaskFolder, tests: Tree, tree: Tree, workshop: Workshop, limits: Limits
) -> ExecResult:
    machine = workshop.machine(task)
    with machine.make_sandbox(limits) as sandbox:
        try:
            machine.fill(sandbox, tree)
        except OSError as error:
            raise InfraError(f"the files of {task.task_id} do not fit into its sandbox: {error}") from error
        variables = {**machine.variables, "TEST_DIR": "/tests", **folder.variables}
        command = in_places("tests", folder.script, machine.root)
        return sandbox.exec(command, input=tests.archive(), env=variables, wall_s=limits.wall_s)


def _reward_of(result: ExecResult, folder: TaskFolder) -> float | None:
    if result.status != "exited":
        return None
    name, _, text = result.stdout.decode("utf-8", "replace").partition("\n")
    if not name and folder.script == "run-tests.sh":
        # Of the format before Harbor's, whose scripts end with the runner's exit code.
        return float(result.exit_code == 0)
    return read_reward(name, text)


def read_reward(name: str, text: str) -> float | None:
    """Reads a reward, held within [0, 1]; None if it is none.

    Args:
        name: ``reward.txt``, a number; or ``reward.json``, an object of numbers, of which ``reward`` counts, or the
            only one.
        text: What the file holds.
    """
    try:
        value = json.loads(text) if name == "reward.json" else float(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        value = value.get("reward", next(iter(value.values())) if len(value) == 1 else None)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    return float(min(1, max(0, value)))  # held first: a whole number may be too large for a float


# The control.


def _planted(tests: Tree, rng: np.random.Generator) -> Tree | None:
    """Gives the tests with one more in each of their files that must fail; None where none of them is Python's."""
    files = [path for path in tests if any(fnmatchcase(posixpath.basename(path), kind) for kind in _TEST_FILES)]
    taken = {tests[path].data.decode("utf-8", "replace") for path in files}
    changed: dict[str, Entry | None] = {}
    for path in files:
        found = plant(tests[path].data, rng, taken, wanted=_is_collected, repeatable=_is_collected)
        added = found.source if found else tests[path].data + b"\n\n" + written(rng, taken).source
        changed[path] = Entry(data=added, executable=tests[path].executable)
    return tests.changed(changed) if files else None


def _whole(task: RepairTask, folder: TaskFolder, tests: Tree, tree: Tree, workshop: Workshop, limits: Limits) -> bool:
    return _reward_of(_run(task, folder, tests, tree, workshop, limits), folder) == 1.0


def _is_collected(owner: str | None, name: str) -> bool:
    """Whether pytest takes what begins like a test for one, as far as its class's name says."""
    return owner is None or owner.startswith("Test")


def _gold_whole(task: RepairTask, folder: TaskFolder, tests: Tree, workshop: Workshop, limits: Limits) -> bool:
    """Whether these very tests speak against no change, because the script does not run the planted one."""
    try:
        gold = workshop.tree(task).changed(gold_changes(task, workshop, limits))
    except ConfigError:
        return True
    except DataError as error:
        raise InfraError(f"whether the reward was forged cannot be told without the gold answer: {error}") from error
    reward = _reward_of(_run(task, folder, tests, gold, workshop, limits), folder)
    if reward is None:
        raise InfraError(f"the gold answer of {task.task_id} came to no reward in the run that tells forged ones apart")
    return reward == 1.0
