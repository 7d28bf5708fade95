"""Versioned weights: pushed to every runner, and confirmed by it, before it samples.

RLlib's own push is dropped without a word when a runner is busy. Here a runner says which
version it holds; what it does not hold is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import WEIGHTS_SEQ_NO

from bai.agents.grpo.runner import NO_WEIGHTS, TextEnvRunner
from bai.agents.grpo.workers import ask, last_line
from bai.errors import StaleWeights, WorkerFailure

__all__ = ["WeightSync"]

_LOCAL = 0
"""Number of the runner in this process."""
_PUSHES = 3
"""Pushes to a runner that keeps confirming another version, before the run ends."""


class WeightSync:
    """Keeps runners at the learner's version.

    Args:
        env_runner_group: RLlib's group of runners.
        learner_group: RLlib's group of learners.
        timeout_s: Seconds to wait for weights and for confirmations.
    """

    def __init__(self, env_runner_group: Any, learner_group: Any, *, timeout_s: float) -> None:
        self._runners = env_runner_group
        self._learners = learner_group
        self._timeout_s = timeout_s
        self._held: dict[int, int] = {}
        self._weights: tuple[int, Any] | None = None

    def invalidate(self) -> None:
        """Forgets what is known: the learner's weights have changed, or may have.

        What runners hold is forgotten too: a checkpoint of another run may bring other weights of the same version.
        """
        self._weights = None
        self._held.clear()

    def forget(self, runner: int) -> None:
        """Forgets what a runner holds: it died, or came back."""
        self._held.pop(runner, None)

    def version(self) -> int:
        """The learner's version: it counts updates."""
        learner = self._learners._learner
        return int(learner._weights_seq_no) if learner is not None else self._fetch()[0]

    def current(self) -> tuple[int, Any]:
        """The learner's version and weights."""
        version, reference = self._fetch()
        return version, ray.get(reference)

    def sync(self, runners: Sequence[int]) -> dict[int, str]:
        """Makes runners hold the learner's version.

        Args:
            runners: Numbers of remote runners; none means the one in this process.

        Returns:
            Runners that died on the way, and why.

        Raises:
            StaleWeights: A runner keeps confirming another version.
            WorkerFailure: A runner or the learner did not answer in time.
        """
        if not runners:
            return self._sync_local()
        version, reference = self._fetch()
        dead: dict[int, str] = {}
        for _ in range(_PUSHES):
            behind = [runner for runner in runners if self._held.get(runner) != version and runner not in dead]
            if not behind:
                return dead
            questions = {runner: {"version": version, "weights": reference} for runner in behind}
            answers = ask(self._runners._worker_manager, _hold, questions, timeout_s=self._timeout_s, kind="env runner")
            self._held.update(answers.values)
            dead.update(answers.dead)
            if answers.failed:
                runner, trace = next(iter(answers.failed.items()))
                raise WorkerFailure(f"env runner {runner} could not take the weights over: {last_line(trace)}")
        behind = [runner for runner in runners if self._held.get(runner) != version and runner not in dead]
        if behind:
            held = ", ".join(f"env runner {runner} holds {self._held.get(runner, NO_WEIGHTS)}" for runner in behind)
            raise StaleWeights(f"the learner's weights are version {version}, but after {_PUSHES} pushes {held}")
        return dead

    def _sync_local(self) -> dict[int, str]:
        runner = self._runners.local_env_runner
        if not runner.shares_weights and self._held.get(_LOCAL) != self.version():
            self._held[_LOCAL] = runner.hold_weights(*self.current())
        return {}

    def _fetch(self) -> tuple[int, Any]:
        """Version and object reference of the learner's weights, fetched once a version."""
        if self._weights is None:
            state = self._learner_state()
            weights = state[COMPONENT_RL_MODULE][DEFAULT_MODULE_ID]
            self._weights = (int(state[WEIGHTS_SEQ_NO]), ray.put(weights))
        return self._weights

    def _learner_state(self) -> dict[str, Any]:
        if self._learners.is_local:
            return _give(self._learners._learner)
        first = self._learners._worker_manager.actor_ids()[0]
        answers = ask(self._learners._worker_manager, _give, {first: {}}, timeout_s=self._timeout_s, kind="learner")
        return dict(answers.all_values("learner", "fetching the weights")[first])


def _give(learner: Any) -> dict[str, Any]:
    return dict(learner.get_state(components=COMPONENT_RL_MODULE, inference_only=True))


def _hold(runner: TextEnvRunner, version: int, weights: Any) -> int:
    return runner.hold_weights(version, ray.get(weights) if isinstance(weights, ray.ObjectRef) else weights)
