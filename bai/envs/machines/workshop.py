"""The workshop of this machine: trees from libraries, archives, git and images; machines built once and kept."""

from __future__ import annotations

import functools
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Generic, TypeVar

from bai.envs.machines.base import Machine, Workshop
from bai.envs.machines.build import build_environment, environment_key
from bai.envs.machines.cache import cache_folder
from bai.envs.machines.environment import Environment
from bai.envs.machines.harbor import image_machine, light_machine, read_folder, tree_of_image, why_built
from bai.envs.machines.image import ImageMachine, LayerMachine, image_tree, why_no_task_image
from bai.envs.machines.interpreters import choose_interpreter, expect_choice
from bai.envs.machines.light import light_environment
from bai.envs.machines.local import LocalMachine
from bai.envs.machines.sources import Sources
from bai.envs.machines.specs import Spec, edited, find_spec
from bai.envs.repository.left_behind import LEFT_OUT
from bai.envs.repository.patch import apply_patch, parse_patch
from bai.envs.repository.tree import Tree
from bai.envs.sandbox import DockerSandbox, resolve_sandbox
from bai.envs.sandbox.image import why_no_image
from bai.envs.tasks.repair import RepairTask
from bai.errors import DataError, SandboxUnavailable

__all__ = ["LIBRARIES", "LocalWorkshop", "shared_workshop"]

LIBRARIES = Path(__file__).parents[2] / "assets" / "libraries"
"""Where the shipped libraries lie."""
MOST_TREE_BYTES = 1 << 30
"""Bytes that an archive of a tree may hold."""
KEPT_TREES = 8
"""Trees, and machines that hold them, kept in memory, the latest used."""
LARGE_BYTES = 4 << 20
"""Bytes from which on a tree is held by its machine, on disk, rather than sent into each sandbox."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LocalWorkshop(Workshop):
    """Finds trees and machines on this machine. Safe for use from several threads.

    A public repository's task runs in its image, where Docker is used and the engine has that image; else in an
    environment built here. A made task runs in a light machine: bai's own interpreter with pytest, and
    with what the task's project needs.

    Args:
        sandbox: Backend: ``auto`` (the strongest that works here), ``docker``, ``bubblewrap`` or ``process``.
        repos: Where public repositories come from: a directory of local clones or bare mirrors, or a URL with
            ``{repo}`` in it; see :class:`~bai.envs.machines.sources.Sources`.
        python: ``spec`` for the interpreter that a specification names, ``any`` to take the nearest that should do
            where that one is not here, or a version such as ``3.11``.
        build: Whether environments may be built; if not, only what is in the cache is used.
        cache_dir: Where clones and environments are kept; None for ``bai`` in the user's cache directory.
        pull: Whether tasks' images may be pulled from a registry.
        options: The backend's own options, such as bubblewrap's ``cpus``.

    Raises:
        ConfigError: An argument is wrong.
        SandboxUnavailable: The backend does not work here.
    """

    def __init__(
        self,
        *,
        sandbox: str = "auto",
        repos: str | os.PathLike[str] | None = None,
        python: str = "any",
        build: bool = True,
        cache_dir: str | os.PathLike[str] | None = None,
        pull: bool = False,
        **options: Any,
    ) -> None:
        self.backend = resolve_sandbox(sandbox)
        self.cache = cache_folder(cache_dir)
        self._sources = Sources(repos, self.cache)
        self._python = expect_choice(python)
        self._build, self._pull, self._options = build, pull, options
        self._trees: _Kept[Tree] = _Kept(KEPT_TREES)
        self._machines: _Kept[Machine] = _Kept(KEPT_TREES)
        self._environments: _Kept[Environment] = _Kept(None)

    def tree(self, task: RepairTask) -> Tree:
        origin = tuple(sorted(task.origin.items()))
        return self._trees.get((task.repo, task.base_commit, task.version, origin), lambda: self._find_tree(task))

    def machine(self, task: RepairTask) -> Machine:
        origin = tuple(sorted(task.origin.items()))
        key = (task.repo, task.base_commit, task.version, task.image, origin)
        return self._machines.get(key, lambda: self._find_machine(task))

    # Trees.

    def _find_tree(self, task: RepairTask) -> Tree:
        if "harbor" in task.origin:
            return self._harbor_tree(task)
        if task.origin:
            return _made_tree(task)
        if self._uses_image(task):
            return image_tree(str(task.image), self.cache, self._options.get("url"))
        spec = self._spec(task)
        tree = self._source_tree(task, spec)
        if spec.generates:
            environment = self._environment(task, spec)
            tree = tree.changed(dict(Tree.from_folder(Path(environment.folder) / "generated")))
        return tree

    def _harbor_tree(self, task: RepairTask) -> Tree:
        folder = read_folder(Path(task.origin["harbor"]))
        if self._uses_image(task):
            return tree_of_image(folder, str(task.image), self.cache, self._options.get("url"))
        return folder.container.tree

    def _source_tree(self, task: RepairTask, spec: Spec) -> Tree:
        return edited(self._sources.tree(task.repo, task.base_commit), spec.edits)

    # Machines.

    def _find_machine(self, task: RepairTask) -> Machine:
        if "harbor" in task.origin:
            return self._harbor_machine(task)
        if self._uses_image(task):
            return ImageMachine(str(task.image), options=self._options)
        if task.origin:
            environment = self._light(tuple(task.origin.get("requires", "").split()))
        else:
            environment = self._environment(task, self._spec(task))
        if self.backend == DockerSandbox.name:
            return LayerMachine(environment, options=self._options)
        machine = LocalMachine(environment, self.backend, self._options)
        if task.origin:  # small, and while tasks are made its files may not lie anywhere yet
            return machine
        tree = self.tree(task)
        return machine.holding(tree) if sum(len(entry.data) for entry in tree.values()) > LARGE_BYTES else machine

    def _harbor_machine(self, task: RepairTask) -> Machine:
        folder = read_folder(Path(task.origin["harbor"]))
        if self._uses_image(task):
            return image_machine(folder, str(task.image), self._options)
        if not folder.container.is_plain:
            raise SandboxUnavailable(f"{why_built(folder)}; {self._why_no_image(task)}")
        return light_machine(folder, self._light(()), self.backend, self._options)

    def _light(self, requires: tuple[str, ...]) -> Environment:
        return self._environments.get(
            ("light", requires), lambda: light_environment(self.cache, requires, build=self._build)
        )

    def _spec(self, task: RepairTask) -> Spec:
        try:
            return find_spec(task.repo, task.version)
        except SandboxUnavailable as error:
            if task.image is None:
                raise
            how = "docs/repair_tasks.md says how to choose tasks that need no image"
            raise SandboxUnavailable(f"{error}; {self._why_no_image(task)}; {how}") from error

    def _why_no_image(self, task: RepairTask) -> str:
        if task.image is None:
            return "it names no image"
        why = f"images are used in Docker alone, and this is {self.backend}"
        if self.backend == DockerSandbox.name:
            why = str(why_no_image(self._options.get("url"), task.image))
        return f"its image {task.image} cannot be used: {why}"

    def _uses_image(self, task: RepairTask) -> bool:
        """Whether a task runs in its own image: where Docker is used and has it, or may pull it."""
        if self.backend != DockerSandbox.name or task.image is None:
            return False
        return why_no_task_image(task.image, self._options.get("url"), pull=self._pull) is None

    def _environment(self, task: RepairTask, spec: Spec) -> Environment:
        return self._environments.get(
            (task.repo, task.base_commit, task.version), lambda: self._find_environment(task, spec)
        )

    def _find_environment(self, task: RepairTask, spec: Spec) -> Environment:
        interpreter = choose_interpreter(spec, self._python)
        tree = self._source_tree(task, spec)
        place = self.cache / "environments" / environment_key(spec, interpreter, tree)
        if not self._build and not place.exists():
            raise SandboxUnavailable(
                f"the environment of {spec.repo} {spec.version} is not in {place.parent}, and may not be built"
            )
        return build_environment(spec, interpreter, tree, self.cache)


class _Kept(Generic[V]):
    """Things by their keys, each found once, however many threads ask; of a bounded number, the latest used stay."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._finding: dict[Hashable, threading.Lock] = {}
        self._found: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable, find: Callable[[], V]) -> V:
        with self._lock:
            turn = self._finding.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._found:
                    self._found.move_to_end(key)
                    return self._found[key]
            value = find()
            with self._lock:
                self._found[key] = value
                while self._most is not None and len(self._found) > self._most:
                    self._found.popitem(last=False)
            return value


def _made_tree(task: RepairTask) -> Tree:
    """The tree of a task that was made: a library's or an archive's, with the fault put in."""
    if "library" in task.origin:
        tree = _library(task.origin["library"])
    elif "tree" in task.origin:
        tree = Tree.from_gzip(Path(task.origin["tree"]), most=MOST_TREE_BYTES)
    else:
        raise DataError(
            f"task {task.task_id}: its origin names neither a library nor a tree: {dict(task.origin)!r:.200}"
        )
    bug = task.origin.get("bug", "")
    return apply_patch(tree, parse_patch(bug)) if bug else tree


def _library(name: str) -> Tree:
    known = sorted(path.name for path in LIBRARIES.iterdir() if path.is_dir())
    if name not in known:
        raise DataError(f"there is no library {name!r:.100}; expected one of {', '.join(known)}")
    return Tree.from_folder(LIBRARIES / name, leave_out=LEFT_OUT)


@functools.lru_cache(maxsize=16)
def shared_workshop(**options: Any) -> LocalWorkshop:
    """Gives one for all in this process that want the same, for it keeps trees in memory; arguments are its."""
    return LocalWorkshop(**options)
