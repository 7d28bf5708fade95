"""Every setting has an effect, or is refused."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from bai.agents.grpo.config import GRPOConfig
from bai.agents.grpo.settings import SETTING_NAMES, GRPOSettings
from bai.errors import ConfigError


def test_settings_reach_the_learners_options() -> None:
    """Flat names land in the option classes of the method; what isn't said is the method's own."""
    settings = GRPOSettings(
        method="dapo", kl_coeff=0.1, lr=1e-3, lr_schedule="linear", total_steps=9, temperature=0.7, max_new_tokens=33
    )
    assert settings.published.loss.kl_coeff == 0.1
    assert settings.published.loss.clip_high == 0.28
    assert settings.published.advantage.drop_zero_variance
    assert (settings.optimizer.lr, settings.optimizer.schedule, settings.optimizer.total_steps) == (1e-3, "linear", 9)
    assert settings.module.temperature == 0.7 and settings.module.reference
    assert settings.sampling.max_new_tokens == 33


def test_the_constant_of_dr_grpo_follows_the_length() -> None:
    """Dr. GRPO divides by the most tokens there may be; another normalisation drops the constant."""
    assert GRPOSettings(method="dr_grpo", max_new_tokens=40).published.batch.constant_length == 40
    assert GRPOSettings(method="dr_grpo", normalisation="token_mean").published.batch.constant_length is None
    assert GRPOSettings(normalisation="constant", max_new_tokens=40).published.batch.constant_length == 40


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"group_size": 1}, "group_size must be a number, at least 2; got 1"),
        ({"group_size": "8"}, "group_size counts something and must be whole; got '8'"),
        ({"group_size": 2.5}, "group_size counts something and must be whole; got 2.5"),
        ({"num_epochs": 1.5}, "must be whole"),
        ({"group_size": None}, "group_size counts something"),
        ({"top_k": "5"}, "top_k counts something and must be whole; got '5'"),
        ({"lr": "fast"}, "lr must be a number; got 'fast'"),
        ({"lr": True}, "lr must be a number"),
        ({"shuffle": "no"}, "shuffle must be true or false; got 'no'"),
        ({"gradient_checkpointing": "False"}, "gradient_checkpointing must be true or false"),
        ({"stop": "abc"}, "stop must be a list of strings; got 'abc'"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"top_p": 0.0}, "top_p"),
        ({"clip_low": -1.0}, "clip_low must be at least 0"),
        ({"lr": float("nan")}, "lr must be at least 0 and finite"),
        ({"method": "ppo"}, "no preset 'ppo'"),
        ({"correction": "token_truncate"}, "needs proximal"),
        ({"lr_schedule": "cosine"}, "needs total_steps"),
        ({"max_lost_fraction": 1.5}, r"in \[0, 1\]"),
        ({"dtype": "float16"}, "dtype"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, Any], expected: str, toy_config) -> None:
    """The message says what was expected and what came, at the latest when RLlib validates."""
    with pytest.raises(ConfigError, match=expected):
        toy_config(**settings).validate()


def test_fewer_than_no_workers_are_refused(toy_config) -> None:
    """RLlib would take -1 for 0."""
    with pytest.raises(ConfigError, match="num_env_runners must be at least 0"):
        toy_config().env_runners(num_env_runners=-1).validate()
    with pytest.raises(ConfigError, match="num_learners must be at least 0"):
        toy_config().learners(num_learners=-1).validate()


def test_unknown_settings_are_refused() -> None:
    """A misspelt name raises at once and the likely one is named; RLlib's inert ones say what to use."""
    with pytest.raises(ConfigError, match="no option 'group_sise'; did you mean 'group_size'"):
        GRPOConfig().training(group_sise=4)
    with pytest.raises(ConfigError, match="gamma has no effect in GRPO"):
        GRPOConfig().training(gamma=0.9)
    with pytest.raises(ConfigError, match="use prompts_per_step"):
        GRPOConfig().training(train_batch_size=9)
    with pytest.raises(ConfigError, match="no option 'learning_rate'; did you mean 'lr'"):
        GRPOConfig().training(learning_rate=1)
    with pytest.raises(
        ConfigError, match=r"give it to learners\(\), as TrainConfig.num_gpus_per_learner, or by --gpus"
    ):
        GRPOConfig().training(num_gpus_per_learner=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.env_runners(rollout_fragment_length=7),
        lambda config: config.env_runners(num_envs_per_env_runner=7),
        lambda config: config.env_runners(explore=False),
        lambda config: config.evaluation(evaluation_interval=1),
        lambda config: config.fault_tolerance(max_num_env_runner_restarts=1),
        lambda config: config.reporting(min_time_s_per_iteration=5),
    ],
)
def test_inert_settings_of_rllib_are_refused(change: Any, toy_config) -> None:
    """What would silently do nothing raises when the configuration is validated."""
    with pytest.raises(ConfigError, match="has no effect in GRPO"):
        change(toy_config()).validate()


def test_model_and_environment_are_required(toy_config) -> None:
    """A run without a policy or a task is refused."""
    with pytest.raises(ConfigError, match="model_dir"):
        toy_config(model_dir="").validate()
    with pytest.raises(ConfigError, match="environment"):
        config = toy_config()
        config.env = None
        config.validate()


def test_tune_can_rebuild_a_configuration(toy_config) -> None:
    """Through a dictionary, as Tune passes it, and through pickle, nothing is lost."""
    config = toy_config(method="cispo", stop=("#",), beta2=0.95)
    for twin in (GRPOConfig().update_from_dict(config.to_dict()), pickle.loads(pickle.dumps(config))):
        twin.validate()
        assert twin.settings == config.settings
        assert (twin.env, twin.seed) == (config.env, config.seed)


def test_every_setting_is_an_attribute() -> None:
    """So Tune can search over each."""
    config = GRPOConfig()
    assert all(getattr(config, name) == getattr(GRPOSettings(), name) for name in SETTING_NAMES)
