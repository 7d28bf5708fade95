"""bai/Coding-v0 as a Gymnasium environment."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

import bai
from bai.envs.coding import CodingEnv
from bai.envs.grading import grader, script_process
from bai.errors import CannotFork, ConfigError, InfraError, TaskNotFound, TaskSetNotFound

assert bai.__version__

Rows = Callable[..., dict[str, Any]]
Write = Callable[..., Path]

RIGHT = "def double(x):\n    return x + x"
WRONG = "def double(x):\n    return 0"
HALF = "def double(x):\n    return abs(2 * x)"


@pytest.fixture
def rows(row_of: Rows, write_rows: Write) -> Path:
    """Three tasks, one of each kind of tests, of difficulty 1 to 3 and two splits."""
    return write_rows(
        row_of(task_id="a", metadata={"split": "train", "difficulty": 1}),
        row_of(task_id="b", cases=None, inputs=[[1], [7], [-3], [0]], metadata={"split": "test", "difficulty": 2}),
        row_of(
            task_id="c",
            cases=None,
            script="for n in (1, 7, -3, 0):\n    assert double(n) == 2 * n",
            metadata={"split": "test", "difficulty": 3},
        ),
    )


@pytest.fixture
def make(rows: Path) -> Iterator[Callable[..., CodingEnv]]:
    """Makes unwrapped environments over the three tasks, and closes them."""
    made: list[CodingEnv] = []

    def make_one(**kwargs: Any) -> CodingEnv:
        env = gym.make("bai/Coding-v0", **{"task_set": str(rows), "wall_s": 20.0, **kwargs}).unwrapped
        assert isinstance(env, CodingEnv)
        made.append(env)
        return env

    yield make_one
    for env in made:
        env.close()


SETS = [
    "rows",
    "micro",
    *(
        pytest.param(name, marks=pytest.mark.data)
        for name in ("humaneval", "mbpp", "humaneval_plus", "mbpp_plus", "quixbugs")
    ),
]


@pytest.mark.parametrize("task_set", SETS)
def test_every_kind_of_task_set_is_a_real_gymnasium_environment(
    task_set: str, rows: Path, request: pytest.FixtureRequest
) -> None:
    """``check_env`` passes without a warning, the spec survives JSON, pickles work, a seed fixes the episode."""
    if task_set not in ("rows", "micro"):
        request.getfixturevalue("data_dir")
    name = str(rows) if task_set == "rows" else task_set
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make("bai/Coding-v0", task_set=name, max_turns=2, wall_s=20.0)
        check_env(env.unwrapped)
    assert env.spec is not None
    rebuilt = gym.make(EnvSpec.from_json(env.spec.to_json()))
    pickled = pickle.loads(pickle.dumps(env))
    first = env.reset(seed=11)
    assert first == rebuilt.reset(seed=11) == pickled.reset(seed=11)
    step = env.step("no code at all")
    assert step == rebuilt.step("no code at all") == pickled.step("no code at all")
    assert len(pickle.dumps(env)) < 200_000, "the task set is not part of the pickle"


@pytest.mark.parametrize("task_id", ["a", "b", "c"])
def test_the_oracle_earns_all_and_silence_nothing(make: Callable[..., CodingEnv], task_id: str) -> None:
    """The reference as an action gives 1.0, the empty answer 0.0, and both end the episode."""
    env = make()
    observation, info = env.reset(options={"task_id": task_id})
    assert observation == "Write double(x): twice x."
    assert info == {"task_id": task_id, "verdict": {}, "reward_terms": {}, "error": None}
    (action,) = env.oracle()
    observation, reward, terminated, truncated, info = env.step(action)
    assert (observation, reward, terminated, truncated) == ("", 1.0, True, False)
    assert info["verdict"]["status"] == "passed"
    assert info["reward_terms"] == {"hidden_tests": 1.0}
    env.reset(options={"task_id": task_id})
    _, reward, terminated, _, info = env.step("")
    assert (reward, terminated) == (0.0, True)
    assert info["verdict"] == {"status": "failed", "score": 0.0, "detail": "the answer is empty"}


def test_micro_is_solved_by_its_references_and_by_nothing_shorter() -> None:
    """Over both splits and every difficulty: reference 1.0, empty and one-line wrong answers 0.0."""
    for split in ("train", "heldout"):
        for difficulty in range(1, 6):
            env = gym.make("bai/Coding-v0", split=split, difficulty=difficulty, max_turns=2).unwrapped
            assert isinstance(env, CodingEnv)
            for seed in range(3):
                _, info = env.reset(seed=seed)
                assert env.step(next(env.oracle()))[1:3] == (1.0, True), info
                assert env.task is not None
                env.reset(options={"task_id": info["task_id"]})
                assert env.step("")[1:3] == (0.0, False)
                assert env.step(f"def {env.task.entry_point}(*args): return None")[1:3] == (0.0, True), info


def test_every_task_of_a_set_comes_up(make: Callable[..., CodingEnv]) -> None:
    """Seeds reach every task, and the draw depends on the seed alone."""
    env = make()
    drawn = [env.reset(seed=seed)[1]["task_id"] for seed in range(20)]
    assert set(drawn) == {"a", "b", "c"}
    assert drawn == [make().reset(seed=seed)[1]["task_id"] for seed in range(20)]


def test_public_examples_guide_the_next_attempt(make: Callable[..., CodingEnv]) -> None:
    """With several turns a failed example is told and the episode goes on; a passed one is judged at once."""
    env = make(max_turns=3)
    env.reset(options={"task_id": "a"})
    observation, reward, terminated, truncated, info = env.step(WRONG)
    assert observation == "double(1) returned 0; expected 2\n\nTry again: 2 attempts left.\n"
    assert (reward, terminated, truncated, info["verdict"]) == (0.0, False, False, {})
    assert info["reward_terms"] == {}
    observation, reward, terminated, _, info = env.step(HALF)  # right on the example, wrong on a hidden test
    assert (observation, reward, terminated) == ("", 0.0, True)
    assert info["verdict"]["detail"] == "hidden test 3 of 4: returned a wrong value"


def test_the_last_attempt_is_judged_whatever_it_is(make: Callable[..., CodingEnv]) -> None:
    """The episode ends at ``max_turns``, and a step after that is the caller's mistake."""
    env = make(max_turns=2)
    env.reset(options={"task_id": "c"})
    assert env.step("def double(x")[0].startswith("the code does not load: SyntaxError")
    _, reward, terminated, _, info = env.step(WRONG)
    assert (reward, terminated, info["verdict"]["status"]) == (0.0, True, "failed")
    with pytest.raises(ConfigError, match="the episode is over"):
        env.step(RIGHT)


def test_a_fraction_pays_for_each_test(make: Callable[..., CodingEnv]) -> None:
    """``reward="fraction"`` gives the share of hidden tests that pass."""
    env = make(reward="fraction")
    for task_id in ("a", "b"):
        env.reset(options={"task_id": task_id})
        _, reward, _, _, info = env.step(HALF)
        assert reward == info["reward_terms"]["hidden_tests"] == info["verdict"]["score"] == 0.75


def test_a_fork_goes_its_own_way(make: Callable[..., CodingEnv]) -> None:
    """Mid-episode a fork has the same state, and neither sees what the other does."""
    env = make(max_turns=3)
    env.reset(options={"task_id": "a"})
    env.step(WRONG)
    twin, other = env.fork(), env.fork()
    assert twin.step(RIGHT)[1:3] == (1.0, True)
    assert other.step(WRONG)[0].endswith("1 attempt left.\n")
    assert other.step(HALF)[1:3] == (0.0, True)
    assert env.step(WRONG)[0].endswith("1 attempt left.\n")
    assert env.step(RIGHT)[1:3] == (1.0, True)


def test_a_snapshot_is_restored_as_often_as_wanted(make: Callable[..., CodingEnv]) -> None:
    """Going back gives the moment again: its observation, its turns and its random draws."""
    env = make(max_turns=3, render_mode="ansi")
    with pytest.raises(CannotFork):
        env.snapshot()
    env.reset(seed=5)
    said = env.step(WRONG)[0]
    moment, transcript = env.snapshot(), env.render()
    ends = []
    for _ in range(2):
        assert env.restore(moment) == said
        assert env.render() == transcript
        ends.append((env.step(RIGHT), env.reset()[1]["task_id"]))
    assert ends[0] == ends[1]
    assert pickle.loads(pickle.dumps(moment)) == moment


def test_a_pickle_taken_mid_episode_goes_on(make: Callable[..., CodingEnv]) -> None:
    """A pickled environment keeps its episode."""
    env = make(max_turns=2)
    env.reset(options={"task_id": "b"})
    env.step(WRONG)
    assert pickle.loads(pickle.dumps(env)).step(RIGHT) == env.step(RIGHT)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_it_vectorises(rows: Path, mode: str) -> None:
    """Both of Gymnasium's vector modes step it; a forked worker grades with sandboxes of its own."""
    # The parent's pool is warm before the workers fork, which is the hard case.
    warm = gym.make("bai/Coding-v0", task_set=str(rows), wall_s=20.0)
    warm.reset(seed=0)
    assert warm.step(RIGHT)[1] == 1.0
    vector_kwargs = {"shared_memory": False} if mode == "async" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking a process that has threads
        envs = gym.make_vec(
            "bai/Coding-v0",
            num_envs=3,
            vectorization_mode=mode,
            vector_kwargs=vector_kwargs,
            task_set=str(rows),
            wall_s=20.0,
        )
    try:
        observations, info = envs.reset(seed=1)
        assert observations == ("Write double(x): twice x.",) * 3
        assert list(info["_task_id"]) == [True] * 3
        _, rewards, terminated, truncated, info = envs.step((RIGHT, WRONG, "import os\nos._exit(0)"))
        np.testing.assert_array_equal(rewards, [1.0, 0.0, 0.0])
        assert list(terminated) == [True] * 3
        assert not any(truncated)
        assert list(info["verdict"]["status"]) == ["passed", "failed", "crashed"]
    finally:
        envs.close()
    warm.reset(seed=0)
    assert warm.step(RIGHT)[1] == 1.0, "the parent's sandboxes are its own still"


def test_filters_pick_tasks(make: Callable[..., CodingEnv]) -> None:
    """``split`` and ``difficulty`` keep the tasks whose metadata say so."""
    assert [task.task_id for task in make(split="test").tasks] == ["b", "c"]
    assert [task.task_id for task in make(difficulty=1).tasks] == ["a"]
    assert [task.task_id for task in make(difficulty=[1, 3]).tasks] == ["a", "c"]
    with pytest.raises(ConfigError, match=r"has no task with \{'split': 'dev'\}; it has split: 'test', 'train'"):
        make(split="dev")


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"task_set": "no_such_set"}, TaskSetNotFound, "expected one of micro, humaneval"),
        ({"task_set": None}, ConfigError, "a task set is a name or the path of a file; got None"),
        ({"task_set": ""}, ConfigError, "a task set is a name or the path of a file; got ''"),
        ({"max_turns": 0}, ConfigError, "max_turns must be a whole number, at least 1; got 0"),
        ({"max_turns": 2.5}, ConfigError, "whole number, at least 1; got 2.5"),
        ({"max_turns": "2"}, ConfigError, "whole number, at least 1; got '2'"),
        ({"reward": "shaped"}, ConfigError, "reward must be 'binary' or 'fraction'; got 'shaped'"),
        ({"wall_s": 0}, ConfigError, "wall_s must be a number above 0"),
        ({"memory_mb": -1}, ConfigError, "must be a whole number above 0"),
        ({"render_mode": "rgb_array"}, ConfigError, "render_mode must be"),
    ],
)
def test_a_wrong_argument_is_named(
    make: Callable[..., CodingEnv], kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Construction says what was expected and what came."""
    with pytest.raises(error, match=message):
        CodingEnv(**{"task_set": str(make().spec.kwargs["task_set"]), **kwargs})  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["Coding", "SWEBench", "Notebook", "ToolUse", "Mathematics"])
def test_an_unknown_sandbox_is_named_at_once(name: str) -> None:
    """An environment that would never work is not made, though it may need no sandbox."""
    with pytest.raises(ConfigError, match="unknown sandbox 'vault'"):
        gym.make(f"bai/{name}-v0", sandbox="vault")


def test_an_unknown_task_is_named(make: Callable[..., CodingEnv]) -> None:
    """``options`` may name a task of the set, and nothing else."""
    with pytest.raises(TaskNotFound, match="has no task 'z'; it has a, b, c"):
        make().reset(options={"task_id": "z"})
    with pytest.raises(ConfigError, match="'difficulty'"):
        make().reset(options={"difficulty": 1})


@pytest.mark.parametrize("task_id", [None, 3])
def test_a_task_id_is_a_string(make: Callable[..., CodingEnv], task_id: Any) -> None:
    """Anything else is the caller's mistake, and said to be."""
    with pytest.raises(ConfigError, match="a task_id is a string"):
        make(task_set="micro").reset(options={"task_id": task_id})


def test_an_episode_that_could_not_start_takes_no_step(
    make: Callable[..., CodingEnv], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a reset that raised there is nothing to answer to, so nothing can be scored."""
    env = make(task_set="micro")
    env.reset(seed=1)
    monkeypatch.setattr(CodingEnv, "_begin", lambda *_: (_ for _ in ()).throw(InfraError("no sandbox")))
    with pytest.raises(InfraError):
        env.reset(seed=1)
    with pytest.raises(ConfigError, match="call reset"):
        env.step("def f(x): return x")


def test_a_lone_surrogate_is_printed_spelled_out(
    make: Callable[..., CodingEnv], capsys: pytest.CaptureFixture[str]
) -> None:
    """Any string is a legal action, while people watch too."""
    env = make(task_set="micro", render_mode="human")
    env.reset(seed=1)
    env.step("\ud800")
    assert "\\ud800" in capsys.readouterr().out


def test_a_sandbox_that_cannot_work_is_an_error_of_reset(
    make: Callable[..., CodingEnv], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where not even a known good program ends in time, there is no episode: ``reset`` says so before any score."""
    monkeypatch.setattr(grader, "_CANARY", f"import time\ntime.sleep(9)\n{grader._CANARY}")
    env = make(sandbox="process", wall_s=0.3)
    with pytest.raises(InfraError, match="a known good program fails in a process sandbox: timeout"):
        env.reset(seed=0)
    env.close()
    env.close()


def test_a_fault_of_the_machinery_is_never_a_reward(
    make: Callable[..., CodingEnv], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A judge that cannot start truncates the episode, is named in ``info``, and the next episode is served."""
    env = make()
    env.reset(options={"task_id": "c"})
    script_process._ready.close()
    with monkeypatch.context() as patch:
        patch.setattr(script_process.sys, "executable", "/nonexistent/python")
        _, reward, terminated, truncated, info = env.step(RIGHT)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["error"] == "InfraError"
    assert info["verdict"]["status"] == "infra_error"
    env.reset(options={"task_id": "c"})
    assert env.step(RIGHT)[1] == 1.0


def test_equal_runs_say_equal_things(make: Callable[..., CodingEnv]) -> None:
    """``info`` holds nothing that differs between two runs; what does is in ``stats``."""
    runs = []
    for _ in range(2):
        env = make(max_turns=2)
        env.reset(seed=3)
        runs.append([env.step(WRONG), env.step("def double(x):\n    raise ValueError")])
        assert env.stats["steps"] == 2
        assert env.stats["step_s"] > 0
    assert runs[0] == runs[1]


def test_the_transcript_is_rendered(make: Callable[..., CodingEnv], capsys: pytest.CaptureFixture[str]) -> None:
    """``ansi`` gives the transcript, ``human`` prints it."""
    env = make(render_mode="ansi")
    env.reset(options={"task_id": "a"})
    env.step(RIGHT)
    assert env.render() == f"[environment]\nWrite double(x): twice x.\n[agent]\n{RIGHT}\n[environment]\n"
    human = make(render_mode="human")
    human.reset(options={"task_id": "a"})
    assert capsys.readouterr().out == "[environment]\nWrite double(x): twice x.\n"
    assert human.render() is None
