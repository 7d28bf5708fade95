"""Warm sandboxes, lent out one at a time.

    with shared_pool("auto", limits).lease() as sandbox:
        ...

A sandbox that comes back is emptied before its next user gets it; one that broke is
replaced. Pools are safe to use from many threads, and after ``os.fork`` a child's pools
start empty while the parent keeps its own.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Iterator

from bai.envs.sandbox import make_sandbox, resolve_sandbox
from bai.envs.sandbox.base import Limits, Sandbox
from bai.errors import ConfigError, InfraError, SandboxUnavailable

__all__ = ["SandboxPool", "close_shared_pools", "shared_pool"]


class SandboxPool:
    """At most ``size`` sandboxes of one kind, started when first needed.

    For short leases, such as grading one answer. Whoever keeps a sandbox for a whole episode makes one with
    :func:`~bai.envs.sandbox.make_sandbox` instead: a thread that holds all of a pool and asks for one more
    waits for itself.

    Args:
        name: Backend, or ``auto``.
        limits: Bounds on each execution.
        size: Most sandboxes alive at a time.

    Raises:
        ConfigError: An unknown backend, or a size below 1.
        SandboxUnavailable: The backend cannot work here.
    """

    def __init__(self, name: str = "auto", limits: Limits | None = None, size: int = 4) -> None:
        if size < 1:
            raise ConfigError(f"a pool's size must be at least 1; got {size!r}")
        self.name = resolve_sandbox(name)
        self.limits = limits or Limits()
        self.size = size
        self._state = threading.Condition()
        self._idle: list[Sandbox] = []
        self._out: set[Sandbox] = set()
        self._closed = False
        _pools.add(self)

    @contextlib.contextmanager
    def lease(self, wait_s: float | None = None) -> Iterator[Sandbox]:
        """Lends a started, empty sandbox until the end of the block.

        Args:
            wait_s: Seconds to wait while all are out; None for as long as it takes.

        Raises:
            SandboxUnavailable: None came back in time.
            SandboxDied: A new one did not start.
            ConfigError: The pool is closed.
        """
        sandbox = self._take(wait_s)
        try:
            sandbox.start()
            yield sandbox
        finally:
            self._give_back(sandbox)

    def _take(self, wait_s: float | None) -> Sandbox:
        deadline = None if wait_s is None else time.monotonic() + wait_s
        with self._state:
            while not self._closed and not self._idle and len(self._out) >= self.size:
                if not self._state.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
                    raise SandboxUnavailable(f"all {self.size} {self.name} sandboxes are out; waited {wait_s} s")
            if self._closed:
                raise ConfigError("this pool is closed")
            # The one returned last is the warmest.
            sandbox = self._idle.pop() if self._idle else make_sandbox(self.name, self.limits)
            self._out.add(sandbox)
            return sandbox

    def _give_back(self, sandbox: Sandbox) -> None:
        clean = self._clean(sandbox)
        with self._state:
            # After a fork the child's copy of a lease ends in a pool that never lent it.
            ours = sandbox in self._out
            self._out.discard(sandbox)
            keep = ours and clean and not self._closed
            if keep:
                self._idle.append(sandbox)
            self._state.notify()
        if not keep:
            sandbox.close()

    @staticmethod
    def _clean(sandbox: Sandbox) -> bool:
        if not sandbox.alive:
            return False
        try:
            sandbox.reset()
        except (InfraError, OSError):
            return False
        return True

    def close(self) -> None:
        """Closes the sandboxes that are in, and each that is out when it comes back."""
        with self._state:
            self._closed = True
            idle, self._idle = self._idle, []
            self._state.notify_all()
        for sandbox in idle:
            sandbox.close()

    def _forget(self) -> None:
        """In a forked child: lets go of the parent's sandboxes without touching them."""
        self._state = threading.Condition()
        for sandbox in (*self._idle, *self._out):
            sandbox.close()
        self._idle, self._out = [], set()


_pools: weakref.WeakSet[SandboxPool] = weakref.WeakSet()
_shared: dict[tuple[str, Limits], SandboxPool] = {}
_shared_lock = threading.Lock()


def shared_pool(name: str = "auto", limits: Limits | None = None) -> SandboxPool:
    """Gives this process's pool for a backend and limits; it is closed when the process exits.

    Raises:
        ConfigError: An unknown backend.
        SandboxUnavailable: It cannot work here.
    """
    key = resolve_sandbox(name), limits or Limits()
    with _shared_lock:
        pool = _shared.get(key)
        if pool is None:
            pool = _shared[key] = SandboxPool(*key, size=max(4, os.cpu_count() or 1))
        return pool


def close_shared_pools() -> None:
    """Closes every pool that :func:`shared_pool` gave; the next call makes new ones."""
    with _shared_lock:
        pools = list(_shared.values())
        _shared.clear()
    for pool in pools:
        pool.close()


def _after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()
    for pool in list(_pools):
        pool._forget()


atexit.register(close_shared_pools)
os.register_at_fork(after_in_child=_after_fork)
