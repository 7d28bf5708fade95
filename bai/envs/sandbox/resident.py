"""What all sandboxes with a resident runner share: everything but how the runner is started."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import struct
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bai.envs.sandbox import layout
from bai.envs.sandbox.base import ExecResult, ExecStatus, Limits, LoadedModule, Sandbox, Snapshot
from bai.envs.sandbox.channel import Answer, Channel, ChannelBroken
from bai.envs.sandbox.codec import encode
from bai.envs.sandbox.inside import wire
from bai.envs.sandbox.module import MOST_REQUEST_BYTES, ResidentModule
from bai.errors import CannotFork, ConfigError, SandboxDied

__all__ = ["BOOTSTRAP", "ResidentSandbox"]

log = logging.getLogger(__name__)

BOOTSTRAP = (
    "import sys, importlib.util as u\n"
    "spec = u.spec_from_file_location('_bai', sys.argv[1] + '/__init__.py', submodule_search_locations=[sys.argv[1]])\n"
    "sys.modules['_bai'] = u.module_from_spec(spec)\n"
    "from _bai.runner import main\n"
    "main()\n"
)
"""Starts the runner from its folder, without putting that folder on the import path of candidates."""

MIB = 1024 * 1024
START_S = 60.0
"""Seconds a runner may take to come up."""
GRACE_S = 60.0
"""Seconds beyond an execution's own limit (to fork, to kill, to reap) before the runner is given up."""
FILE_S = 60.0
"""Seconds for work on the workspace's files."""
MOST_INODES = 20_000
"""Files and directories that the workspace may hold."""

_STATUS: dict[wire.End, ExecStatus] = {
    wire.End.EXITED: "exited",
    wire.End.SIGNALLED: "crashed",
    wire.End.TIMEOUT: "timeout",
    wire.End.MEMORY: "memory",
    wire.End.OVERFLOW: "crashed",
    wire.End.GONE: "crashed",
    wire.End.FAULT: "crashed",
}


class ResidentSandbox(Sandbox):
    """Base of the backends whose runner speaks :mod:`bai.envs.sandbox.inside.wire` over a pair of pipes.

    A subclass says how to start the runner (:meth:`_command`), how to configure it (:meth:`_configure`) and
    what to clean up (:meth:`_release`).
    """

    _canary = False

    def __init__(self, *, limits: Limits | None = None) -> None:
        super().__init__(limits=limits)
        self._channel: Channel | None = None
        self._owner = 0
        self._modules: set[int] = set()
        self.generation = 0
        """Counts the runners this sandbox has had."""

    @abstractmethod
    def _command(self) -> tuple[list[str], dict[str, str]]:
        """Prepares what the runner needs; gives its command line and environment."""

    @abstractmethod
    def _configure(self) -> dict[str, Any]:
        """Gives the runner's configuration apart from what all backends share."""

    @abstractmethod
    def _release(self, *, owner: bool) -> None:
        """Gives back what :meth:`_command` took; in a forked process (not the owner) only lets go of it."""

    # Life.

    @property
    def alive(self) -> bool:
        return self._channel is not None and self._owner == os.getpid() and self._channel.alive

    def start(self) -> None:
        if self._channel is not None and self._owner != os.getpid():
            self._abandon()
        if self.alive:
            return
        self.close()
        reason = self.unavailable_reason()
        if reason is not None:
            from bai.errors import SandboxUnavailable

            raise SandboxUnavailable(f"the {self.name} sandbox cannot work here: {reason}")
        self._launch()

    def _launch(self) -> None:
        began = time.perf_counter()
        self._owner = os.getpid()
        try:
            self._channel = Channel(*self._command())
            self._describe(self._hello(self._channel))
        except ChannelBroken as fault:
            notice = self._channel.notice() if self._channel else ""
            self.close()
            raise SandboxDied(f"the {self.name} sandbox did not start: {fault}; {notice[-1000:]}") from fault
        except BaseException:
            self.close()
            raise
        self.generation += 1
        self._modules.clear()
        self.stats["start_s"] = time.perf_counter() - began
        self.stats["starts"] = self.stats.get("starts", 0) + 1

    def _hello(self, channel: Channel) -> dict[str, Any]:
        config = {
            "limits": asdict(self.limits),
            "workspace": layout.WORKSPACE,
            "scratch": list(layout.SCRATCH),
            "environment": {**layout.ENVIRONMENT, "PATH": layout.path_variable()},
            "packages": layout.PACKAGES,
            "package_folders": layout.build_layout().package_folders,
            "inodes": MOST_INODES,
            "own_disk": True,
            "namespaces": False,
            "seccomp": True,
            "uid": None,
            "guard_uid": None,
            "count_user": False,
            # The runner itself, where it is of the candidates' uid.
            "process_allowance": 1,
            **self._configure(),
        }
        body = json.dumps(config).encode()
        request = wire.Request(secrets.randbits(64), wire.Op.CONFIGURE, 0, 0.0, 0, len(body), 0)
        hello: dict[str, Any] = json.loads(channel.ask(request, body, b"", START_S).stdout)
        return hello

    def _describe(self, hello: dict[str, Any]) -> None:
        """Takes note of what the runner says of itself."""
        self._has_filter = bool(hello["filter"])

    def close(self) -> None:
        if self._channel is not None and self._owner != os.getpid():
            self._abandon()
            return
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._release(owner=True)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def _abandon(self) -> None:
        assert self._channel is not None
        self._channel.abandon()
        self._channel = None
        self._release(owner=False)

    # Executions.

    def exec(
        self,
        argv: Sequence[str],
        *,
        input: bytes = b"",
        env: Mapping[str, str] | None = None,
        wall_s: float | None = None,
    ) -> ExecResult:
        if isinstance(argv, (str, bytes)) or not argv or not all(isinstance(word, str) for word in argv):
            raise ConfigError(f"argv must be a non-empty list of strings; got {argv!r:.200}")
        variables = dict(env or {})
        words = [*argv, *variables, *variables.values()]
        if any("\0" in word for word in words) or any("=" in name for name in variables):
            raise ConfigError("arguments and variables hold no NUL character, and names of variables no '='")
        return self._execute(wire.Op.EXEC, [list(argv), variables], input, wall_s)

    def run_python(self, code: str, *, input: bytes = b"", wall_s: float | None = None) -> ExecResult:
        _expect_text(code)
        return self._execute(wire.Op.SCRIPT, code, input, wall_s)

    def _execute(self, op: wire.Op, job: Any, stdin: bytes, wall_s: float | None) -> ExecResult:
        answer = self._ask_candidate(op, encode(job, max_bytes=MOST_REQUEST_BYTES), stdin=stdin, wall_s=wall_s)
        header, end = answer.header, answer.end
        if end == wire.End.EXITED and wire.MEMORY in answer.frames[1:]:
            end = wire.End.MEMORY
        known = end in (wire.End.EXITED, wire.End.SIGNALLED) and header.ident != 0
        return ExecResult(
            status=_STATUS[end],
            exit_code=header.code if known else None,
            stdout=answer.stdout,
            stderr=answer.stderr,
            truncated=header.truncated,
            wall_s=header.wall_s,
            cpu_s=header.cpu_s,
            peak_rss=header.peak_rss,
        )

    def load(self, source: str, *, wall_s: float | None = None) -> LoadedModule:
        _expect_text(source)
        ident = secrets.randbits(64)
        body = encode(source, max_bytes=MOST_REQUEST_BYTES)
        answer = self._ask_candidate(wire.Op.LOAD, body, wall_s=wall_s, answers=2, ident=ident)
        self._modules.add(ident)
        return ResidentModule(self, ident, answer)

    def call_module(self, target: int, generation: int, answers: int, body: bytes, wall_s: float | None) -> Answer:
        """Passes calls on to a loaded module's process; for :class:`ResidentModule`."""
        if generation != self.generation or not self.alive:
            return _stand_in(wire.End.GONE)
        return self._ask_candidate(wire.Op.CALL, body, wall_s=wall_s, answers=answers, target=target)

    def close_module(self, target: int, generation: int) -> None:
        """Ends a loaded module's process; for :class:`ResidentModule`."""
        self._modules.discard(target)
        if generation == self.generation and self.alive:
            self._ask(wire.Op.CLOSE, b"", target=target)

    # Files.

    def read(self, path: str, *, max_bytes: int = 16 * MIB) -> bytes:
        return self._file("read", _expect_path(path), b"", max_bytes)

    def write(self, path: str, data: bytes) -> None:
        self._file("write", _expect_path(path), bytes(data), 0)

    def snapshot(self) -> Snapshot:
        try:
            return Snapshot(archive=self._file("pack", ".", b"", MOST_REQUEST_BYTES + self.limits.disk_bytes))
        except ConfigError as error:
            raise CannotFork(f"the workspace cannot be copied: {error}") from error

    def restore(self, snapshot: Snapshot) -> None:
        self._ask(wire.Op.RESET, b"")
        self._file("unpack", ".", snapshot.archive, 0)

    def reset(self) -> None:
        # The runner says whether there is anything to remove: usually there is not.
        self._modules.clear()
        if self._ask(wire.Op.RESET, b"").header.code:
            self._file("empty", ".", b"", 0)

    def _file(self, verb: str, path: str, data: bytes, most: int) -> bytes:
        body = encode([verb, path, data, most], max_bytes=MOST_REQUEST_BYTES + 2 * self.limits.disk_bytes)
        answer = self._ask(wire.Op.FILE, body, wall_s=FILE_S)
        if len(answer.frames) < 2:
            # A loaded module may have killed the helper: its uid is the same.
            self._ask(wire.Op.RESET, b"")
            answer = self._ask(wire.Op.FILE, body, wall_s=FILE_S)
        if len(answer.frames) < 2:
            raise SandboxDied(f"could not {verb} {path!r}: {answer.end.name}; {answer.stderr[-500:]!r}")
        kind, payload = answer.frames[1][:1], answer.frames[1][1:]
        if kind == b"R":
            raise ConfigError(payload.decode("utf-8", "replace"))
        if kind == b"O":
            (code,) = struct.unpack("!i", payload)
            raise OSError(code, os.strerror(code), path)
        return payload

    # Requests.

    def _ask_candidate(self, op: wire.Op, body: bytes, **options: Any) -> Answer:
        """Makes a request that runs candidate code, and tells its faults from the machinery's."""
        self.stats["executions"] = self.stats.get("executions", 0) + 1
        try:
            answer = self._ask(op, body, **options)
        except SandboxDied as lost:
            return self._blame(lost)
        if answer.end == wire.End.FAULT or (op != wire.Op.CALL and not answer.started):
            fault = SandboxDied(f"the execution did not start: {answer.end.name}; {_tail(answer.stderr)}")
            if not self._suspects(answer):
                raise fault
            return self._blame(fault)
        return answer

    def _suspects(self, answer: Answer) -> bool:
        """Whether candidate code that was already running could have caused this."""
        return bool(self._modules) or answer.stderr.startswith(b"TimeoutError")

    def _blame(self, fault: SandboxDied) -> Answer:
        """Decides who lost the runner: the candidate, unless a known-good program fares no better."""
        late = isinstance(fault.__cause__, ChannelBroken) and fault.__cause__.late
        self.close()
        if self._canary:
            raise fault
        try:
            with self._twin() as twin:
                works = twin.run_python("print(6 * 7)").stdout == b"42\n"
        except Exception as error:
            raise SandboxDied(f"{fault}; a known-good program fails too: {error}") from error
        if not works:
            raise SandboxDied(f"{fault}; a known-good program gives a wrong answer too") from fault
        log.warning("a candidate lost its %s sandbox: %s", self.name, fault)
        return _stand_in(wire.End.TIMEOUT if late else wire.End.GONE)

    def _twin(self) -> ResidentSandbox:
        twin = type(self)(limits=self.limits)
        twin._canary = True
        return twin

    def _ask(
        self,
        op: wire.Op,
        body: bytes,
        *,
        stdin: bytes = b"",
        wall_s: float | None = None,
        answers: int = 0,
        target: int = 0,
        ident: int | None = None,
    ) -> Answer:
        """Sends one request; restarts a runner that is gone first.

        Raises:
            SandboxDied: The runner is gone, or too late.
        """
        wall_s = self.limits.wall_s if wall_s is None else float(wall_s)
        if not wall_s > 0:
            raise ConfigError(f"wall_s must be above 0; got {wall_s!r}")
        if len(stdin) > MOST_REQUEST_BYTES:
            raise ConfigError(f"standard input is at most {MOST_REQUEST_BYTES} bytes; got {len(stdin)}")
        self.start()
        assert self._channel is not None
        ident = secrets.randbits(64) if ident is None else ident
        request = wire.Request(ident, op, target, wall_s, answers, len(body), len(stdin))
        try:
            return self._channel.ask(request, body, stdin, wall_s + GRACE_S)
        except ChannelBroken as fault:
            self.close()
            raise SandboxDied(f"the {self.name} sandbox was lost: {fault}") from fault
        except BaseException:
            # Interrupted half-way: what comes next on the stream belongs to nobody.
            self.close()
            raise


def _tail(text: bytes) -> str:
    return text.decode("utf-8", "replace").strip()[-500:]


def _stand_in(end: wire.End) -> Answer:
    return Answer(wire.Reply(0, end, False, 0, 0.0, 0.0, 0, 0, 0, 0), b"", b"", b"")


def _expect_text(code: object) -> None:
    if not isinstance(code, str):
        raise ConfigError(f"expected source code as a string; got {type(code).__name__}")


def _expect_path(path: str) -> str:
    if not isinstance(path, str) or not path or "\0" in path or path.startswith("/") or ".." in path.split("/"):
        raise ConfigError(f"expected a relative path inside the workspace; got {path!r}")
    return path
