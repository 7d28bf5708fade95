"""bai/SWEBench-v0: judging a repair against its bare test command, and how soon a second episode starts.

The bare command runs on this machine without a sandbox, over the same files with the same interpreter and packages.
The task is one of the default set, in a repository that holds all its libraries, so that its tests take a while; or,
where ``BAI_REPOS`` (see ``repos=``) and ``BAI_DATA_DIR`` are set, a real one: the row of SWE-bench Lite that
``BAI_REPAIR_ROW`` names.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

import gymnasium as gym
import numpy as np

import bai  # noqa: F401  (registers the ids)
from bai.envs.grading.repair import RepairGrader, tested_tree
from bai.envs.machines.base import Machine, Workshop
from bai.envs.machines.environment import BELOW
from bai.envs.machines.local import LocalMachine
from bai.envs.machines.workshop import LIBRARIES, LocalWorkshop
from bai.envs.repository.left_behind import LEFT_OUT
from bai.envs.repository.patch import apply_patch, parse_patch
from bai.envs.repository.tree import Tree
from bai.envs.sandbox import SANDBOXES
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.swebench import load_repair_set
from benchmarks._measure import Figure, seconds

ROUNDS = 5
MOST_RATIO = 1.5
MOST_START_S = 0.5


def run() -> dict[str, Figure]:
    """Measures every backend that works here."""
    works = [name for name, backend in SANDBOXES.items() if backend.unavailable_reason() is None]
    task = _task()
    figures: dict[str, Figure] = {}
    for name in works:
        figures |= _grading(name, task)
        figures |= _starting(name)
    return figures


class _Together(Workshop):
    """The default set's libraries as one repository."""

    def __init__(self, backend: str) -> None:
        self._shop = LocalWorkshop(sandbox=backend)

    def tree(self, task: RepairTask) -> Tree:
        """The task's own library, and the files of the others that lie beside its own."""
        others = (Tree.from_folder(folder, leave_out=LEFT_OUT) for folder in sorted(LIBRARIES.iterdir()))
        return Tree({path: entry for tree in (*others, self._shop.tree(task)) for path, entry in tree.items()})

    def machine(self, task: RepairTask) -> Machine:
        """As for any of them."""
        return self._shop.machine(task)


def _task() -> RepairTask:
    if row := os.environ.get("BAI_REPAIR_ROW"):
        return load_repair_set("swebench_lite").get(row)
    task = next(iter(load_repair_set("default")))
    return dataclasses.replace(task, run=dataclasses.replace(task.run, targets=("tests",)))


def _workshop(backend: str) -> Workshop:
    if os.environ.get("BAI_REPAIR_ROW"):
        return LocalWorkshop(sandbox=backend, repos=os.environ.get("BAI_REPOS"))
    return _Together(backend)


def _grading(backend: str, task: RepairTask) -> dict[str, Figure]:
    workshop, bench = _workshop(backend), _workshop("bubblewrap")
    grader, rng = RepairGrader(workshop), np.random.default_rng(0)
    assert grader.grade_patch(task, task.patch, rng=rng).resolved, f"the gold patch of {task.task_id} does not resolve"
    bare, judged = [], []
    for _ in range(ROUNDS):
        bare.append(_bare(task, bench))
        judged.append(seconds(lambda: grader.grade_patch(task, task.patch, rng=rng)))
    plain, whole = statistics.median(bare), statistics.median(judged)
    goal = MOST_RATIO if backend == "bubblewrap" else None
    note = f"{task.task_id}: {whole:.3g} s, bare {plain:.3g} s; medians of {ROUNDS}"
    return {
        f"grading in {backend} over the bare command": Figure(value=whole / plain, unit="x", at_most=goal, note=note)
    }


def _bare(task: RepairTask, workshop: Workshop) -> float:
    """Seconds of the test command over the repaired tree, without a sandbox."""
    machine = workshop.machine(task)
    assert isinstance(machine, LocalMachine)
    tree = workshop.tree(task)
    tree = tested_tree(task, tree, apply_patch(tree, parse_patch(task.patch), allow_renames=True))
    environment = {
        **machine.variables,
        "PATH": os.pathsep.join([f"{machine.environment.folder}/bin", "/usr/bin", "/bin"]),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with tempfile.TemporaryDirectory(prefix="bai-bench-") as home:
        tree.write(Path(home) / BELOW)
        script = "\n".join([*task.run.before, " ".join([task.run.command, *task.run.targets])])
        return seconds(
            lambda: subprocess.run(
                ["bash", "-c", script],
                cwd=Path(home) / BELOW,
                env=environment | {"HOME": home},
                capture_output=True,
                check=True,
            )
        )


def _starting(backend: str) -> dict[str, Figure]:
    """Seconds until a second episode on the same task begins."""
    env = gym.make("bai/SWEBench-v0", sandbox=backend)
    env.reset(seed=0)
    task_id = env.unwrapped.task.task_id  # type: ignore[attr-defined]
    taken = [seconds(lambda: env.reset(options={"task_id": task_id})) for _ in range(ROUNDS)]
    env.close()
    value = statistics.median(taken)
    return {f"second episode in {backend}": Figure(value=value, unit="s", at_most=MOST_START_S, note=f"{task_id}")}
