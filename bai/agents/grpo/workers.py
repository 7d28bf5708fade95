"""Questions to remote workers that always end: with an answer, a death or a named silence.

RLlib's own calls either wait for ever or drop late answers; a run must do neither.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bai.errors import WorkerFailure

__all__ = ["Answers", "ask", "dismiss", "last_line"]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came back."""

    values: Mapping[int, Any] = field(default_factory=dict)
    """Answers by worker."""
    failed: Mapping[int, str] = field(default_factory=dict)
    """Tracebacks of workers in which the call raised; they live on."""
    dead: Mapping[int, str] = field(default_factory=dict)
    """Why a worker did not live to answer, in one line."""

    def all_values(self, kind: str, task: str) -> Mapping[int, Any]:
        """Gives the answers of workers none of which may be missing.

        Args:
            kind: What the workers are called.
            task: What they were to do.

        Raises:
            WorkerFailure: One died or raised.
        """
        causes = [f"{kind} {worker}: {last_line(cause)}" for worker, cause in {**self.failed, **self.dead}.items()]
        if causes:
            raise WorkerFailure(f"{task} failed; resume from the last checkpoint ({'; '.join(causes)})")
        return self.values


@dataclass(frozen=True)
class _Raised:
    """What comes back from a worker instead of an exception, for RLlib ends a worker that raises."""

    trace: str


def ask(
    manager: Any, call: Callable[..., Any], questions: Mapping[int, Mapping[str, Any]], *, timeout_s: float, kind: str
) -> Answers:
    """Calls a function on workers, each with its own arguments, and waits for all of them.

    An exception in the call comes back as a traceback.

    Workers that die are marked unhealthy, as RLlib's next probe expects.

    Args:
        manager: RLlib's ``FaultTolerantActorManager``.
        call: Called there with the worker and its arguments.
        questions: Keyword arguments by worker.
        timeout_s: Seconds to wait.
        kind: What the workers are called in messages, such as ``env runner``.

    Raises:
        WorkerFailure: A worker neither answered in time nor died; the message names it.
    """
    workers = list(questions)
    results = manager.foreach_actor(
        [partial(_guard, call)] * len(workers),
        kwargs=[dict(questions[worker]) for worker in workers],
        remote_actor_ids=workers,
        healthy_only=False,
        timeout_seconds=timeout_s,
    )
    came = {result.actor_id: result.get() for result in results if result.ok}
    failed = {worker: value.trace for worker, value in came.items() if isinstance(value, _Raised)}
    dead = {result.actor_id: _one_line(result.get()) for result in results if not result.ok}
    silent = sorted(set(workers) - set(came) - set(dead))
    if silent:
        names = ", ".join(f"{kind} {worker}" for worker in silent)
        others = "".join(f"; {kind} {worker}: {last_line(why)}" for worker, why in {**failed, **dead}.items())
        raise WorkerFailure(f"no answer from {names} within {timeout_s:g} s to {call.__name__.strip('_')}{others}")
    values = {worker: value for worker, value in came.items() if worker not in failed}
    return Answers(values=values, failed=failed, dead=dead)


def dismiss(manager: Any, call: Callable[..., Any], *, timeout_s: float) -> None:
    """Lets workers clean up, and ends them whether they did or hang.

    Args:
        manager: RLlib's ``FaultTolerantActorManager``.
        call: Called with each worker.
        timeout_s: Seconds they have.
    """
    if manager.num_actors():
        manager.foreach_actor(partial(_guard, call), timeout_seconds=timeout_s)
    manager.clear()


def last_line(trace: str) -> str:
    """Gives the line of a traceback that names the exception."""
    return (trace.strip() or "unknown").splitlines()[-1][:300]


def _guard(call: Callable[..., Any], worker: Any, **question: Any) -> Any:
    try:
        return call(worker, **question)
    except Exception:
        return _Raised(traceback.format_exc())


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]
