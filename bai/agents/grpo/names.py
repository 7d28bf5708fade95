"""Names that are no settings of GRPO, and what each is answered with; nothing of RLlib is imported for it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from bai.agents.grpo.settings import SETTING_NAMES
from bai.errors import ConfigError

__all__ = ["INERT", "expect_settings"]

INERT = {
    "gamma": "rewards of a trajectory are summed; discount them in the environment",
    "train_batch_size": "use prompts_per_step and group_size",
    "_train_batch_size_per_learner": "use prompts_per_step and group_size",
    "minibatch_size": "use micro_batch_tokens and steps_per_batch",
    "shuffle_batch_per_epoch": "use shuffle",
    "grad_clip_by": "gradients are clipped by their global norm",
    "rollout_fragment_length": "episodes are always whole",
    "batch_mode": "episodes are always whole",
    "num_envs_per_env_runner": "use env_concurrency",
    "gym_env_vectorize_mode": "use env_concurrency",
    "explore": "use temperature",
    "clip_rewards": "shape rewards in the environment",
    "clip_actions": "actions are text",
    "normalize_actions": "actions are text",
    "observation_filter": "observations are text",
    "compress_observations": "observations are text",
    "evaluation_interval": "evaluate checkpoints with `bai eval`",
    "evaluation_num_env_runners": "evaluate checkpoints with `bai eval`",
    "restart_failed_sub_environments": "the rollout replaces failed environments and counts them",
    "ignore_env_runner_failures": "use max_lost_fraction and max_runner_deaths",
    "max_num_env_runner_restarts": "use max_runner_deaths",
    "use_env_runner_state_server": "weights are pushed and acknowledged",
    "min_time_s_per_iteration": "an iteration is one step",
    "min_train_timesteps_per_iteration": "an iteration is one step",
    "min_sample_timesteps_per_iteration": "an iteration is one step",
    "log_gradients": "the norm of the gradient is always logged",
    "num_aggregator_actors_per_learner": "batches are built by the driver",
    "count_steps_by": "steps are tokens",
}
"""RLlib's settings without effect here, and what to do instead."""

_BUILDERS = {
    "env": ("environment", "--env"),
    "env_config": ("environment", "--env-arg"),
    "num_env_runners": ("env_runners", "--env-runners"),
    "num_learners": ("learners", "--learners"),
    "num_gpus_per_learner": ("learners", "--gpus-per-learner"),
    "seed": ("debugging", "--seed"),
}
"""What is set beside GRPO's own, by the name that TrainConfig has for it too: the builder's method, and the option of
``bai train``."""

_ALSO_CALLED = {
    "learning_rate": "lr",
    "num_generations": "group_size",
    "max_tokens": "max_new_tokens",
    "max_completion_length": "max_new_tokens",
    "beta": "kl_coeff",
}
"""What other libraries call a setting."""


def expect_settings(names: Iterable[str]) -> None:
    """Passes names of settings.

    Raises:
        ConfigError: One is none; the message names the likely one, or what to use instead.
    """
    for name in names:
        if name not in SETTING_NAMES:
            raise ConfigError(_answer(name))


def _answer(name: str) -> str:
    if name in INERT:
        return f"{name} has no effect in GRPO: {INERT[name]}"
    if name in _BUILDERS:
        method, option = _BUILDERS[name]
        return f"GRPO has no option {name!r}; give it to {method}(), as TrainConfig.{name}, or by {option} of bai train"
    meant = _ALSO_CALLED.get(name) or next(iter(difflib.get_close_matches(name, SETTING_NAMES, n=1)), None)
    hint = f"; did you mean {meant!r}?" if meant else ""
    return f"GRPO has no option {name!r}{hint}"
