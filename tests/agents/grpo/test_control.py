"""The control experiment's rewards."""

from __future__ import annotations

import numpy as np

from bai.agents.grpo.control import shuffle_rewards
from bai.types import TokenTrace, Trajectory


def _trajectory(index: int, *, error: str | None = None) -> Trajectory:
    trace = TokenTrace(
        token_ids=np.arange(3, dtype=np.int64),
        loss_mask=np.ones(3, dtype=np.bool_),
        logprobs=np.zeros(3, dtype=np.float32),
        entropies=np.zeros(3, dtype=np.float32),
    )
    return Trajectory(trajectory_id=str(index), env_id="e", task_id="t", reward=float(index), tokens=trace, error=error)


def test_rewards_are_dealt_anew_and_none_is_lost() -> None:
    """The rewards are the same numbers in another order, and the order follows the seed."""
    before = [_trajectory(index) for index in range(64)]
    after = shuffle_rewards(before, seed=1)
    assert sorted(item.reward for item in after) == [item.reward for item in before]
    assert [item.reward for item in after] != [item.reward for item in before]
    assert [item.trajectory_id for item in after] == [item.trajectory_id for item in before]
    assert [item.reward for item in shuffle_rewards(before, seed=1)] == [item.reward for item in after]
    assert [item.reward for item in shuffle_rewards(before, seed=2)] != [item.reward for item in after]


def test_a_fault_of_the_machinery_takes_no_part() -> None:
    """What no learner may use keeps its reward, and its reward reaches nobody."""
    before = [_trajectory(index, error="SandboxDied" if index % 2 else None) for index in range(32)]
    after = shuffle_rewards(before, seed=1)
    assert all(old == new for old, new in zip(before, after, strict=True) if old.error)
    assert {item.reward for item in after if not item.error} == {item.reward for item in before if not item.error}
