"""One candidate process: forking it, feeding it, watching it, ending it with all it started."""

# Descriptors and single system calls throughout: a pathlib in between would hide them.
# ruff: noqa: PTH123
from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from . import jobs, kernel, processes, wire
from .disk import Disk
from .pump import Feed, FrameCounter, Sink

__all__ = ["Child", "Finding", "Supervisor"]

TICK_S = 0.02
"""Seconds between two looks at the memory, processes and files of a running execution."""
START_S = 30.0
"""Seconds a process may take before the candidate's code starts; not part of its time limit."""
REST_S, FIRST_S = 0.0002, 0.005
"""Seconds between two looks at whether what was killed is gone, and before the first where its end shows."""
SWEEP_S = 10.0
"""Seconds after which processes that survive being killed are the machine's fault."""


@dataclass
class Child:
    """A forked process and the runner's ends of its pipes."""

    pid: int
    pidfd: int
    job: int
    answer: int
    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    config: dict[str, Any] = field(default_factory=dict)
    """What it was started with."""
    nursery: str = ""
    """Directory in which the workspaces of its twins are to lie."""
    rules: int = 0
    """Sets of rules it is under."""
    exposed: bool = False
    """Whether it could reach a twin's workspace."""
    lost: bool = False
    """Whether it can serve no more."""

    def wait(self, seconds: float) -> None:
        """Waits for its end, but no longer than that."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        poll.poll(seconds * 1000)

    def close_stdin(self) -> None:
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None

    def close(self) -> None:
        for fd in (self.pidfd, self.job, self.answer, self.stdin, self.stdout, self.stderr):
            if fd is not None:
                os.close(fd)
        self.stdin = self.stdout = self.stderr = None


@dataclass
class Finding:
    """How an execution stands."""

    end: wire.End
    code: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss: int = 0


@dataclass
class Supervisor:
    """Starts and ends candidate processes under one configuration."""

    config: dict[str, Any]
    """The sandbox's; what a process is started with may differ in its directories."""
    host: int
    """Descriptor whose hang-up means that the host is gone."""
    on_hangup: Callable[[], NoReturn]
    ended: dict[int, tuple[int, float, int]] = field(default_factory=dict)
    """Exit code, processor seconds and peak memory of children that were reaped."""
    disk: Disk = field(default_factory=Disk)
    """What candidates have written."""

    def spawn(self, op: int, ident: int, config: dict[str, Any], *, with_streams: bool) -> Child:
        """Forks a process for a job of kind ``op``."""
        pipes = [_pipe() for _ in range(5 if with_streams else 2)]
        (job_r, job_w), (answer_r, answer_w) = pipes[:2]
        streams = [pipes[2][0], pipes[3][1], pipes[4][1]] if with_streams else []
        if config["uid"] is not None:
            # So that what it starts may open them by their names in /dev.
            for fd in streams:
                os.fchown(fd, config["uid"], config["uid"])
        pid = kernel.fork()
        if pid == 0:
            for number, fd in enumerate(streams):
                os.dup2(fd, number)
            os.dup2(job_r, wire.JOB_FD, inheritable=False)
            os.dup2(answer_w, wire.ANSWER_FD, inheritable=False)
            jobs.enter(op, ident, config)
        for fd in (job_r, answer_w, *streams):
            os.close(fd)
        theirs = [pipes[2][1], pipes[3][0], pipes[4][0]] if with_streams else []
        for fd in (job_w, answer_r, *theirs):
            os.set_blocking(fd, False)
        rules = int(config["ruleset"] is not None or config["rules"] is not None)
        child = Child(pid, os.pidfd_open(pid), job_w, answer_r, config=config, nursery=config["nursery"], rules=rules)
        if theirs:
            child.stdin, child.stdout, child.stderr = theirs
        return child

    def follow(
        self,
        child: Child,
        feeds: Iterable[Feed],
        sinks: Iterable[Sink],
        answers: Sink,
        *,
        wall_s: float,
        wanted: int = 0,
        fresh: bool = True,
        watched: bool = True,
    ) -> Finding:
        """Carries bytes until the process ends, breaks a limit or has given ``wanted`` answers (0: until it ends).

        The time limit of a ``fresh`` process counts from its first answer, which says that all is in place.
        The other limits are looked after if it is ``watched``.
        """
        return _Watch(self, child, feeds, (*sinks, answers), answers, wanted).run(wall_s, fresh, watched)

    def over_limit(self, finding: Finding) -> wire.End | None:
        """Looks at the memory and the processes of the whole tree; says which limit it breaks."""
        limits = self.config["limits"]
        usage = processes.measure()
        finding.peak_rss = max(finding.peak_rss, usage.resident)
        most = limits["memory_bytes"]
        # Page tables take up to 1/512 of the address space: not worth a look where that is little.
        tables = processes.page_tables(usage.pids) if usage.virtual > 64 * most else 0
        if usage.resident + tables > most and processes.proportional(usage.pids) + tables > most:
            return wire.End.MEMORY
        return wire.End.OVERFLOW if usage.threads > 2 * limits["processes"] + 8 else None

    def memory_kills(self) -> int:
        """How often the kernel has ended a process of the sandbox's control group for want of memory, if it tells."""
        for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
            with contextlib.suppress(OSError), open(path, "rb") as file:
                return sum(int(line.split()[1]) for line in file if line.startswith(b"oom_kill "))
        return 0

    def sweep(self, spare: Iterable[int] = (), first: Child | None = None, *, patience_s: float = SWEEP_S) -> None:
        """Kills every process below the runner but the children in ``spare``, and reaps them all.

        What it waits for to begin with is the end of ``first``: usually there is nothing else.

        Raises:
            TimeoutError: Something cannot be killed.
        """
        spare = frozenset(spare)
        deadline = time.monotonic() + patience_s
        while True:
            if spare:
                # A process that moves on to a new one all the time is not where one looks, unless it stands still.
                with processes.standing_still():
                    left = processes.kill_strangers(spare)
            else:
                processes.kill_everything(self.config["uid"], self.config["guard_uid"])
                left = True
            if not self._reap() and not spare:
                return
            if not left:
                return
            if time.monotonic() > deadline:
                raise TimeoutError("a process of the sandbox cannot be killed")
            if first is None:
                time.sleep(REST_S)
            else:
                first.wait(FIRST_S)
                first = None

    def _reap(self) -> bool:
        """Reaps what has ended; tells whether children are left."""
        while True:
            try:
                pid, status, spent = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            code = os.waitstatus_to_exitcode(status)
            self.ended[pid] = (code, spent.ru_utime + spent.ru_stime, spent.ru_maxrss * 1024)

    def settle(self, child: Child, finding: Finding) -> None:
        """Fills in what the kernel said of a child that was reaped, and forgets about it."""
        code, cpu_s, peak = self.ended.get(child.pid, (0, 0.0, 0))
        self.ended.clear()
        finding.cpu_s, finding.peak_rss = cpu_s, max(finding.peak_rss, peak)
        if finding.end == wire.End.EXITED:
            finding.code = code
            finding.end = wire.End.SIGNALLED if code < 0 else wire.End.EXITED
        child.close()


class _Watch:
    """The loop over one execution."""

    def __init__(
        self, owner: Supervisor, child: Child, feeds: Iterable[Feed], sinks: Iterable[Sink], answers: Sink, wanted: int
    ) -> None:
        self.owner, self.child, self.answers, self.wanted = owner, child, answers, wanted
        self.feeds = {feed.fd: feed for feed in feeds}
        self.sinks = {sink.fd: sink for sink in sinks}
        self.counter = FrameCounter(answers, wire.FRAME)
        self.poll = select.poll()
        for fd in self.feeds:
            self.poll.register(fd, select.POLLOUT)
        for fd in (*self.sinks, child.pidfd):
            self.poll.register(fd, select.POLLIN)
        self.poll.register(owner.host, 0)
        self.exited = False

    def run(self, wall_s: float, fresh: bool, watched: bool) -> Finding:
        config = self.child.config
        baseline, killed = self.owner.disk.use(config), self.owner.memory_kills()
        begin = time.monotonic()
        deadline = begin + (START_S if fresh else wall_s)
        finding = Finding(wire.End.EXITED)
        look, tick = begin + TICK_S, 0
        while True:
            self._carry(max(0.0, (min(deadline, look) if watched else deadline) - time.monotonic()))
            now = time.monotonic()
            if self.counter.update() and fresh:
                fresh, begin, deadline = False, now, now + wall_s
            finding.wall_s = now - begin
            end = self._end(now >= deadline)
            if end is None and watched and now >= look:
                tick += 1
                end = self.owner.over_limit(finding) or self.owner.disk.over(config, tick, baseline)
                # With many branches a look takes its time: most of it belongs to the execution.
                look = (after := time.monotonic()) + max(TICK_S, 3 * (after - now))
            if end in (wire.End.EXITED, wire.End.ALIVE) and watched and not config["own_disk"]:
                # What was too quick to be seen on the way is seen at the end.
                end = self.owner.disk.over(config, 0, baseline) or end
            if end not in (None, wire.End.ALIVE) and self.owner.memory_kills() > killed:
                end = wire.End.MEMORY
            if end is not None:
                finding.end = end
                return finding

    def _end(self, late: bool) -> wire.End | None:
        if self.wanted and self.counter.count >= self.wanted:
            return wire.End.ALIVE
        if self.exited:
            return wire.End.EXITED
        if self.answers.overflowed:
            return wire.End.OVERFLOW
        return wire.End.TIMEOUT if late else None

    def _carry(self, seconds: float) -> None:
        for fd, _ in self.poll.poll(int(seconds * 1000) + 1):
            if fd == self.owner.host:
                self.owner.on_hangup()
            elif fd == self.child.pidfd:
                self.exited = True
                self.poll.unregister(fd)
            elif fd in self.sinks:
                if not self.sinks[fd].pull():
                    self.poll.unregister(fd)
            elif not self.feeds[fd].push():
                self.poll.unregister(fd)
                if fd == self.child.stdin:
                    self.child.close_stdin()


def _pipe() -> tuple[int, int]:
    return os.pipe2(os.O_CLOEXEC)
