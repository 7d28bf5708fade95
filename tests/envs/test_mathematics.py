"""bai/Mathematics-v0 as a Gymnasium environment."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

import bai
from bai.agents.policies.oracle import OraclePolicy
from bai.agents.rollout import Request, RolloutEngine
from bai.envs.grading.mathematics import algebra
from bai.envs.mathematics import MathematicsEnv
from bai.errors import CannotFork, ConfigError, InfraError, TaskNotFound, TaskSetNotFound
from bai.policy import Sampling
from bai.types import Trajectory

assert bai.__version__

TASK = "arithmetic/train/1/000000001"
KEYS = {"task_id", "verdict", "reward_terms", "error", "steps"}


@pytest.fixture
def make() -> Iterator[Callable[..., MathematicsEnv]]:
    """Makes unwrapped environments, and closes them."""
    made: list[MathematicsEnv] = []

    def make_one(**kwargs: Any) -> MathematicsEnv:
        env = gym.make("bai/Mathematics-v0", **kwargs).unwrapped
        assert isinstance(env, MathematicsEnv)
        made.append(env)
        return env

    yield make_one
    for env in made:
        env.close()


@pytest.fixture
def tooled(make: Callable[..., MathematicsEnv], fast_backend: str) -> MathematicsEnv:
    """An environment with the Python tool, at the beginning of an episode."""
    env = make(tools="python", sandbox=fast_backend, wall_s=30.0, max_turns=4)
    env.reset(options={"task_id": TASK})
    return env


def block(code: str) -> str:
    return f"Let me see.\n```python\n{code}\n```\n"


@pytest.mark.parametrize("tools", ["none", "python"])
def test_it_is_a_real_gymnasium_environment(tools: str, fast_backend: str) -> None:
    """``check_env`` passes without a warning, the spec survives JSON, pickles work, a seed fixes the episode."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make("bai/Mathematics-v0", tools=tools, sandbox=fast_backend)
        check_env(env.unwrapped)
        env.close()
    assert env.spec is not None
    rebuilt = gym.make(EnvSpec.from_json(env.spec.to_json()))
    pickled = pickle.loads(pickle.dumps(rebuilt))
    first = env.reset(seed=11)
    assert first == rebuilt.reset(seed=11) == pickled.reset(seed=11)
    step = env.step("no answer at all")
    assert step == rebuilt.step("no answer at all") == pickled.step("no answer at all")
    assert step[1:4] == (0.0, True, False)
    for each in (env, rebuilt, pickled):
        each.close()


def test_the_oracle_earns_all_and_silence_nothing(make: Callable[..., MathematicsEnv]) -> None:
    """The gold answer gives 1.0, the empty answer 0.0, both end the episode; no info or prompt holds the answer."""
    env = make(prompt="short")
    observation, info = env.reset(options={"task_id": TASK})
    assert env.task is not None
    assert observation == env.task.prompt
    assert info == {"task_id": TASK, "verdict": {}, "reward_terms": {}, "error": None, "steps": []}
    (action,) = env.oracle()
    observation, reward, terminated, truncated, info = env.step(action)
    assert (observation, reward, terminated, truncated) == ("", 1.0, True, False)
    assert set(info) == KEYS
    assert info["verdict"]["status"] == "passed"
    assert info["reward_terms"] == {"answer": 1.0}
    env.reset(options={"task_id": TASK})
    _, reward, terminated, _, info = env.step("")
    assert (reward, terminated, info["steps"]) == (0.0, True, [])
    assert info["verdict"] == {"status": "failed", "score": 0.0, "detail": "there is no answer"}


def test_steps_are_told_and_recorded(make: Callable[..., MathematicsEnv]) -> None:
    """``info`` has the places of the last action's steps, a rollout's trajectory those of every turn."""
    env = make()
    env.reset(options={"task_id": TASK})
    action = "First this.\n\n  Then that.\n\\boxed{0}"
    *_, info = env.step(action)
    assert [action[start:end] for start, end in info["steps"]] == ["First this.", "Then that.", "\\boxed{0}"]
    engine = RolloutEngine(lambda: gym.make("bai/Mathematics-v0"), OraclePolicy(), env_id="bai/Mathematics-v0")
    (trajectory,) = engine.collect([Request(seed=3)], Sampling())
    engine.close()
    assert Trajectory.from_json(trajectory.to_json()) == trajectory
    (turn,) = trajectory.turns
    (steps,) = trajectory.metadata["record"]["steps"]
    assert trajectory.reward == 1.0
    assert [turn.action[start:end] for start, end in steps] == turn.action.split("\n")


def test_what_is_asked_for_is_told_unless_it_is_to_be_short(make: Callable[..., MathematicsEnv]) -> None:
    """The full prompt says how to answer, and of the tool where there is one."""
    assert make().reset(seed=0)[0].endswith("Give the final answer in \\boxed{...}.")
    assert "boxed" not in make(prompt="short").reset(seed=0)[0]


def test_filters_and_seeds_choose_the_tasks(make: Callable[..., MathematicsEnv]) -> None:
    """Split and difficulty hold for every draw; the draw depends on the seed alone."""
    env = make(split="heldout", difficulty=[2, 4])
    drawn = [env.reset(seed=seed)[1]["task_id"] for seed in range(20)]
    assert {task.split("/")[1] for task in drawn} == {"heldout"}
    assert {task.split("/")[2] for task in drawn} == {"2", "4"}
    again = make(split="heldout", difficulty=[2, 4])
    assert drawn == [again.reset(seed=seed)[1]["task_id"] for seed in range(20)]


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [
        ({"task_set": "nope"}, TaskSetNotFound), ({"task_set": 3}, ConfigError), ({"split": "test"}, ConfigError),
        ({"difficulty": 6}, ConfigError), ({"difficulty": "1"}, ConfigError), ({"subject": "Algebra"}, ConfigError),
        ({"tools": "perl"}, ConfigError), ({"prompt": "long"}, ConfigError), ({"max_turns": 2}, ConfigError),
        ({"max_turns": 0, "tools": "python"}, ConfigError), ({"compare_s": 0}, ConfigError),
        ({"compare_s": float("nan")}, ConfigError), ({"wall_s": -1}, ConfigError), ({"max_output": 0}, ConfigError),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(kwargs: dict[str, Any], error: type[Exception]) -> None:
    """Each with an error that says what was expected."""
    with pytest.raises(error, match=r"expected|must|takes|turn|no argument|there is no"):
        gym.make("bai/Mathematics-v0", **kwargs)


def test_there_are_no_other_tasks(make: Callable[..., MathematicsEnv]) -> None:
    """An id that the set does not have is refused at reset."""
    with pytest.raises(TaskNotFound, match="expected an id"):
        make().reset(options={"task_id": "arithmetic/train/9/000000000"})


# The tool.


def test_variables_stay_from_block_to_block(tooled: MathematicsEnv) -> None:
    """A block's output is the next observation; the answer after it ends the episode."""
    observation, reward, terminated, _, info = tooled.step(block("x = 6 * 7\nprint('hi')\nx"))
    assert (observation, reward, terminated) == ("hi\n42\n\n[3 turns left]\n", 0.0, False)
    assert (info["verdict"], info["reward_terms"]) == ({}, {})
    assert tooled.step(block("x + 1"))[0].startswith("43\n")
    (answer,) = tooled.oracle()
    assert tooled.step(block("x") + answer)[1:3] == (1.0, True), "a marked answer counts, whatever block is beside it"
    assert [len(steps) for steps in tooled.record()["steps"]] == [2, 2, len(answer.splitlines()) + 2]


def test_the_last_turn_is_judged(tooled: MathematicsEnv) -> None:
    """A block at the last turn is no answer; without a block, any action is one."""
    for _ in range(3):
        assert tooled.step(block("1"))[2] is False
    assert tooled.step(block("1"))[1:3] == (0.0, True)
    tooled.reset(seed=0)
    assert tooled.step("I do not know")[1:3] == (0.0, True)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", "ZeroDivisionError"), ("raise SystemExit", "SystemExit"), ("x = (", "SyntaxError"),
        ("import os; os._exit(0)", "ended its process"), ("print('x' * 10**7)", "characters left out"),
        ("'\\udcff'", "udcff"), ("bytearray(1 << 40)", "MemoryError"), ("", "no output"),
    ],
)  # fmt: skip
def test_whatever_a_block_does_is_told_and_bounded(tooled: MathematicsEnv, code: str, said: str) -> None:
    """Errors, exits and floods are observations of bounded length; the next block runs, and the answer counts."""
    observation, reward, terminated, truncated, info = tooled.step(block(code))
    assert (reward, terminated, truncated, info["error"]) == (0.0, False, False, None)
    assert said in observation
    assert len(observation) < 10_000
    assert tooled.step(block("6 * 7"))[0].startswith("42\n")
    assert tooled.step(next(tooled.oracle()))[1] == 1.0


def test_a_block_that_never_ends_is_ended(make: Callable[..., MathematicsEnv], fast_backend: str) -> None:
    """Its interpreter is started anew, and says so."""
    env = make(tools="python", sandbox=fast_backend, wall_s=1.0)
    env.reset(seed=0)
    assert "took longer than 1 s" in env.step(block("while True: pass"))[0]


def test_a_live_interpreter_is_branched(tooled: MathematicsEnv) -> None:
    """Fork, snapshot and restore take the variables along, and branches know nothing of each other."""
    tooled.step(block("x = [1]"))
    twin = tooled.fork()
    moment = tooled.snapshot()
    assert tooled.step(block("x.append(2)\nx"))[0].startswith("[1, 2]\n")
    assert twin.step(block("x.append(3)\nx"))[0].startswith("[1, 3]\n")
    assert tooled.restore(moment).endswith("[3 turns left]\n")
    assert tooled.step(block("x"))[0].startswith("[1]\n")
    assert tooled.step(next(tooled.oracle()))[1] == twin.step(next(twin.oracle()))[1] == 1.0
    twin.close()


def test_a_live_interpreter_is_not_pickled(tooled: MathematicsEnv) -> None:
    """Its variables would be lost without a word; once the episode is over there is nothing to lose."""
    with pytest.raises(CannotFork, match="fork"):
        pickle.dumps(tooled)
    tooled.step("\\boxed{0}")
    assert pickle.loads(pickle.dumps(tooled)).reset(seed=0)


def test_without_the_tool_blocks_are_not_run(make: Callable[..., MathematicsEnv]) -> None:
    """An action with a block is an answer, and a wrong one."""
    env = make()
    env.reset(seed=0)
    assert env.step(block("1"))[1:3] == (0.0, True)
    snapshot = env.snapshot()
    assert env.restore(snapshot) == ""


def test_what_cannot_compare_is_a_fault_of_the_machinery(
    make: Callable[..., MathematicsEnv], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that does not start is InfraError in reset, and a truncated step without a reward."""
    env = make()
    env.reset(options={"task_id": TASK})

    def fail(*_: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(algebra, "_AlgebraProcess", fail)
    algebra._pool_of(algebra._folders()).close()
    assert env.task is not None
    env.task = replace(env.task, gold="2\\sqrt{3}")
    _, reward, terminated, truncated, info = env.step("\\boxed{\\sqrt{12}}")
    assert (reward, terminated, truncated, info["error"]) == (0.0, False, True, "InfraError")
    assert info["verdict"]["status"] == "infra_error"
    with pytest.raises(InfraError, match="no more processes"):
        env.reset(seed=0)


def test_members_of_a_vector_are_their_singles() -> None:
    """A vector environment gives what single ones give, seed by seed."""
    vector = gym.make_vec("bai/Mathematics-v0", num_envs=3, difficulty=1)
    observations, infos = vector.reset(seed=5)
    singles = [gym.make("bai/Mathematics-v0", difficulty=1).unwrapped for _ in range(3)]
    assert list(observations) == [env.reset(seed=5 + place)[0] for place, env in enumerate(singles)]
    answers = [next(env.oracle()) for env in singles if isinstance(env, MathematicsEnv)]
    _, rewards, terminated, _, infos = vector.step((answers[0], "", answers[2]))
    assert np.array_equal(rewards, [1.0, 0.0, 1.0])
    assert terminated.all()
    assert infos["steps"][1] == []
    vector.close()


def test_what_a_block_says_can_be_written_down(tooled: MathematicsEnv) -> None:
    """Even where a block has put its own in the place of what runs blocks."""
    tooled.reset(seed=0)
    takes = "import sys\nnames = sys._getframe(1).f_globals\nnames['run'] = lambda code, most: '\\ud800'"
    tooled.step(block(takes))
    assert tooled.step(block("1"))[0].startswith("\\ud800\n")
