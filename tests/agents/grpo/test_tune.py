"""Ray Tune searches over GRPO's settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_two_trials_differ_by_what_was_searched(ray_session: None, toy_config: Callable, tmp_path: Path) -> None:
    """Both trials end, report GRPO's numbers under their own learning rate, and leave a checkpoint."""
    from ray import tune

    from bai.agents.grpo import GRPO
    from bai.agents.grpo.checkpoint import check_checkpoint

    tuner = tune.Tuner(
        GRPO,
        param_space=toy_config(lr=tune.grid_search([1e-3, 3e-3])),
        run_config=tune.RunConfig(
            name="toy",
            storage_path=str(tmp_path),
            stop={"training_iteration": 2},
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True),
            verbose=0,
        ),
    )
    results = tuner.fit()
    assert not results.errors
    rates = sorted(result.metrics["learners"]["default_policy"]["learning_rate"] for result in results)
    assert rates == pytest.approx([1e-3, 3e-3])
    for result in results:
        assert 0.0 <= result.metrics["grpo"]["reward"] <= 1.0
        with result.checkpoint.as_directory() as folder:
            assert check_checkpoint(Path(folder))["iteration"] == 2
