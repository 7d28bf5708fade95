"""The process backend: no daemon and no program of the system's, only the kernel's own means."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from bai.envs.sandbox import inside, layout
from bai.envs.sandbox.base import Capabilities, Limits
from bai.envs.sandbox.inside import files, landlock, seccomp
from bai.envs.sandbox.local import COMMON, LocalSandbox
from bai.envs.sandbox.reaper import FOLDER_PREFIX
from bai.envs.sandbox.shown import beside, place_of, refuse_closed
from bai.envs.sandbox.startup import BOOTSTRAP
from bai.envs.sandbox.uids import can_change_uid, will_pass
from bai.errors import ConfigError, InfraError, SandboxDied, SandboxUnavailable

__all__ = ["ProcessSandbox"]

log = logging.getLogger(__name__)

_MODES = ("namespaces", "uid", "plain")
_DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
_INSIDE = str(Path(inside.__file__).parent)


class ProcessSandbox(LocalSandbox):
    """A sandbox the runner builds for itself.

    What it is made of depends on what this machine allows; the first that works is taken:

    ``namespaces``
        PID, mount, network, IPC, UTS and cgroup namespaces and a private root that shows read-only
        system directories, the interpreter and a few packages. As root, each sandbox's
        candidates also have a uid of their own; as an ordinary user, a user namespace.
    ``uid``
        As root without the right to make namespaces: a uid of its own, killed as a whole;
        Landlock where the kernel has it, and no sockets.
    ``plain``
        As an ordinary user without namespaces: resource limits, a watch over the process
        tree, Landlock where the kernel has it, and no sockets.

    In every mode: resource limits, no_new_privs, the system call filter on machines whose calls it knows, and a
    control group where one may be made. What it does not stop:

    * in any mode, what no backend stops (:data:`~bai.envs.sandbox.local.COMMON`);
    * in ``uid`` and ``plain``, seeing that a file or a process exists; changes of modes, times and attributes of files
      that its user owns or may write, wherever they lie; marks in the access times of files of the system; disk
      space under files that are removed but still open; without Landlock, reading and writing what its user may;
    * in ``plain``, without Landlock's confinement of truncation (Linux 6.2), cutting off the user's files; without
      that of signals (6.12), signals to every process of the user, the runner included; processes that the user
      starts elsewhere count towards the limit;
    * without a filter, network connections in ``uid`` and ``plain``.

    :attr:`capabilities` says which of this applies here, and the first sandbox of a process that lacks one of the
    promises logs a warning.

    Args:
        limits: Bounds on each execution.
        mode: One of the three, or None for the strongest that works.
        cpus: Processors' worth of time for the whole tree, 0.01 to 4096; None for as much as there is.
        shown: Absolute paths of directories of this machine that candidates may read and run, and not write. In
            ``uid`` and ``plain`` they lie where they lie, and rules of Landlock's let candidates at them.
        hidden: Absolute paths of directories, in those that every sandbox shows, that candidates may not read; in
            ``uid`` and ``plain``, where the kernel has Landlock.
        links: Symlinks that the sandbox's own file system has, each (path, target); in ``namespaces`` alone.
    """

    name: ClassVar[str] = "process"

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        mode: str | None = None,
        cpus: float | None = None,
        shown: Sequence[str] = (),
        hidden: Sequence[str] = (),
        links: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(limits=limits, cpus=cpus, shown=shown, hidden=hidden, links=links)
        if mode not in (None, *_MODES):
            raise ConfigError(f"the process sandbox's mode is one of {', '.join(_MODES)}, or None; got {mode!r}")
        if mode is not None:
            self.options["mode"] = mode
        self._mode = mode
        self._folder: str | None = None

    @property
    def mode(self) -> str:
        """``namespaces``, ``uid`` or ``plain``."""
        if self._mode is None:
            self._mode = _best_mode()
        return self._mode

    @classmethod
    def unavailable_reason(cls) -> str | None:
        try:
            return layout.too_old() or (_unreachable() if _best_mode() == "uid" else None)
        except SandboxUnavailable as fault:
            return str(fault)

    def _why_not(self) -> str | None:
        return self.unavailable_reason() if self._mode is None else None

    @property
    def capabilities(self) -> Capabilities:
        if self.mode == "namespaces":
            return self._as_held(_NAMESPACES)
        return self._as_held(_without_namespaces(own_uid=self.mode == "uid"))

    def _runner_command(self) -> tuple[list[str], dict[str, str]]:
        _warn_once(self.capabilities)
        if self.mode == "uid" and (reason := _unreachable()):
            raise SandboxUnavailable(f"the process sandbox cannot work here: {reason}")
        refuse_closed(self._shown, own_root=self.mode == "namespaces")
        if self._links and self.mode != "namespaces":
            raise SandboxUnavailable(f"links need a file system of the sandbox's own, which {self.mode} has not")
        if self.mode != "namespaces":
            self._folder = tempfile.mkdtemp(prefix=FOLDER_PREFIX)
            Path(self._folder).chmod(0o711)
            Path(self._workspace).mkdir(mode=0o700)
            self._check_room(self._folder)
        # -P, -s and -S rather than -I: with -I the interpreter would ignore the fixed hash seed.
        command = [layout.interpreter(), "-P", "-s", "-S", "-c", BOOTSTRAP, _INSIDE]
        return command, {"PATH": layout.path_variable(), **layout.ENVIRONMENT}

    def _check_room(self, folder: str) -> None:
        """Raises where the disk cannot hold what the disk limit allows: a good program would fail for want of it."""
        disk = os.statvfs(folder)
        room = disk.f_bavail * disk.f_frsize
        if room < self.limits.disk_bytes:
            raise SandboxDied(
                f"the process sandbox has no room for its workspace: {Path(folder).parent} has {room} bytes left, "
                f"and the disk limit is {self.limits.disk_bytes}"
            )

    def reset(self) -> None:
        super().reset()
        if self._folder is not None:
            self._check_room(self._folder)

    @property
    def _workspace(self) -> str:
        return layout.WORKSPACE if self._folder is None else f"{self._folder}/workspace"

    def _configure(self) -> dict[str, Any]:
        config = super()._configure()
        of_system = layout.build_layout()
        if self.mode == "namespaces":
            return config | {
                "namespaces": True,
                "privileged": self._uid is not None,
                "binds": (*of_system.binds, *((folder, place_of(folder)) for folder in self._shown)),
                "links": (*of_system.links, *((target, path) for path, target in self._links)),
                "hidden": self._hidden,
            }
        environment = {**layout.ENVIRONMENT, "HOME": self._workspace, "TMPDIR": self._workspace}
        return config | {
            "branches": f"{self._folder}/branches",
            "workspace": self._workspace,
            "scratch": [self._workspace],
            "package_folders": of_system.package_folders,
            "environment": {**environment, "PATH": layout.path_variable()},
            "own_disk": False,
            "count_user": self._uid is None,
            "sockets": False,
            "same_user": False,
            "landlock": {"read_only": list(self._readable(of_system)), "devices": _DEVICES},
        }

    def _readable(self, of_system: layout.Layout) -> Iterator[str]:
        """What candidates may read where the file system is the machine's."""
        for source, _ in of_system.binds:
            yield from beside(source, self._hidden)
        yield from self._shown

    def _holdings(self) -> dict[str, Any]:
        return super()._holdings() | {"folder": self._folder}

    def _release(self, *, owner: bool) -> None:
        super()._release(owner=owner)
        if self._folder is not None:
            if owner:
                # Flattened first: a candidate's tree may be deeper than rmtree can recurse.
                with contextlib.suppress(OSError):
                    files.empty(self._folder)
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


@functools.cache
def _best_mode() -> str:
    """The strongest mode whose runner comes up here.

    Raises:
        SandboxUnavailable: None could be tried just now; nothing is remembered.
    """
    try:
        with ProcessSandbox(mode="namespaces"):
            return "namespaces"
    except InfraError as fault:
        if will_pass(fault.__cause__):
            raise SandboxUnavailable(f"the process sandbox could not be tried: {fault}") from fault
    return "uid" if can_change_uid() else "plain"


_warned = False


def _warn_once(capabilities: Capabilities) -> None:
    """Says in one sentence, once a process, which promises this machine does not keep."""
    global _warned
    fields = dataclasses.asdict(capabilities)
    lacking = [name for name, held in fields.items() if held is False and name != "live_fork"]
    if lacking and not _warned:
        _warned = True
        told = "; ".join(what for what in capabilities.not_stopped if what not in COMMON)
        log.warning("the process sandbox lacks %s on this machine and does not stop: %s", ", ".join(lacking), told)


def _unreachable() -> str | None:
    """Why another user could not run the interpreter, or None if it could."""
    closed = layout.hidden_from_others(layout.interpreter())
    return (
        None if closed is None else f"its candidates' user cannot run {layout.interpreter()}: {closed} is closed to it"
    )


_NAMESPACES = Capabilities(
    network_blocked=True,
    filesystem_hidden=True,
    filesystem_readonly=True,
    processes_hidden=True,
    tree_memory=True,
    tree_processes=True,
    disk_limited=True,
    not_stopped=COMMON,
)


def _without_namespaces(*, own_uid: bool) -> Capabilities:
    """What is left where the kernel gives no namespaces."""
    version, filtered = landlock.version(), seccomp.build_filter() is not None
    signals = own_uid or version >= landlock.NO_SIGNALS_SINCE
    writes = version >= (1 if own_uid else landlock.NO_TRUNCATION_SINCE)
    lacking = {
        "network connections": filtered,
        "reading every file that the user of the sandbox may read": version > 0,
        "writing every file that the user of the sandbox may write": writes,
        "changing modes, times and attributes of files that its user owns or may write": False,
        "signals to every process of the user running bai, the runner included": signals,
        "seeing that a file or a process exists": False,
        "files that are removed but still open, which only the limits on files, processes and file size bound": False,
        "marks in the access times of the system's files": False,
        "processes that the same user starts elsewhere count towards the process limit": own_uid,
    }
    return Capabilities(
        network_blocked=filtered,
        filesystem_hidden=version > 0,
        filesystem_readonly=writes,
        processes_hidden=False,
        tree_memory=True,
        tree_processes=own_uid,
        disk_limited=True,
        not_stopped=(*COMMON, *(what for what, stopped in lacking.items() if not stopped)),
    )
