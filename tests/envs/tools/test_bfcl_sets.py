"""BFCL's single turns through the environment: the oracle earns everything, the empty answer nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bai.envs.tasks.tool_sets import load_tool_set
from bai.envs.tooluse import ToolUseEnv

pytestmark = pytest.mark.data

SIZES = {"bfcl_simple": 400, "bfcl_multiple": 200, "bfcl_parallel": 200, "bfcl_irrelevance": 240}


@pytest.mark.parametrize("name", SIZES)
def test_oracles_earn_everything_and_empty_answers_nothing(name: str, data_dir: Path) -> None:
    """On every task, in one answer; the measures say the same."""
    env = ToolUseEnv(task_set=name)
    tasks = list(load_tool_set(name))
    assert len(tasks) == SIZES[name]
    for task in tasks:
        for empty, reward in ((False, 1.0), (True, 0.0)):
            env.reset(seed=0, options={"task_id": task.task_id})
            action = "" if empty else next(env.oracle())
            _, earned, terminated, _, info = env.step(action)
            assert (earned, terminated) == (reward, True), (task.task_id, info["verdict"])
            terms = {"irrelevance"} if name == "bfcl_irrelevance" else {"exact_calls", "arguments"}
            assert info["reward_terms"].keys() == terms
            assert set(info["reward_terms"].values()) == {reward}
    env.close()
