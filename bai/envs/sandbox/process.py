"""The process backend: no daemon and no program of the system's, only the kernel's own means."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from bai.envs.sandbox import inside, layout
from bai.envs.sandbox.base import Capabilities, Limits
from bai.envs.sandbox.resident import BOOTSTRAP, ResidentSandbox
from bai.envs.sandbox.uids import UidLease
from bai.errors import InfraError

__all__ = ["COMMON", "ProcessSandbox", "can_change_uid"]

_INSIDE = str(Path(inside.__file__).parent)


class ProcessSandbox(ResidentSandbox):
    """A sandbox the runner builds for itself.

    What it is made of depends on what this machine allows; the first that works is taken:

    ``namespaces``
        PID, mount, network, IPC and UTS namespaces and a private root that shows read-only
        system directories, the interpreter and a few packages. As root, each sandbox's
        candidates also have a uid of their own; as an ordinary user, a user namespace.
    ``uid``
        As root without the right to make namespaces: a uid of its own, killed as a whole.
    ``plain``
        Resource limits and a watch over the process tree, and nothing more.

    :attr:`capabilities` says which of the promises hold, and what is not stopped.
    """

    name: ClassVar[str] = "process"

    def __init__(self, *, limits: Limits | None = None, mode: str | None = None) -> None:
        super().__init__(limits=limits)
        self._mode = mode
        self._folder: str | None = None
        self._uid: UidLease | None = None

    @property
    def mode(self) -> str:
        """``namespaces``, ``uid`` or ``plain``."""
        if self._mode is None:
            self._mode = _best_mode()
        return self._mode

    @classmethod
    def unavailable_reason(cls) -> str | None:
        if not hasattr(os, "pidfd_open"):
            return "it needs Linux 5.4 or newer"
        return None

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES[self.mode]

    def _command(self) -> tuple[list[str], dict[str, str]]:
        if can_change_uid():
            self._uid = UidLease()
        if self.mode != "namespaces":
            self._folder = tempfile.mkdtemp(prefix="bai-sandbox-")
            Path(self._folder).chmod(0o711)
            Path(self._workspace).mkdir(mode=0o700)
        # -P, -s and -S rather than -I: with -I the interpreter would ignore the fixed hash seed.
        command = [layout.interpreter(), "-P", "-s", "-S", "-c", BOOTSTRAP, _INSIDE]
        return command, {"PATH": layout.path_variable(), **layout.ENVIRONMENT}

    @property
    def _workspace(self) -> str:
        return layout.WORKSPACE if self._folder is None else f"{self._folder}/workspace"

    def _configure(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "uid": self._uid.uid if self._uid else None,
            "guard_uid": self._uid.guard if self._uid else None,
        }
        shown = layout.build_layout()
        if self.mode == "namespaces":
            return config | {
                "namespaces": True,
                "privileged": self._uid is not None,
                "binds": shown.binds,
                "links": shown.links,
            }
        environment = {**layout.ENVIRONMENT, "HOME": self._workspace, "TMPDIR": self._workspace}
        return config | {
            "workspace": self._workspace,
            "scratch": [self._workspace],
            "environment": {**environment, "PATH": layout.path_variable()},
            "own_disk": False,
            "count_user": self._uid is None,
        }

    def _release(self, *, owner: bool) -> None:
        if self._uid is not None:
            if owner:
                self._uid.release()
            else:
                self._uid.abandon()
            self._uid = None
        if self._folder is not None:
            if owner:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _twin(self) -> ProcessSandbox:
        twin = ProcessSandbox(limits=self.limits, mode=self._mode)
        twin._canary = True
        return twin


@functools.cache
def can_change_uid() -> bool:
    """Whether this is a root that may become other users, rather than one in name only."""
    if os.geteuid() != 0:
        return False
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setresuid(65_000, 65_000, 65_000)
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@functools.cache
def _best_mode() -> str:
    """The strongest mode whose runner comes up here."""
    with contextlib.suppress(InfraError), ProcessSandbox(mode="namespaces"):
        return "namespaces"
    return "uid" if can_change_uid() else "plain"


COMMON = (
    "a kernel bug that a process can reach with ordinary system calls",
    "use of processor time on every core until the time limit",
)
"""What no backend here stops."""

_CAPABILITIES = {
    "namespaces": Capabilities(
        network_blocked=True,
        filesystem_hidden=True,
        filesystem_readonly=True,
        processes_hidden=True,
        tree_memory=True,
        tree_processes=True,
        disk_limited=True,
        not_stopped=COMMON,
    ),
    "uid": Capabilities(
        network_blocked=False,
        filesystem_hidden=False,
        filesystem_readonly=False,
        processes_hidden=False,
        tree_memory=True,
        tree_processes=True,
        disk_limited=True,
        not_stopped=(
            *COMMON,
            "network connections",
            "reading files of the host that every user may read",
            "writing to directories of the host that every user may write, such as /tmp",
            "seeing the host's processes (signals to them are refused)",
        ),
    ),
    "plain": Capabilities(
        network_blocked=False,
        filesystem_hidden=False,
        filesystem_readonly=False,
        processes_hidden=False,
        tree_memory=True,
        tree_processes=False,
        disk_limited=True,
        not_stopped=(
            *COMMON,
            "network connections",
            "reading and writing every file that the user running bai may read and write",
            "signals to every process of that user, the runner included",
            "processes that the user starts elsewhere count towards the process limit",
        ),
    ),
}
