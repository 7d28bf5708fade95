"""The sampler: an RLlib env runner whose episodes are conversations.

One runner holds one model, one policy over it and a pool of environments. It answers
``sample(requests)`` with whole trajectories and carries the version of the weights it used.
Where runner and learner share a process they share the model too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils.checkpoints import Checkpointable

from bai.agents.environments import make_env
from bai.agents.grpo.reply import RunnerReply
from bai.agents.policies.local import LocalPolicy
from bai.agents.rollout import Request, RolloutEngine

__all__ = ["NO_WEIGHTS", "TextEnvRunner"]

NO_WEIGHTS = -1
"""Version held by a runner that was just built: its weights are those of the model's directory."""


class TextEnvRunner(EnvRunner, Checkpointable):
    """Samples trajectories; built by RLlib, in this process (number 0) or as an actor.

    Nothing is built before it is first needed: the idle local runner beside remote ones costs nothing, and what
    a remote one cannot build is told by the answer to its first question.
    """

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        self.weights_version = NO_WEIGHTS
        self.module: Any = None
        self._learner: Any = None
        self._engine: RolloutEngine | None = None
        if self.worker_index:
            _use_threads(int(config.num_cpus_per_env_runner))

    def share(self, learner: Any) -> None:
        """Samples from the very module that a learner in this process updates.

        Args:
            learner: An RLlib learner.
        """
        self._learner = learner
        self.module = learner.module[DEFAULT_MODULE_ID]

    @property
    def shares_weights(self) -> bool:
        """Whether it samples from the learner's own module, so that nothing has to be pushed."""
        return self._learner is not None

    def sample(self, *, requests: Sequence[Request] = (), **_: Any) -> RunnerReply:
        """Samples every request; whatever the environments do wrong is on the trajectories.

        Args:
            requests: Prompts, and how many completions of each.
        """
        engine = self._build()
        version = self.held_version()
        was_training = self.module.training
        self.module.eval()
        try:
            trajectories = engine.collect(requests, self.config.settings.sampling, weights_version=version)
        finally:
            self.module.train(was_training)
        return RunnerReply(runner=self.worker_index or 0, weights_version=version, trajectories=tuple(trajectories))

    def held_version(self) -> int:
        """Version of the weights that the next sample will use; counts the learner's updates."""
        return int(self._learner._weights_seq_no) if self.shares_weights else self.weights_version

    def hold_weights(self, version: int, state: Any) -> int:
        """Takes weights over, and confirms what it holds.

        They are taken even where the version is held already: after a return to a checkpoint of another run, equal
        numbers name unequal weights. Who pushes knows what was confirmed, and does so only when needed.

        Args:
            version: Of the weights.
            state: The module's state.

        Returns:
            The version held now.
        """
        if not self.shares_weights:
            self.module_with(version, state)
        return self.held_version()

    def module_with(self, version: int, state: Any) -> Any:
        """Gives a module that holds these weights, for an export."""
        if self.module is None:
            self.make_module()
        self.module.set_state(state)
        self.weights_version = version
        return self.module

    def make_env(self) -> gym.Env[str, str]:
        """Makes one environment of ``config.env`` with ``config.env_config``."""
        env, kwargs = self.config.env, dict(self.config.env_config)
        return make_env(env, kwargs) if isinstance(env, str) else env(**kwargs)

    def make_module(self) -> None:
        """Builds the policy's module from ``config``."""
        self.module = self.config.get_rl_module_spec(spaces=self.get_spaces(), inference_only=True).build()

    def _build(self) -> RolloutEngine:
        if self._engine is None:
            if self.module is None:
                self.make_module()
            env = self.config.env
            self._engine = RolloutEngine(
                self.make_env,
                LocalPolicy(
                    self.module.model, self.config.load_tokenizer(), name=f"weights of {self.config.model_dir}"
                ),
                env_id=env if isinstance(env, str) else env.__name__,
                concurrency=self.config.env_concurrency,
            )
        return self._engine

    # What RLlib asks of a runner.

    def get_spaces(self) -> dict[str, tuple[gym.Space[Any], gym.Space[Any]]]:
        spaces = (self.config.observation_space, self.config.action_space)
        return {INPUT_ENV_SPACES: spaces, DEFAULT_MODULE_ID: spaces}

    def assert_healthy(self) -> None:
        """Holds of every runner that was constructed: the rest is built on demand."""

    def get_metrics(self) -> Any:
        return self.metrics.reduce()

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Gives no state: weights belong to the learner, and nothing else outlives an iteration."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes nothing over: RLlib's own push is not confirmed, and :meth:`hold_weights` is."""

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (), {"config": self.config}

    def get_checkpointable_components(self) -> list[tuple[str, Any]]:
        return []

    def stop(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def pid(self) -> int:
        """Number of the process it runs in."""
        return os.getpid()


def _use_threads(count: int) -> None:
    import torch

    torch.set_num_threads(max(1, count))
