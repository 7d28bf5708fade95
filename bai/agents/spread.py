"""Jobs spread over Ray actors, each of which keeps what it works with from job to job."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from bai.agents.grpo.startup import start_ray, stop_ray
from bai.errors import BaiError, WorkerFailure

__all__ = ["Spread", "Worker"]

J_contra = TypeVar("J_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
J = TypeVar("J")
R = TypeVar("R")


class Worker(Protocol[J_contra, R_co]):
    """What one actor holds."""

    def work(self, job: J_contra) -> R_co:
        """Does one job."""

    def close(self) -> None:
        """Releases what it holds."""


class _Actor:
    def __init__(self, make: Callable[[], Worker[Any, Any]]) -> None:
        self._worker: Worker[Any, Any] | BaiError
        try:
            self._worker = make()
        except BaiError as error:  # raised here, it would only be told as the actor's death
            self._worker = error

    def work(self, job: Any) -> Any:
        if isinstance(self._worker, BaiError):
            raise self._worker
        return self._worker.work(job)

    def close(self) -> None:
        if not isinstance(self._worker, BaiError):
            self._worker.close()


class Spread(Generic[J, R]):
    """Actors on this machine or a cluster that work jobs off; a context manager that ends them.

    Args:
        make: Makes what an actor holds; called in each actor, so it has to be picklable.
        size: Actors.
        cpus: Cores that each actor is given, and the threads that torch takes there.
        gpus: Accelerators that each actor is given; a fraction shares one.
        address: A running cluster's, such as ``auto`` or ``HOST:6379``. None takes the session that this process is
            connected to, or else starts one on this machine for as long as the actors live.

    Raises:
        ConfigError: Ray cannot start here, or the session has too few cores or accelerators.
    """

    def __init__(
        self,
        make: Callable[[], Worker[J, R]],
        size: int,
        *,
        cpus: int = 1,
        gpus: float = 0.0,
        address: str | None = None,
    ) -> None:
        self._owned = start_ray(cpus_needed=size * cpus, gpus_needed=size * gpus, address=address)
        import ray

        member = ray.remote(_Actor).options(num_cpus=cpus, num_gpus=gpus)
        self._actors = [member.remote(make) for _ in range(size)]

    def map(self, jobs: Sequence[J]) -> Iterator[R]:
        """Yields the result of each job as it is done, in any order.

        Raises:
            BaiError: What a job, or the making of a worker, raised.
            WorkerFailure: An actor died.
        """
        from ray.exceptions import RayActorError, RayTaskError
        from ray.util import ActorPool

        try:
            yield from ActorPool(self._actors).map_unordered(lambda actor, job: actor.work.remote(job), jobs)
        except RayTaskError as error:
            raise (error.cause if isinstance(error.cause, BaiError) else error) from error
        except RayActorError as error:
            raise WorkerFailure("an actor of Ray died; run the same command again to go on") from error

    def close(self) -> None:
        """Ends the actors, and the session if it was started here."""
        import ray
        from ray.exceptions import RayError

        for actor in self._actors:
            with contextlib.suppress(RayError):  # it is gone already
                ray.get(actor.close.remote())
            ray.kill(actor)
        self._actors = []
        if self._owned:
            stop_ray()
            self._owned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
