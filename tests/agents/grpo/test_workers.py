"""A question to a worker ends with an answer, a traceback, a death or a named silence."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from bai.agents.grpo.workers import ask, last_line
from bai.errors import WorkerFailure

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def manager(ray_session: None) -> Any:
    """Three plain actors behind RLlib's manager."""
    import ray
    from ray.rllib.utils.actor_manager import FaultTolerantActorManager

    @ray.remote(num_cpus=0)
    class Worker:
        def apply(self, func: Any, *args: Any, **kwargs: Any) -> Any:
            return func(self, *args, **kwargs)

        def ping(self) -> str:
            return "pong"

    return FaultTolerantActorManager([Worker.remote() for _ in range(3)])


def double(worker: Any, number: int) -> int:
    return 2 * number


def sleep(worker: Any, seconds: float) -> None:
    time.sleep(seconds)


def fail(worker: Any, word: str) -> None:
    raise ValueError(word)


def leave(worker: Any) -> None:
    os._exit(1)


# The functions travel by value: this module is not importable in a worker.
@pytest.fixture(autouse=True, scope="module")
def _by_value() -> Any:
    import sys

    import ray.cloudpickle

    module = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(module)
    yield
    ray.cloudpickle.unregister_pickle_by_value(module)


def test_each_worker_answers_its_own_question(manager: Any) -> None:
    """Arguments and answers stay with their worker."""
    answers = ask(manager, double, {0: {"number": 1}, 2: {"number": 5}}, timeout_s=60, kind="worker")
    assert answers.values == {0: 2, 2: 10} and not answers.failed and not answers.dead
    assert answers.all_values("worker", "doubling") == {0: 2, 2: 10}


def test_an_exception_comes_back_as_a_traceback(manager: Any) -> None:
    """The worker lives on, and its own words are kept."""
    answers = ask(manager, fail, {1: {"word": "no luck"}}, timeout_s=60, kind="worker")
    assert last_line(answers.failed[1]) == "ValueError: no luck"
    with pytest.raises(WorkerFailure, match=r"the attempt failed.*worker 1: ValueError: no luck"):
        answers.all_values("worker", "the attempt")
    assert ask(manager, double, {1: {"number": 2}}, timeout_s=60, kind="worker").values == {1: 4}


def test_silence_is_named(manager: Any) -> None:
    """Who did not answer, to what, and within how long."""
    with pytest.raises(WorkerFailure, match=r"no answer from worker 0 within 0.5 s to sleep"):
        ask(manager, sleep, {0: {"seconds": 3.0}, 1: {"seconds": 0.0}}, timeout_s=0.5, kind="worker")


def test_a_death_is_told_and_marked(manager: Any) -> None:
    """The others' answers are kept, and RLlib's manager knows who is gone."""
    answers = ask(manager, leave, {2: {}}, timeout_s=60, kind="worker")
    assert 2 in answers.dead and not manager.is_actor_healthy(2)
    assert ask(manager, double, {0: {"number": 3}}, timeout_s=60, kind="worker").values == {0: 6}
