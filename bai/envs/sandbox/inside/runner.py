"""The resident runner: a small interpreter inside the sandbox that forks for each execution.

It serves one request at a time over descriptors that no other process holds, keeps no
byte of an execution in memory that later ones inherit, and trusts nothing that comes from
a candidate process: its answers are passed on unread.
"""

# Descriptors and single system calls throughout: a pathlib in between would hide them.
# ruff: noqa: PTH208
from __future__ import annotations

import json
import os
import select
import time
import traceback
from typing import Any, NoReturn

from . import files, isolate, processes, wire
from .branch import Branch, Branches
from .branch_survey import Unforkable
from .host import Host, keep_descriptors_private
from .preparation import prepare
from .pump import Arena, Feed, Sink
from .supervise import Child, Finding, Supervisor

__all__ = ["main"]

CALL_ROOM = 32 * 1024 * 1024
"""Bytes of answers to one round trip of calls; what is small here may be large once decoded."""
SCRIPT_ROOM = 64 * 1024
"""Bytes of frames from a program or script."""
LATE_SWEEP_S = 45.0
"""Seconds that a request waits for the end of what the one before it left; less than the host waits for it."""
IDLE_TICK_S = 0.1
"""Seconds between two looks at modules that wait for their next call."""
MESSAGE_ROOM = 64 * 1024 * 1024
"""Bytes of answer, body or standard input that are always possible."""


def main() -> None:
    """Configures itself from the first request, then serves until the host hangs up."""
    host = Host(*keep_descriptors_private())
    header = host.next()
    config = json.loads(host.take(header.body_size))
    if config["namespaces"]:
        isolate.enter_namespaces(config)
    runner = Runner(config, host)
    began = time.perf_counter()
    prepare(config, runner.leave)
    host.reply(header.ident, Finding(wire.End.EXITED, wall_s=time.perf_counter() - began))
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)
    runner.serve()


class Runner:
    """Serves requests.

    Args:
        config: What the host sent: limits, workspace, uid, ...
        host: Where requests come from and replies go to.
    """

    def __init__(self, config: dict[str, Any], host: Host) -> None:
        self.config, self.host = config, host
        self.children: dict[int, Child] = {}
        self.fates: dict[int, wire.End] = {}
        self.supervisor = Supervisor(config, host.request, self.leave)
        self.unswept = False
        """Whether something that a candidate left was still being killed when its answer had gone out."""
        limits = config["limits"]
        room = MESSAGE_ROOM + 2 * limits["disk_bytes"]
        self.answer_room = room
        self.arena = Arena(2 * room + 2 * limits["output_bytes"] + (8 << 20))
        self.branches = Branches(config, self.children, self.supervisor, self.arena, (host.request, host.answer))

    def leave(self) -> NoReturn:
        """Ends everything: the host is gone."""
        try:
            self.supervisor.sweep()
        finally:
            os._exit(0)

    def serve(self) -> None:
        """Answers requests until the host hangs up."""
        while True:
            self._wait()
            try:
                self._answer(self.host.next())
            except (EOFError, OSError):
                self.leave()
            self.arena.clear()

    def _wait(self) -> None:
        """Waits for a request, with an eye on modules that may be up to something meanwhile."""
        poll = select.poll()
        poll.register(self.host.request, select.POLLIN)
        tick = 0
        baselines = {branch.ident: self.supervisor.disk.use(branch.config) for branch in self._lively()}
        while not poll.poll(IDLE_TICK_S * 1000 if self.children else None):
            tick += 1
            over = self.supervisor.over_limit(Finding(wire.End.ALIVE))
            if over is not None:
                self._drop_worst(over)
            for branch in self._lively():
                if self.supervisor.disk.over(branch.config, tick, baselines[branch.ident]):
                    self._drop_branch(branch, wire.End.OVERFLOW)
                    self.branches.shrink(branch)

    def _lively(self) -> list[Branch]:
        """Branches in which a module waits."""
        busy = {id(child.config) for child in self.children.values()}
        return [branch for branch in self.branches if id(branch.config) in busy]

    def _answer(self, header: wire.Request) -> None:
        body, stdin = (self.arena.take(size) for size in (header.body_size, header.stdin_size))
        self.host.read_into(body)
        self.host.read_into(stdin)
        if header.branch not in self.branches:
            self.host.reply(header.ident, Finding(wire.End.GONE))
            return
        try:
            if self.unswept:
                self.supervisor.sweep((child.pid for child in self.children.values()), patience_s=LATE_SWEEP_S)
                self.unswept = False
            if header.op == wire.Op.CALL:
                self._call(header, body)
            elif header.op == wire.Op.ONCE:
                self._once(header, body)
            elif header.op == wire.Op.LOAD:
                self._load(header, body)
            elif header.op == wire.Op.CLOSE:
                self._drop(header.target, wire.End.GONE)
                self.fates.pop(header.target, None)
                self.host.reply(header.ident, Finding(wire.End.EXITED))
            elif header.op == wire.Op.RESET:
                self._reset(header)
            elif header.op == wire.Op.FORK:
                self._fork(header)
            elif header.op == wire.Op.LEAVE:
                self._leave_branch(header)
            elif header.op == wire.Op.FILE:
                self._work_on_files(header, body, stdin)
            else:
                self._run(header, body, stdin)
        except (TimeoutError, MemoryError, OSError) as error:
            text = "".join(traceback.format_exception_only(error)) + traceback.format_exc(limit=8)
            self.host.reply(header.ident, Finding(wire.End.FAULT), stderr=text.encode("utf-8", "replace"))

    def _work_on_files(self, header: wire.Request, body: memoryview, stdin: memoryview) -> None:
        """Runs a helper while modules stand still: one of the same user could stop it, and hold its host up."""
        if not self.children:
            self._run(header, body, stdin)
            return
        with processes.standing_still():
            self._run(header, body, stdin)

    def _reset(self, header: wire.Request) -> None:
        branch = self.branches[header.branch]
        self._drop_branch(branch, wire.End.GONE)
        self.branches.tidy()
        scratch = branch.config["scratch"]
        files.tidy(scratch)
        left = wire.LEFT_FILES if any(os.listdir(folder) for folder in scratch) else 0
        left |= wire.LEFT_SOCKETS if self.config["sockets"] and processes.sockets_linger() else 0
        self.host.reply(header.ident, Finding(wire.End.EXITED, code=left))

    def _fork(self, header: wire.Request) -> None:
        original = self.children.get(header.target)
        if original is None:
            self.host.reply(header.ident, Finding(self.fates.get(header.target, wire.End.GONE)))
            return
        try:
            self.children[header.ident] = self.branches.fork(header, original)
            self.host.reply(header.ident, Finding(wire.End.ALIVE))
        except Unforkable as reason:
            if original.lost:
                self._drop(header.target, wire.End.GONE)
            text = reason.args[0]
            text = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
            self.host.reply(header.ident, Finding(wire.End.REFUSED), stderr=text)

    def _leave_branch(self, header: wire.Request) -> None:
        branch = self.branches[header.branch]
        self._drop_branch(branch, wire.End.GONE)
        self.branches.remove(branch, header.ident)
        self.branches.tidy()
        self.host.reply(header.ident, Finding(wire.End.EXITED))

    def _run(self, header: wire.Request, body: memoryview, stdin: memoryview) -> None:
        """A program, a script or work on files: one process from start to end."""
        child = self._spawn(header, with_streams=True)
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        most = self.config["limits"]["output_bytes"]
        out, err = (self.arena.sink(fd, most) for fd in (child.stdout, child.stderr))
        # A script or program has nothing to answer but that it started, or ran out of memory.
        room = self.answer_room if header.op == wire.Op.FILE else SCRIPT_ROOM
        answers = self.arena.sink(child.answer, room)
        feeds = [Feed(child.job, wire.JOB.pack(header.ident, header.op, len(body)), body), Feed(child.stdin, stdin)]
        watched = header.op != wire.Op.FILE
        finding = self.supervisor.follow(child, feeds, (out, err), answers, wall_s=header.wall_s, watched=watched)
        self.supervisor.sweep(other.pid for other in self.children.values())
        for sink in (out, err, answers):
            sink.drain()
        self.supervisor.settle(child, finding)
        if finding.end == wire.End.OVERFLOW:
            self.branches.shrink(self.branches[header.branch])
        truncated = out.overflowed or err.overflowed
        self.host.reply(
            header.ident, finding, stdout=out.view, stderr=err.view, answer=answers.view, truncated=truncated
        )

    def _once(self, header: wire.Request, body: memoryview) -> None:
        """A source, a call and the end of it, in one request."""
        child = self._spawn(header, with_streams=False)
        answers = self.arena.sink(child.answer, CALL_ROOM)
        feeds = [Feed(child.job, wire.JOB.pack(header.ident, header.op, len(body)), body)]
        finding = self.supervisor.follow(child, feeds, (), answers, wall_s=header.wall_s, wanted=header.answers)
        if finding.end == wire.End.ALIVE:
            # The host reads while the process is swept away; whatever it asks for next is done after that.
            self.host.reply(header.ident, finding, answer=answers.view)
            self._sweep_later(child, finding)
            return
        self.supervisor.sweep((other.pid for other in self.children.values()), child)
        answers.drain()
        self.supervisor.settle(child, finding)
        if finding.end == wire.End.OVERFLOW:
            self.branches.shrink(self.branches[header.branch])
        self.host.reply(header.ident, finding, answer=answers.view)

    def _sweep_later(self, child: Child, finding: Finding) -> None:
        """Ends what was answered for; what does not end now is waited for before the next request is served."""
        try:
            self.supervisor.sweep((other.pid for other in self.children.values()), child)
        except TimeoutError:
            self.unswept = True
        self.supervisor.settle(child, finding)

    def _load(self, header: wire.Request, body: memoryview) -> None:
        child = self._spawn(header, with_streams=False)
        self.children[header.ident] = child
        self._converse(header, header.ident, child, body, fresh=True)

    def _call(self, header: wire.Request, body: memoryview) -> None:
        child = self.children.get(header.target)
        if child is None:
            self.host.reply(header.ident, Finding(self.fates.get(header.target, wire.End.GONE)))
            return
        self._converse(header, header.target, child, body, fresh=False)

    def _converse(self, header: wire.Request, target: int, child: Child, body: memoryview, *, fresh: bool) -> None:
        """Hands a job to a module and collects its answers; ends it if it breaks a limit."""
        answers = self.arena.sink(child.answer, CALL_ROOM)
        before = self.branches.rule(header.ident, child)
        feeds = [Feed(child.job, *before, wire.JOB.pack(header.ident, header.op, len(body)), body)]
        finding = self.supervisor.follow(
            child, feeds, (), answers, wall_s=header.wall_s, wanted=header.answers, fresh=fresh
        )
        if finding.end != wire.End.ALIVE:
            self._drop(target, finding.end, answers, finding)
        if finding.end == wire.End.OVERFLOW:
            self.branches.shrink(self.branches[header.branch])
        self.host.reply(header.ident, finding, answer=answers.view)

    def _spawn(self, header: wire.Request, *, with_streams: bool) -> Child:
        config = self.branches[header.branch].config
        if config["count_user"]:
            # The kernel counts all processes of this user, those outside the sandbox too.
            config["process_allowance"] = processes.count_of_user(os.getuid())
        self.branches.unlock()
        return self.supervisor.spawn(header.op, header.ident, config, with_streams=with_streams)

    def _drop(self, target: int, fate: wire.End, answers: Sink | None = None, finding: Finding | None = None) -> None:
        child = self.children.pop(target, None)
        if child is None:
            return
        self.fates[target] = fate
        self.supervisor.sweep((other.pid for other in self.children.values()), child)
        if answers is not None:
            answers.drain()
        self.supervisor.settle(child, finding or Finding(wire.End.GONE))

    def _drop_branch(self, branch: Branch, fate: wire.End) -> None:
        """Ends every process of a branch, and all that belong to none."""
        ours = {target: child for target, child in self.children.items() if child.config is branch.config}
        for target in ours:
            del self.children[target]
            self.fates[target] = fate
        self.supervisor.sweep(child.pid for child in self.children.values())
        for child in ours.values():
            child.close()

    def _drop_worst(self, over: wire.End) -> None:
        """Ends whoever holds most, once nobody serves: first what belongs to no module."""
        spare = {child.pid for child in self.children.values()}
        if len(self.branches) > 1 and processes.kill_strangers(spare):
            self.supervisor.sweep(spare)
            return
        weights = {target: processes.weigh(child.pid) for target, child in self.children.items()}
        if over == wire.End.MEMORY:
            worst = max(weights, key=lambda target: processes.proportional(weights[target].pids))
        else:
            worst = max(weights, key=lambda target: weights[target].threads)
        self._drop(worst, over)
