"""Source of ours, loaded in sandboxes, that answers calls for all tool sources of a process.

What is loaded is trusted, what it is given is not: it works on values that an agent has a say in, which may make it
take too long, take too much memory or crash. Such a worker is ended, and the next call gets a new one. A worker keeps
nothing from call to call.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any

from bai.envs.sandbox import make_sandbox, resolve_sandbox
from bai.envs.sandbox.base import CallResult, Limits, LoadedModule
from bai.envs.sandbox.pool import processors
from bai.errors import InfraError

__all__ = ["Workers", "shared_workers"]


class Workers:
    """At most ``size`` workers, started when they are needed; safe to use from many threads.

    Args:
        source: Python source that is loaded.
        backend: Sandbox.
        limits: Bounds on each call.
        size: Most workers.
    """

    def __init__(self, source: str, backend: str, limits: Limits, size: int) -> None:
        self._source, self._backend, self._limits, self._size = source, backend, limits, size
        self._forget()
        _all.add(self)

    def _forget(self) -> None:
        """Starts empty, as in a forked child, where the parent's are not to be used."""
        self._idle: list[LoadedModule] = []
        self._state = threading.Condition()
        self._alive = 0

    def call(self, name: str, args: Sequence[Any], wall_s: float) -> CallResult:
        """Calls a function of the source. Raises InfraError where none could be reached, or it broke."""
        worker = self._take()
        keep = False
        try:
            result = worker.call(name, args, wall_s=wall_s)
            keep = not result.is_gone and worker.sandbox.alive
            return result
        finally:
            self._give_back(worker, keep=keep)

    def _take(self) -> LoadedModule:
        with self._state:
            while not self._idle and self._alive >= self._size:
                self._state.wait()
            if self._idle:
                return self._idle.pop()
            self._alive += 1
        try:
            return self._started()
        except BaseException:
            self._leave()
            raise

    def _started(self) -> LoadedModule:
        sandbox = make_sandbox(self._backend, self._limits)
        sandbox.start()
        worker = sandbox.load(self._source)
        if worker.load_error is not None:
            sandbox.close()
            raise InfraError(f"a worker did not load: {worker.load_error.exception}: {worker.load_error.message}")
        return worker

    def _give_back(self, worker: LoadedModule, *, keep: bool) -> None:
        if not keep:
            worker.sandbox.close()
            self._leave()
            return
        with self._state:
            self._idle.append(worker)
            self._state.notify()

    def _leave(self) -> None:
        with self._state:
            self._alive -= 1
            self._state.notify()

    def close(self) -> None:
        """Ends the workers that are idle; may be called twice."""
        with self._state:
            idle, self._idle = self._idle, []
            self._alive -= len(idle)
        for worker in idle:
            worker.sandbox.close()


_all: weakref.WeakSet[Workers] = weakref.WeakSet()
_shared: dict[tuple[str, str, Limits], Workers] = {}
_lock = threading.Lock()


def shared_workers(source: str, backend: str, limits: Limits) -> Workers:
    """Gives this process's workers for a source; they end with the process.

    Raises:
        ConfigError: An unknown backend.
        SandboxUnavailable: It cannot work here.
    """
    key = (source, resolve_sandbox(backend), limits)
    with _lock:
        if key not in _shared:
            _shared[key] = Workers(source, key[1], limits, max(2, processors()))
        return _shared[key]


def close_shared_workers() -> None:
    """Ends those that are idle; others are started when they are needed."""
    for workers in list(_all):
        workers.close()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for workers in list(_all):
        workers._forget()


atexit.register(close_shared_workers)
os.register_at_fork(after_in_child=_after_fork)
