"""Questions to remote workers that always end: with an answer, a death or a named silence.

RLlib's own calls either wait for ever or drop late answers; a run must do neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bai.errors import WorkerFailure

__all__ = ["Answers", "ask"]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came back."""

    values: Mapping[int, Any] = field(default_factory=dict)
    """Answers by worker."""
    dead: Mapping[int, str] = field(default_factory=dict)
    """Why a worker did not live to answer, in one line."""


def ask(
    manager: Any, call: Callable[..., Any], questions: Mapping[int, Mapping[str, Any]], *, timeout_s: float, kind: str
) -> Answers:
    """Calls a function on workers, each with its own arguments, and waits for all of them.

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
        [call] * len(workers),
        kwargs=[dict(questions[worker]) for worker in workers],
        remote_actor_ids=workers,
        healthy_only=False,
        timeout_seconds=timeout_s,
    )
    values = {result.actor_id: result.get() for result in results if result.ok}
    dead = {result.actor_id: _one_line(result.get()) for result in results if not result.ok}
    silent = sorted(set(workers) - set(values) - set(dead))
    if silent:
        names = ", ".join(f"{kind} {worker}" for worker in silent)
        others = "".join(f"; {kind} {worker} had failed: {cause}" for worker, cause in dead.items())
        raise WorkerFailure(f"no answer from {names} within {timeout_s:g} s to {call.__name__}{others}")
    return Answers(values=values, dead=dead)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]
