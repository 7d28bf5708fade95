"""BFCL's several turns through the environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import pytest

import bai  # noqa: F401 - registers the ids
from bai.envs.tasks.bfcl import LEFT_OUT, load_bfcl_multi_turn
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.reading import write_calls
from bai.envs.tooluse import ToolUseEnv

pytestmark = pytest.mark.data

EMPTY_TURNS = 12
"""More turns than any task has."""


@pytest.fixture(scope="module")
def env(data_dir: Path) -> Iterator[ToolUseEnv]:
    made = gym.make("bai/ToolUse-v0", task_set="bfcl_multi_turn").unwrapped
    assert isinstance(made, ToolUseEnv)
    yield made
    made.close()


def play(env: ToolUseEnv, task_id: str, actions: Iterator[str] | list[str]) -> float:
    """Answers until the episode ends; gives what it earned."""
    env.reset(seed=0, options={"task_id": task_id})
    for action in actions:
        _, reward, terminated, truncated, _ = env.step(action)
        assert not truncated
        if terminated:
            return float(reward)
    raise AssertionError(f"{task_id} did not end")


def gold(task: ToolTask, *, without: int | None = None) -> list[str]:
    """Writes the gold answers, without the calls of one turn."""
    answers = []
    for number, calls in enumerate(task.gold_turns()):
        answers += [write_calls(calls, "json")] if calls and number != without else []
        answers.append("Done.")
    return answers


def test_oracles_earn_everything_and_empty_answers_nothing(env: ToolUseEnv) -> None:
    """On every task; no gold call has a fault."""
    tasks = list(load_bfcl_multi_turn())
    assert len(tasks) == 200 - len(LEFT_OUT)
    for task in tasks:
        assert play(env, task.task_id, gold(task)) == 1.0, task.task_id
        made = [call for turn in env.record()["calls"] for call in turn]
        assert len(made) == sum(map(len, task.gold_turns()))
        assert not any(call["fault"] for call in made)
        assert play(env, task.task_id, [""] * EMPTY_TURNS) == 0.0


def test_a_turn_without_its_calls_fails_the_task(env: ToolUseEnv) -> None:
    """Whichever turn of whichever task: each is looked at by itself."""
    for task in list(load_bfcl_multi_turn())[::8]:
        turns = [number for number, calls in enumerate(task.gold_turns()) if calls]
        assert all(play(env, task.task_id, gold(task, without=number)) == 0.0 for number in turns)


def test_an_episode_forks_between_turns(env: ToolUseEnv) -> None:
    """The branch that goes on as the gold does earns everything, the idle one nothing."""
    task = load_bfcl_multi_turn().get("multi_turn_base_151")
    answers = gold(task)
    env.reset(seed=0, options={"task_id": task.task_id})
    for action in answers[:2]:
        env.step(action)
    branch = env.fork()
    try:
        rest = [branch.step(action) for action in answers[2:]]
        assert (rest[-1][1], rest[-1][2]) == (1.0, True)
    finally:
        branch.close()
    idle = [env.step("") for _ in task.gold_turns()[1:]]
    assert (idle[-1][1], idle[-1][2]) == (0.0, True)


def test_functions_that_a_row_excludes_are_not_shown(env: ToolUseEnv) -> None:
    """Nor can they be called, though the source would know them."""
    observation, _ = env.reset(seed=0, options={"task_id": "multi_turn_base_2"})
    assert '"name": "cp"' in observation
    assert '"name": "rm"' not in observation
    told = env.step('{"name": "rm", "arguments": {"file_name": "documents"}}')[0]
    assert "no tool 'rm'" in told
