"""Processes that run test scripts, kept ready and never shared: not between threads, not over a fork."""

from __future__ import annotations

import atexit
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bai.envs.sandbox.codec import CodecError, decode, encode
from bai.errors import InfraError

__all__ = ["ScriptProcess", "ScriptTimeout", "lease_script_process"]

_SIZE = struct.Struct("!I")
_MAX_FRAME = 64 * 1024 * 1024


class ScriptTimeout(Exception):
    """The script has not answered in time; its process is gone."""


class ScriptProcess:
    """One resident judge process; see :mod:`bai.envs.grading.script_host`."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("script_host.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )

    def send(self, message: tuple[Any, ...]) -> None:
        """Sends one frame.

        Raises:
            InfraError: The process is gone.
        """
        assert self._process.stdin is not None
        data = encode(message, max_bytes=_MAX_FRAME)
        try:
            view = memoryview(_SIZE.pack(len(data)) + data)
            while view:
                view = view[self._process.stdin.write(view) or 0 :]
        except OSError as error:
            raise InfraError(f"the process that runs test scripts is gone: {error}") from error

    def receive(self, deadline: float) -> Any:
        """Waits for one frame until ``deadline`` of the monotonic clock.

        Raises:
            ScriptTimeout: None came.
            InfraError: The process is gone, or sent no frame.
        """
        size = _SIZE.unpack(self._exactly(4, deadline))[0]
        if size > _MAX_FRAME:
            raise InfraError("the process that runs test scripts sent no frame")
        try:
            return decode(self._exactly(size, deadline))
        except CodecError as error:
            raise InfraError(f"the process that runs test scripts sent no frame: {error}") from error

    def _exactly(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        descriptor, pieces = self._process.stdout.fileno(), []
        waiter = select.poll()
        waiter.register(descriptor, select.POLLIN)
        while size:
            left_ms = max(0.0, deadline - time.monotonic()) * 1000
            if not waiter.poll(left_ms):
                raise ScriptTimeout
            piece = os.read(descriptor, min(size, 1 << 20))
            if not piece:
                raise InfraError("the process that runs test scripts is gone")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def kill(self) -> None:
        """Ends the process and the script it runs."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close_pipes()

    def forget(self) -> None:
        """Lets go of it in a forked child: it is the parent's."""
        self._process.returncode = 0
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class _Ready:
    """The processes of this interpreter that no thread uses now, and all there are."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.free: list[ScriptProcess] = []
        self.all: set[ScriptProcess] = set()

    def take(self) -> ScriptProcess:
        with self.lock:
            if self.free:
                return self.free.pop()
        process = ScriptProcess()
        with self.lock:
            self.all.add(process)
        return process

    def give_back(self, process: ScriptProcess, *, healthy: bool) -> None:
        if not healthy:
            process.kill()
        with self.lock:
            if healthy:
                self.free.append(process)
            else:
                self.all.discard(process)

    def close(self) -> None:
        with self.lock:
            processes, self.all, self.free = self.all, set(), []
        for process in processes:
            process.kill()

    def after_fork(self) -> None:
        processes = self.all
        self.__init__()  # type: ignore[misc]  # the old lock may have been held by a thread that is gone
        for process in processes:
            process.forget()


_ready = _Ready()
atexit.register(_ready.close)
os.register_at_fork(after_in_child=_ready.after_fork)


@contextmanager
def lease_script_process() -> Iterator[ScriptProcess]:
    """Lends a process; one whose script did not come to its end is killed rather than lent again.

    Raises:
        InfraError: It cannot be started.
    """
    try:
        process = _ready.take()
    except OSError as error:
        raise InfraError(f"cannot start the process that runs test scripts: {error}") from error
    healthy = False
    try:
        yield process
        healthy = True
    finally:
        _ready.give_back(process, healthy=healthy)
