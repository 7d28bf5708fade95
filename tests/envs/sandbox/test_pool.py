"""Pools: warm, bounded, clean on hand-out, safe across threads and forks."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bai.envs.sandbox import Limits
from bai.envs.sandbox.pool import SandboxPool, close_shared_pools, shared_pool
from bai.errors import ConfigError, InfraError, SandboxUnavailable


@pytest.fixture
def pool(backend: str) -> Iterator[SandboxPool]:
    """A pool of two."""
    pool = SandboxPool(backend, Limits(wall_s=20), size=2)
    yield pool
    pool.close()


def test_a_sandbox_comes_back_clean_and_warm(pool: SandboxPool) -> None:
    """The next user gets the same runner, no file, no module and no process of the last."""
    with pool.lease() as sandbox:
        first = sandbox
        sandbox.write("f", b"1")
        module = sandbox.load("import os\nif os.fork() == 0:\n    while True: pass\ndef f(): return 1")
        assert module.call("f").value == 1
    with pool.lease() as sandbox:
        assert sandbox is first and sandbox.stats["starts"] == 1
        code = "import os; print(os.listdir('.'), sum(p.isdigit() for p in os.listdir('/proc')))"
        assert sandbox.run_python(code).stdout == b"[] 2\n"
        assert module.call("f").status == "crashed"


def test_a_pool_is_bounded(pool: SandboxPool) -> None:
    """At most ``size`` are out; whoever asks for more waits, and is told if it takes too long."""
    with pool.lease() as one, pool.lease() as two:
        assert one is not two
        with pytest.raises(SandboxUnavailable, match="2"), pool.lease(wait_s=0.05):
            pass
        waiting = threading.Event()

        def third() -> bool:
            waiting.set()
            with pool.lease(wait_s=30) as sandbox:
                return sandbox.run_python("print(1)").ok

        with ThreadPoolExecutor(1) as executor:
            future = executor.submit(third)
            waiting.wait()
            pool._give_back(one)
            assert future.result()


def test_many_threads_share_a_pool(pool: SandboxPool) -> None:
    """Answers reach the thread that asked, however the sandboxes go round."""

    def work(n: int) -> list[int]:
        with pool.lease() as sandbox, sandbox.load(f"def f(x): return x * 1000 + {n}") as module:
            return [result.value for result in module.call_many("f", [[x] for x in range(5)])]

    with ThreadPoolExecutor(8) as executor:
        assert list(executor.map(work, range(40))) == [[x * 1000 + n for x in range(5)] for n in range(40)]
    assert len(pool._idle) <= 2


def test_a_broken_sandbox_is_replaced(pool: SandboxPool) -> None:
    """One that died, in or out, is not handed out dead."""
    with pool.lease() as sandbox:
        pid = sandbox._channel.pid  # type: ignore[attr-defined]
    os.kill(pid, signal.SIGKILL)
    while sandbox.alive:
        threading.Event().wait(0.001)
    with pool.lease() as sandbox:
        assert sandbox.run_python("print(1)").ok
        os.kill(sandbox._channel.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    with pool.lease() as sandbox:
        assert sandbox.run_python("print(1)").ok


def test_an_exception_gives_the_sandbox_back(pool: SandboxPool) -> None:
    """A failing user loses no sandbox."""
    for _ in range(3):
        with pytest.raises(InfraError, match="user"), pool.lease(wait_s=30):
            raise InfraError("user")
    with pool.lease(wait_s=30) as sandbox:
        assert sandbox.run_python("print(1)").ok


def test_a_closed_pool_says_so(pool: SandboxPool) -> None:
    """Closing ends idle sandboxes at once and others when they return."""
    with pool.lease() as sandbox:
        pool.close()
        assert sandbox.alive
    assert not sandbox.alive
    with pytest.raises(ConfigError, match="closed"), pool.lease():
        pass


def test_a_fork_has_pools_of_its_own(backend: str) -> None:
    """A forked process starts its own sandboxes and cannot disturb its parent's, leased or idle."""
    pool = shared_pool(backend)
    with pool.lease() as sandbox:
        sandbox.write("mine", b"1")
        with pool.lease() as idle:
            pass
        pid = os.fork()
        if pid == 0:
            with shared_pool(backend).lease() as own:
                fine = own.run_python("import os; print(os.listdir('.'))").stdout == b"[]\n"
            close_shared_pools()
            os._exit(0 if fine else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert sandbox.alive and sandbox.read("mine") == b"1" and idle.alive
        assert sandbox.stats["starts"] == 1
    close_shared_pools()
    assert not sandbox.alive and not idle.alive


def test_shared_pools_are_shared_by_name_and_limits(backend: str) -> None:
    """Equal arguments give one pool; other limits another."""
    assert shared_pool(backend) is shared_pool(backend, Limits())
    assert shared_pool(backend) is not shared_pool(backend, Limits(wall_s=1))
    close_shared_pools()


def test_bad_sizes_and_names() -> None:
    """A pool of none, or of an unknown backend, is refused."""
    with pytest.raises(ConfigError):
        SandboxPool("process", size=0)
    with pytest.raises(ConfigError):
        SandboxPool("chroot")
