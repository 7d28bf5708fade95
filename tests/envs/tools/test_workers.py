"""Workers that answer for all sources of a process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bai.envs.sandbox import Limits
from bai.envs.tools.workers import Workers, shared_workers
from bai.errors import ConfigError, InfraError

SOURCE = "def double(x):\n    return 2 * x\n\ndef spin():\n    while True:\n        pass\n"


@pytest.fixture
def workers() -> Iterator[Workers]:
    """At most two."""
    made = Workers(SOURCE, "process", Limits(wall_s=20.0), 2)
    yield made
    made.close()


def test_many_threads_share_them(workers: Workers) -> None:
    """Each call is answered, by two workers at most."""
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda n: workers.call("double", (n,), 20.0), range(40)))
    assert [result.value for result in results] == [2 * n for n in range(40)]
    assert workers._alive <= 2


def test_one_that_was_ended_is_replaced(workers: Workers) -> None:
    """A call that takes too long costs nobody else anything; closing twice is fine."""
    assert [workers.call("spin", (), 0.2).status for _ in range(3)] == ["timeout"] * 3
    assert workers.call("double", (3,), 20.0).value == 6
    workers.close()
    workers.close()
    assert workers.call("double", (3,), 20.0).value == 6


def test_source_that_does_not_load_is_a_fault_of_the_machinery() -> None:
    """It is ours; the place is free again."""
    broken = Workers("nonsense(", "process", Limits(wall_s=20.0), 1)
    for _ in range(2):
        with pytest.raises(InfraError, match="did not load"):
            broken.call("double", (1,), 1.0)


def test_they_are_one_for_each_source_and_limits() -> None:
    """An unknown backend is told at once."""
    limits = Limits(wall_s=20.0)
    assert shared_workers(SOURCE, "process", limits) is shared_workers(SOURCE, "process", limits)
    assert shared_workers(SOURCE, "process", Limits(wall_s=21.0)) is not shared_workers(SOURCE, "process", limits)
    with pytest.raises(ConfigError):
        shared_workers(SOURCE, "chroot", limits)


def test_a_forked_process_starts_its_own(workers: Workers) -> None:
    """The parent's go on."""
    assert workers.call("double", (1,), 20.0).value == 2
    child = os.fork()
    if child == 0:
        good = False
        try:
            good = workers.call("double", (2,), 20.0).value == 4
            workers.close()
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert workers.call("double", (3,), 20.0).value == 6
