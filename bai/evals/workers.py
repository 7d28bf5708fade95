"""What draws an evaluation's samples: this process, or several."""

from __future__ import annotations

import multiprocessing
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.util import Finalize
from types import TracebackType
from typing import Any, Self

import gymnasium as gym

import bai  # noqa: F401 - a worker process must know the ids
from bai.agents.environments import make_env
from bai.agents.policies import make_policy
from bai.agents.rollout import Request, RolloutEngine
from bai.errors import BaiError, ConfigError, WorkerFailure
from bai.policy import Policy, Sampling
from bai.types import Trajectory

__all__ = ["Collector", "Recipe", "local_collector", "process_collector"]

Batch = Sequence[Request]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a process needs to draw samples; picklable."""

    policy: str
    """As :func:`~bai.agents.policies.make_policy` takes it."""
    policy_options: Mapping[str, Any]
    """Arguments of the policy's constructor."""
    env: str
    """Gymnasium id."""
    env_options: Mapping[str, Any]
    """Arguments of ``gym.make``."""
    threads: int
    """Environments stepped at a time."""

    def make_policy(self) -> Policy:
        """Loads the policy.

        Raises:
            ConfigError: There is none of this name, or it knows no such option.
        """
        try:
            return make_policy(self.policy, **self.policy_options)
        except TypeError as error:
            raise ConfigError(f"policy {self.policy!r} refuses {dict(self.policy_options)}: {error}") from error

    def make_env(self) -> gym.Env[str, str]:
        """Makes one environment."""
        return make_env(self.env, self.env_options)

    def make_engine(self, policy: Policy) -> RolloutEngine:
        """Makes what runs the episodes of a policy."""
        return RolloutEngine(self.make_env, policy, env_id=self.env, concurrency=self.threads)


class Collector(ABC):
    """Runs batches of requests; a context manager that releases what it holds."""

    @abstractmethod
    def run(
        self, batches: Sequence[Batch], sampling: Sampling, on_progress: Callable[[int], None]
    ) -> Iterator[list[Trajectory]]:
        """Yields each batch's trajectories as it is done, in any order.

        Args:
            batches: What is wanted.
            sampling: How to draw.
            on_progress: Called with the number of samples done of the batch under way, where that is known.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases environments, models and processes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class _Local(Collector):
    def __init__(self, engine: RolloutEngine, owned: Policy | None) -> None:
        self._engine = engine
        self._owned = owned

    def run(
        self, batches: Sequence[Batch], sampling: Sampling, on_progress: Callable[[int], None]
    ) -> Iterator[list[Trajectory]]:
        for batch in batches:
            yield self._engine.collect(batch, sampling, on_progress=lambda done, total: on_progress(done))

    def close(self) -> None:
        self._engine.close()
        if self._owned is not None:
            self._owned.close()


def local_collector(recipe: Recipe, policy: Policy | None = None) -> Collector:
    """Draws in this process.

    Args:
        recipe: What to draw with.
        policy: A live policy, the caller's to close; None loads the recipe's, which is closed at the end.
    """
    owned = recipe.make_policy() if policy is None else None
    acting = policy if owned is None else owned
    assert acting is not None
    return _Local(recipe.make_engine(acting), owned)


class _Processes(Collector):
    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def run(
        self, batches: Sequence[Batch], sampling: Sampling, on_progress: Callable[[int], None]
    ) -> Iterator[list[Trajectory]]:
        futures: list[Future[list[Trajectory]]] = [self._pool.submit(_work, batch, sampling) for batch in batches]
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool as error:
                raise WorkerFailure("an evaluation worker died; run the same command again to go on") from error

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def process_collector(recipe: Recipe, workers: int) -> Collector:
    """Draws in ``workers`` processes, each with the policy loaded and an even share of this process's cores."""
    share = max(1, _usable_cores() // workers)
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(recipe, share),
    )
    return _Processes(pool)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


_worker: RolloutEngine | BaiError | None = None
"""The engine of this worker process, or why there is none."""
_LAST = 0
"""Priority at a worker's exit: the policy is closed after the engine that uses it."""


def _start_worker(recipe: Recipe, cores: int) -> None:
    global _worker
    os.environ["OMP_NUM_THREADS"] = str(cores)  # read by torch when the policy's module imports it
    try:
        policy = recipe.make_policy()
        _worker = recipe.make_engine(policy)
        Finalize(None, policy.close, exitpriority=_LAST)
        Finalize(None, _worker.close, exitpriority=_LAST + 1)
    except BaiError as error:  # raised here, it would only be told as a broken pool
        _worker = error


def _work(batch: Batch, sampling: Sampling) -> list[Trajectory]:
    assert _worker is not None
    if isinstance(_worker, BaiError):
        raise _worker
    return _worker.collect(batch, sampling)
