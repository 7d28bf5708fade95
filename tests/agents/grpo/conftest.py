"""Trajectories and learners to try the learner's side with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bai.types import TokenTrace, Trajectory

VOCABULARY = 50


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from threads, and threads that wait for a busy core lose much."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def trajectory() -> Callable[..., Trajectory]:
    """Makes a trajectory of given tokens: ``prompt`` ones that are not trained on, then ``written`` ones."""

    def make(
        group: str,
        prompt: list[int],
        written: list[int],
        *,
        reward: float = 0.0,
        version: int = 3,
        routes: np.ndarray | None = None,
        **fields: Any,
    ) -> Trajectory:
        mask = np.arange(len(prompt) + len(written)) >= len(prompt)
        trace = TokenTrace(
            token_ids=np.array(prompt + written, dtype=np.int64),
            loss_mask=mask,
            logprobs=np.where(mask, -3.5, 0.0).astype(np.float32),
            entropies=mask.astype(np.float32),
            routes=routes,
        )
        return Trajectory(
            trajectory_id=f"{group}/{len(written)}/{reward}",
            env_id="bai/Coding-v0",
            task_id="t",
            group_id=group,
            reward=reward,
            weights_version=version,
            tokens=trace,
            **fields,
        )

    return make


@pytest.fixture
def groups(trajectory: Callable[..., Trajectory]) -> Callable[..., list[Trajectory]]:
    """Makes groups of random tokens, prompts and answers of unequal lengths, random rewards."""

    def make(count: int = 3, size: int = 4, seed: int = 0, longest: int = 9) -> list[Trajectory]:
        generator = np.random.default_rng(seed)
        rows = []
        for group in range(count):
            prompt = generator.integers(1, VOCABULARY, int(generator.integers(4, 16))).tolist()
            for _ in range(size):
                written = generator.integers(1, VOCABULARY, int(generator.integers(1, longest + 1))).tolist()
                rows.append(trajectory(f"g{group}", prompt, written, reward=float(generator.random())))
        return rows

    return make


@pytest.fixture(scope="session")
def moe_fields() -> dict[str, Any]:
    """A mixture of experts small enough for a test."""
    return {
        "model_type": "bai_moe",
        "vocab_size": VOCABULARY,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "num_local_experts": 4,
        "initializer_range": 0.2,
    }


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory, moe_fields: dict[str, Any]) -> Path:
    """That model, saved."""
    from bai.agents.grpo.method import ModuleOptions
    from bai.agents.grpo.module import load_model

    folder = tmp_path_factory.mktemp("policy")
    load_model(ModuleOptions(config=moe_fields)).save_pretrained(folder)
    return folder


@pytest.fixture
def make_learner(model_dir: Path) -> Callable[..., Any]:
    """Builds a learner in this process."""
    from ray.rllib.core import DEFAULT_MODULE_ID

    from bai.agents.grpo.config import GRPOConfig
    from bai.agents.grpo.learner import GRPOTorchLearner

    def make(*, model: Path = model_dir, **settings: Any) -> Any:
        torch.manual_seed(0)
        config = GRPOConfig().training(model_dir=str(model), **{"lr": 1e-2, "prompts_per_step": 12, **settings})
        spaces = {DEFAULT_MODULE_ID: (config.observation_space, config.action_space)}
        learner = GRPOTorchLearner(config=config, module_spec=config.get_multi_rl_module_spec(spaces=spaces))
        learner.build()
        return learner

    return make
