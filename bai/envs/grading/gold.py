"""What a task's gold answer changes: its patch, or what the script that brings one does in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bai.envs.machines.base import Workshop
from bai.envs.machines.harbor import TaskFolder, read_folder
from bai.envs.repository.patch import apply_patch, parse_patch
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox.base import Limits
from bai.envs.tasks.repair import RepairTask
from bai.errors import CannotFork, ConfigError, DataError, InfraError

__all__ = ["gold_changes", "in_places"]

_SCRIPT = "solve.sh"


def gold_changes(task: RepairTask, workshop: Workshop, limits: Limits) -> Mapping[str, Entry | None]:
    """Gives what the gold answer makes of the tree that a task begins with.

    Args:
        task: The task; a Harbor task's ``solution/solve.sh`` is run in a sandbox of its own.
        workshop: Where trees and machines come from.
        limits: What that script may take.

    Raises:
        ConfigError: The task brings no gold answer.
        DataError: Its script fails.
        PatchError: Its patch does not apply.
        InfraError: The machinery failed.
    """
    tree = workshop.tree(task)
    if "harbor" in task.origin:
        folder = read_folder(Path(task.origin["harbor"]))
        if _SCRIPT not in folder.solution:
            raise ConfigError(f"task {task.task_id} brings no solution/{_SCRIPT} to solve it with")
        return tree.changes_to(_solved(task, folder, workshop, limits))
    if not task.patch.strip():
        raise ConfigError(f"task {task.task_id} brings no gold patch to solve it with")
    return tree.changes_to(apply_patch(tree, parse_patch(task.patch), allow_renames=True))


def _solved(task: RepairTask, folder: TaskFolder, workshop: Workshop, limits: Limits) -> Tree:
    """Gives the tree after a solution's script."""
    machine = workshop.machine(task)
    with machine.make_sandbox(limits) as sandbox:
        try:
            machine.fill(sandbox, workshop.tree(task))
        except OSError as error:
            raise InfraError(f"the files of {task.task_id} do not fit into its sandbox: {error}") from error
        command = in_places("solution", _SCRIPT, machine.root)
        data, variables = folder.solution.archive(), dict(machine.variables)
        result = sandbox.exec(command, input=data, env=variables, wall_s=limits.wall_s)
        if not result.ok:
            said = (result.stdout + result.stderr).decode("utf-8", "replace").strip()[-300:]
            raise DataError(
                f"solution/{_SCRIPT} of {task.task_id} ended with {result.exit_code or result.status}: {said}"
            )
        try:
            left = Tree.from_archive(sandbox.snapshot().archive, below=machine.below)
        except (CannotFork, ConfigError) as error:
            raise DataError(f"what solution/{_SCRIPT} of {task.task_id} leaves cannot be read: {error}") from error
    return Tree({path: entry for path, entry in left.items() if path.split("/", 1)[0] != ".git"})


def in_places(name: str, script: str, root: str) -> list[str]:
    """Gives a command that unpacks standard input in ``/NAME`` and runs a script of it as Harbor does.

    What the script prints is the command's standard error. Its standard output, which the script cannot reach by
    ordinary means, is the reward: the file's name in the first line, and the file.

    Args:
        name: ``tests`` or ``solution``.
        script: The file, relative to that directory.
        root: Directory in which it runs.
    """
    return ["bash", "-c", _COMMAND, name, script, root]


_COMMAND = """
exec 3>&1 1>&2
umask 022
for place in /$0 /logs; do mkdir -p "$(readlink $place)"; done
mkdir -p /logs/verifier /logs/agent /logs/artifacts
tar -x -f - -C /$0 --no-same-owner || exit 125
cd "$2" || exit 125
chmod +x "/$0/$1"
"/$0/$1" < /dev/null 3>&-
code=$?
for file in reward.txt reward.json; do
  if [ -f /logs/verifier/$file ]; then
    { echo $file; head -c 65536 /logs/verifier/$file; } >&3
    break
  fi
done
exit $code
"""
