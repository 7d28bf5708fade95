"""Two remote learners are one learner: the same loss, the same gradient, the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.core import DEFAULT_MODULE_ID

from bai.agents.grpo.advantages import trajectory_advantages
from bai.agents.grpo.batch import build_batch
from bai.agents.grpo.config import GRPOConfig
from bai.agents.grpo.method import AdvantageOptions

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SETTINGS: dict[str, Any] = {
    "lr": 1e-3,
    "grad_clip": None,
    "prompts_per_step": 4,
    "steps_per_batch": 2,
    "micro_batch_tokens": 40,
    "proximal": "recompute",
    "correction": "sequence_truncate",
    "kl_coeff": 0.1,
    "entropy_coeff": 0.01,
}


def gradients(learner: Any) -> dict[str, np.ndarray]:
    model = learner.module[DEFAULT_MODULE_ID].unwrapped().model
    return {name: parameter.grad.numpy().copy() for name, parameter in model.named_parameters()}


def build(model_dir: Path, num_learners: int, normalisation: str) -> Any:
    config = (
        GRPOConfig()
        .training(model_dir=str(model_dir), normalisation=normalisation, **SETTINGS)
        .learners(num_learners=num_learners)
    )
    spaces = {DEFAULT_MODULE_ID: (config.observation_space, config.action_space)}
    return config.build_learner_group(spaces=spaces)


def update(group: Any, rows: list, num_learners: int, normalisation: str) -> list[dict[str, float]]:
    options = GRPOConfig().training(normalisation=normalisation, **SETTINGS).settings.published.batch
    advantages = trajectory_advantages(rows, AdvantageOptions())
    batch = build_batch(rows, advantages, options, num_learners=num_learners, seed=4)
    results = group.update(batch=batch.multi_agent_batch(), minibatch_size=batch.minibatch_size, timesteps={})
    return [{k: float(getattr(v, "peek", lambda v=v: v)()) for k, v in r[DEFAULT_MODULE_ID].items()} for r in results]


@pytest.fixture(scope="module", params=["sequence_mean", "token_mean"])
def pair(request: pytest.FixtureRequest, ray_session: None, model_dir: Path) -> Iterator[tuple[Any, Any, str]]:
    torch.manual_seed(0)
    one, two = build(model_dir, 0, request.param), build(model_dir, 2, request.param)
    yield one, two, request.param
    two.shutdown()


def test_two_learners_equal_one_with_unequal_lengths(pair: tuple[Any, Any, str], groups) -> None:
    """Eleven rows of unequal lengths, so that cells and micro-batches are unequal too: all agree to 1e-5."""
    one, two, normalisation = pair
    rows = groups(count=4, size=3, longest=14)[:-1]
    (expected,) = update(one, rows, 1, normalisation)
    found = update(two, rows, 2, normalisation)
    assert len(found) == 2
    for logged in found:
        for name in ("policy_loss", "grad_norm", "entropy", "kl", "policy_ratio_max", "loss_tokens", "optimizer_steps"):
            assert logged[name] == pytest.approx(expected[name], abs=1e-5), name
    (alone,) = one.foreach_learner(gradients)
    both = [result.get() for result in two.foreach_learner(gradients)]
    for name, gradient in alone.get().items() if hasattr(alone, "get") else alone.items():
        for other in both:
            np.testing.assert_allclose(other[name], gradient, atol=1e-5, err_msg=name)
    weights = two.foreach_learner(lambda learner: learner.module[DEFAULT_MODULE_ID].get_state())
    first, second = (result.get() for result in weights)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def test_a_learner_without_rows_waits_for_nobody(pair: tuple[Any, Any, str], groups) -> None:
    """Two steps of two rows over two learners and then one of one: nobody hangs, and all agree."""
    one, two, normalisation = pair
    rows = groups(count=1, size=3)
    (expected,) = update(one, rows, 1, normalisation)
    for logged in update(two, rows, 2, normalisation):
        assert logged["policy_loss"] == pytest.approx(expected["policy_loss"], abs=1e-5)
        assert logged["grad_norm"] == pytest.approx(expected["grad_norm"], abs=1e-5)
