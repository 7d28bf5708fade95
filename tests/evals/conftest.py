"""Trajectories as an evaluation writes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bai.types import Trajectory, Turn, Verdict

Make = Callable[..., Trajectory]


@pytest.fixture(scope="session")
def make() -> Make:
    """Makes a graded trajectory; ``status=None`` leaves it ungraded."""

    def trajectory(task_id: str = "t/0", status: str | None = "passed", **fields: object) -> Trajectory:
        score = float(status == "passed")
        verdict = None if status is None else Verdict(status=status, score=score, detail=f"it {status}")  # type: ignore[arg-type]
        defaults: dict[str, object] = {
            "trajectory_id": f"{task_id}#0",
            "env_id": "bai/Coding-v0",
            "task_id": task_id,
            "turns": (Turn(observation="Write add(a, b).", action="def add(a, b): return a + b", reward=score),),
            "reward": score,
            "verdict": verdict,
        }
        return Trajectory(**{**defaults, **fields})  # type: ignore[arg-type]

    return trajectory
