"""GRPO's configuration as RLlib wants it: builder methods, attributes, one validation.

    config = (
        GRPOConfig()
        .environment("bai/Coding-v0", env_config={"task_set": "micro"})
        .training(model_dir="runs/warm", group_size=16, lr=2e-4)
        .env_runners(num_env_runners=2)
        .debugging(seed=1)
    )
    algorithm = config.build_algo()

By default everything runs in this one process: ``num_env_runners=0, num_learners=0``.

RLlib's settings that would silently do nothing here are refused by :meth:`GRPOConfig.validate`,
each with the setting to use instead.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Self

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.util.debug import log_once

from bai.agents.grpo.names import INERT, expect_settings
from bai.agents.grpo.settings import SETTING_NAMES, GRPOSettings
from bai.envs.base import MAX_TEXT
from bai.envs.spaces import UnicodeText
from bai.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from ray.rllib.core.learner.learner import Learner

__all__ = ["GRPOConfig"]

_PASSED_ON = ("learner_class",)
"""Arguments of RLlib's ``training()`` that keep their meaning."""
_LEGACY = ("model", "optimizer")
"""Keys RLlib passes to ``training()`` when it rebuilds a configuration from a dictionary."""


class GRPOConfig(AlgorithmConfig):
    """Configuration of :class:`~bai.agents.grpo.algorithm.GRPO`.

    Every field of :class:`~bai.agents.grpo.settings.GRPOSettings` is an attribute, set by :meth:`training`.
    Of RLlib's own builder methods, these keep their meaning:

    - ``environment(env, env_config)``: ``env`` is a Gymnasium id (``module:id`` imports the module first) or a
      class; ``env_config`` holds its keyword arguments.
    - ``env_runners(num_env_runners, num_cpus_per_env_runner, sample_timeout_s)``: 0 samples in this process;
      a runner that answers later than ``sample_timeout_s`` seconds ends the run with its name.
    - ``learners(num_learners, num_gpus_per_learner)``: 0 learns in this process.
    - ``debugging(seed)``: everything drawn at random derives from it.
    """

    def __init__(self, algo_class: type | None = None) -> None:
        from bai.agents.grpo.algorithm import GRPO
        from bai.agents.grpo.runner import TextEnvRunner

        super().__init__(algo_class=algo_class or GRPO)
        for option in fields(GRPOSettings):
            setattr(self, option.name, option.default)
        self.seed = 0
        self.env_runner_cls = TextEnvRunner
        self.observation_space = UnicodeText(MAX_TEXT)
        self.action_space = UnicodeText(MAX_TEXT)
        self.sample_timeout_s = 1800.0
        self.delay_between_env_runner_restarts_s = 1.0
        self.env_runner_health_probe_timeout_s = 120.0
        self.num_consecutive_env_runner_failures_tolerance = 0
        self.log_level = "ERROR"
        self._dont_auto_sync_env_runner_states = True
        self.merge_env_runner_states = False
        self.broadcast_env_runner_states = False
        self.torch_ddp_kwargs = {"find_unused_parameters": True}

    def training(self, **options: Any) -> Self:
        """Sets options of GRPO.

        Args:
            **options: Fields of :class:`~bai.agents.grpo.settings.GRPOSettings`, or a ``learner_class``.

        Raises:
            ConfigError: There is no such option, or it has no effect in GRPO.
        """
        passed_on = {name: options.pop(name) for name in (*_PASSED_ON, *_LEGACY) if name in options}
        expect_settings(options)
        for name, value in options.items():
            setattr(self, name, value)
        super().training(**passed_on)
        return self

    def environment_of(self, part: str = "") -> tuple[Any, dict[str, Any]]:
        """Gives the environment of a part of the mixture, or the run's, and the arguments to make it with."""
        own = dict(self.env_config)
        if not part:
            return self.env, own
        options = self.settings.parts[part]
        return (options.env, dict(options.env_config)) if options.env else (self.env, {**own, **options.env_config})

    @property
    def settings(self) -> GRPOSettings:
        """The settings, checked.

        Raises:
            ConfigError: A value lies outside its range.
        """
        return GRPOSettings(**{name: getattr(self, name) for name in SETTING_NAMES})

    def validate(self) -> None:
        """Checks everything, RLlib's settings too.

        Raises:
            ConfigError: A value is wrong, or a setting would have no effect.
        """
        log_once(f"{self.algo_class.__name__}_on_new_api_stack")  # RLlib would warn that it is used as intended
        settings = self.settings
        for name in ("num_env_runners", "num_learners"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be at least 0 (0 uses this process); got {getattr(self, name)}")
        super().validate()
        if not settings.model_dir:
            raise ConfigError("training(model_dir=...) is required: the directory of a transformers model")
        if self.env is None or not (isinstance(self.env, str) or callable(self.env)):
            raise ConfigError(f"environment(env=...) must be a Gymnasium id or a class; got {self.env!r}")
        if not isinstance(self.seed, int):
            raise ConfigError(f"debugging(seed=...) must be an integer; got {self.seed!r}")
        if not self.in_evaluation:
            self._refuse_inert()

    def _refuse_inert(self) -> None:
        for name, instead in INERT.items():
            if getattr(self, name) != _RLLIB_DEFAULTS[name]:
                raise ConfigError(f"{name.lstrip('_')}={getattr(self, name)!r} has no effect in GRPO: {instead}")

    def get_default_learner_class(self) -> type[Learner]:
        from bai.agents.grpo.learner import GRPOTorchLearner

        return GRPOTorchLearner

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        from bai.agents.grpo.module import PolicyModule

        return RLModuleSpec(
            module_class=PolicyModule,
            observation_space=self.observation_space,
            action_space=self.action_space,
            model_config={"policy": asdict(self.settings.module)},
        )

    def load_tokenizer(self) -> Any:
        """Loads the tokenizer of the model's directory.

        Raises:
            CheckpointError: The directory holds none that can be read.
        """
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(self.model_dir, local_files_only=True)
        except Exception as error:  # what a broken directory raises has no common class
            raise CheckpointError(f"cannot load a tokenizer from {self.model_dir}: {error}") from error

    @property
    def runs_in_one_process(self) -> bool:
        """Whether runner and learner live in this process and share one model."""
        return bool(self.num_env_runners == 0 and self.num_learners == 0)


_RLLIB_DEFAULTS = {name: getattr(AlgorithmConfig(), name) for name in INERT}
