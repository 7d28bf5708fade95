"""Weights that runners hold are the learner's, whatever number they go by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import WEIGHTS_SEQ_NO

from bai.agents.grpo.runner import TextEnvRunner
from bai.agents.grpo.weights import WeightSync

pytestmark = pytest.mark.ray


class Learner:
    """A learner as far as it gives its weights away; counts how often."""

    def __init__(self, version: int, weights: dict[str, Any]) -> None:
        self._weights_seq_no, self.weights, self.asked = version, weights, 0

    def get_state(self, **_: Any) -> dict[str, Any]:
        self.asked += 1
        return {WEIGHTS_SEQ_NO: self._weights_seq_no, COMPONENT_RL_MODULE: {DEFAULT_MODULE_ID: self.weights}}


def test_other_weights_of_the_same_version_are_taken_over(ray_session: None, toy_config: Any) -> None:
    """A checkpoint of another run may bring the number that a runner has confirmed already."""
    runner = TextEnvRunner(config=toy_config())
    runner.make_module()
    first = runner.module.get_state()
    second = {name: value + 1 for name, value in first.items()}
    learner = Learner(2, first)
    sync = WeightSync(
        SimpleNamespace(local_env_runner=runner), SimpleNamespace(_learner=learner, is_local=True), timeout_s=60
    )
    sync.sync(())
    sync.sync(())
    assert learner.asked == 1, "what is confirmed is not sent again"
    learner.weights = second
    sync.invalidate()
    sync.sync(())
    held = runner.module.get_state()
    assert runner.held_version() == 2
    assert all(np.array_equal(held[name], second[name]) for name in second)
