"""What the backends have in common whose runner is a process of this machine: its user and its control group."""

from __future__ import annotations

import contextlib
import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from bai.envs.sandbox import cgroups, layout
from bai.envs.sandbox.base import MIB, Capabilities, Limits, is_number
from bai.envs.sandbox.blame import RequestLost
from bai.envs.sandbox.channel import Answer
from bai.envs.sandbox.inside import seccomp, wire
from bai.envs.sandbox.lodging import with_forks
from bai.envs.sandbox.replies import stand_in
from bai.envs.sandbox.resident import ResidentSandbox
from bai.envs.sandbox.shown import expect_folders, expect_links
from bai.envs.sandbox.uids import UidLease, can_change_uid
from bai.errors import ConfigError, SandboxUnavailable

__all__ = ["BUFFERS", "COMMON", "PROCESSORS", "LocalSandbox"]

BUFFERS = "memory in the buffers of sockets and pipes, which only the limits on open files and processes bound"
PROCESSORS = "use of processor time on every core until the time limit"
COMMON = (
    "a kernel bug that a process can reach with ordinary system calls",
    BUFFERS,
    PROCESSORS,
    "signals between sandboxes that run at the same time, by timing or by locks on shared read-only files",
    "memory of the kernel for locks on files, which no limit counts",
    "counters that go on when a sandbox is handed on: process ids, numbers of files, bytes of the loopback",
)
"""What no backend here stops, unless a control group does."""

_ROOM_BYTES = 160 * MIB
"""Memory of the runner itself, the largest request and its reply."""
_COPIES = 8
"""Times the disk limit: three directories that lie in memory, and a snapshot on its way out and back in."""
_ROOM_PROCESSES = 16
"""The runner, what leads to it, and its helpers."""
_LEAST_CPUS, _MOST_CPUS = 0.01, 4096
"""The kernel shares processor time out in whole milliseconds of a tenth of a second, to at most so many processors."""


class LocalSandbox(ResidentSandbox):
    """Base of the backends that run on this machine without a daemon.

    As root, a sandbox's candidates get a uid of their own. Where control groups may be made, the sandbox is one,
    runner and all: a backstop, above the limits that the runner holds, that also counts the kernel's memory. The
    kernel then ends candidates first, and an execution under which it ended any comes out as ``memory``.

    Args:
        limits: Bounds on each execution.
        cpus: Processors' worth of time for the whole tree, 0.01 to 4096; None for as much as there is.
        shown: Absolute paths of directories of this machine that candidates may read and run, and not write; where
            they appear, see :mod:`bai.envs.sandbox.shown`.
        hidden: Absolute paths of directories, in those that every sandbox shows, that candidates may not read.
        links: Symlinks that the sandbox's own file system has, each (path, target), such as
            ``("/app", "/workspace/app")``.

    Raises:
        ConfigError: An argument is wrong.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        cpus: float | None = None,
        shown: Sequence[str] = (),
        hidden: Sequence[str] = (),
        links: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(limits=limits)
        self._shown, self._hidden = expect_folders(shown, "shown"), expect_folders(hidden, "hidden")
        self._links = expect_links(links)
        told = {"shown": self._shown, "hidden": self._hidden, "links": self._links}
        self.options.update({option: value for option, value in told.items() if value})
        self._cpus = None if cpus is None else _expect_cpus(cpus)
        if self._cpus is not None:
            self.options["cpus"] = self._cpus
        self._uid: UidLease | None = None
        self._group: cgroups.ControlGroup | None = None
        self._past_kills = 0
        self._known_kills = 0

    @abstractmethod
    def _runner_command(self) -> tuple[list[str], dict[str, str]]:
        """Prepares what the runner needs besides a uid; gives its command line and environment."""

    def _command(self) -> tuple[list[str], dict[str, str]]:
        if can_change_uid():
            self._uid = UidLease()
        if self._cpus is not None and "cpu" not in cgroups.controllers():
            reason = cgroups.unavailable_reason() or "no hierarchy hands its cpu controller down"
            raise SandboxUnavailable(f"the {self.name} sandbox cannot bound processor time here: {reason}")
        if cgroups.unavailable_reason() is None:
            self._group = cgroups.ControlGroup(self._bounds())
        command, environment = self._runner_command()
        return command if self._group is None else self._group.command(command), environment

    def _bounds(self) -> cgroups.Bounds:
        limits = self.limits
        return cgroups.Bounds(
            memory_bytes=limits.memory_bytes + _COPIES * limits.disk_bytes + _ROOM_BYTES,
            # Where the runner's own watch ends an execution, and room for the machinery.
            processes=2 * limits.processes + _ROOM_PROCESSES,
            cpus=self._cpus,
        )

    def make_room(self) -> None:
        if self._group is not None:
            self._group.widen(self._bounds().memory_bytes + layout.BRANCH_DISKS * self.limits.disk_bytes)

    def _configure(self) -> dict[str, Any]:
        return {
            "uid": self._uid.uid if self._uid else None,
            "guard_uid": self._uid.guard if self._uid else None,
            "masked": layout.masked(),
            # Without a uid of their own, candidates own what the runner owns: rules keep them out of the branches.
            "same_user": self._uid is None,
        }

    def _holdings(self) -> dict[str, Any]:
        return {
            "uid": self._uid.uid if self._uid else None,
            "cgroup": str(self._group.folders[0]) if self._group else None,
        }

    def _release(self, *, owner: bool) -> None:
        if self._uid is not None:
            if owner:
                self._uid.release()
            else:
                self._uid.abandon()
            self._uid = None
        if self._group is not None:
            if owner:
                self._past_kills = self._kills
                self._group.remove()
            else:
                self._group.abandon()
            self._group = None

    def attempt(self, op: wire.Op, body: bytes, **options: Any) -> Answer:
        if self.blame.lingers:
            # Killed in the end of what was answered before: nothing to this request.
            self._ran_out()
        try:
            answer = super().attempt(op, body, **options)
        except RequestLost:
            if self._ran_out():
                return stand_in(wire.End.MEMORY)
            raise
        # What it answered before does not count: its process, or one that it relied on, is gone.
        if self._ran_out():
            return answer._replace(header=answer.header._replace(end=wire.End.MEMORY), answer=b"")
        return answer

    def _ran_out(self) -> bool:
        """Whether the kernel has ended a process of this sandbox for want of memory since this was last asked."""
        kills = self._kills
        known, self._known_kills = self._known_kills, kills
        return kills > known

    def _clear(self) -> bool:
        left = super()._clear()
        self._ran_out()
        return left

    @property
    def _kills(self) -> int:
        with contextlib.suppress(OSError):
            return self._past_kills + (self._group.memory_kills if self._group else 0)
        return self._past_kills

    def _as_held(self, capabilities: Capabilities) -> Capabilities:
        """Takes back what depends on a filter that this machine has not, and adds what a control group holds."""
        grouped = cgroups.unavailable_reason() is None
        filtered = seccomp.build_filter() is not None
        lost = ([] if filtered else [_UNFILTERED]) + ([] if filtered or grouped else [_UNCOUNTED])
        held = {BUFFERS} if grouped else set()
        held |= {PROCESSORS} if self._cpus is not None else set()
        found = dataclasses.replace(
            capabilities,
            tree_memory=capabilities.tree_memory and (filtered or grouped),
            not_stopped=(*(what for what in capabilities.not_stopped if what not in held), *lost),
        )
        return with_forks(found, same_user=not can_change_uid())


def _expect_cpus(cpus: Any) -> float:
    """Refuses what no control group could hold."""
    # Not a number compares false with everything.
    if not is_number(cpus) or not _LEAST_CPUS <= cpus <= _MOST_CPUS:
        raise ConfigError(f"cpus must be a number from {_LEAST_CPUS} to {_MOST_CPUS}, or None; got {cpus!r:.100}")
    return float(cpus)


_UNFILTERED = "use of seldom used parts of the kernel (no system call filter for this machine)"
_UNCOUNTED = "memory in anonymous files and shared segments (no system call filter for this machine)"
