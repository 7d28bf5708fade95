"""The vector environment beside Gymnasium's own: the same in every piece, for every mode."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

import bai
from bai.envs.spaces import UnicodeText
from bai.envs.vector import SandboxVectorEnv
from bai.envs.vector.infos import batch_infos
from bai.errors import ConfigError, TaskNotFound

Rows = Callable[..., dict[str, Any]]
Write = Callable[..., Path]

MODES = [mode.value for mode in AutoresetMode]
RIGHT = "def double(x):\n    return x + x"
WRONG = "def double(x):\n    return 0"


def assert_same(ours: Any, theirs: Any) -> None:
    """Equality of type, dtype, shape and value, all the way down."""
    assert type(ours) is type(theirs), (ours, theirs)
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key in theirs:
            assert_same(ours[key], theirs[key])
    elif isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for left, right in zip(ours, theirs, strict=True):
            assert_same(left, right)
    elif isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        if theirs.dtype == object:
            assert_same(ours.tolist(), theirs.tolist())
        else:
            np.testing.assert_array_equal(ours, theirs)
    else:
        assert ours == theirs


class Counting(gym.Env[Any, Any]):
    """Counts to a number drawn at reset; its info has every shape of value, and its observations are a dictionary."""

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

    def __init__(self, longest: int = 4, render_mode: str | None = None) -> None:
        self.observation_space = gym.spaces.Dict(
            {
                "count": gym.spaces.Discrete(1000),
                "noise": gym.spaces.Box(0, 1, (2, 3), np.float32),
                "words": gym.spaces.Tuple((UnicodeText(100), gym.spaces.MultiBinary(2))),
            }
        )
        self.action_space = gym.spaces.Dict({"add": gym.spaces.Discrete(3), "say": UnicodeText(5)})
        self.render_mode, self.longest, self.count, self.end = render_mode, longest, 0, 0

    def _observation(self) -> dict[str, Any]:
        noise = self.np_random.random((2, 3), dtype=np.float32)
        return {"count": self.count, "noise": noise, "words": (f"at {self.count}", np.array([1, 0], dtype=np.int8))}

    def _info(self, **more: Any) -> dict[str, Any]:
        return {"count": self.count, "half": self.count / 2, "nested": {"text": "x" * self.count}, **more}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.count, self.end = (options or {}).get("start", 0), int(self.np_random.integers(1, self.longest + 1))
        return self._observation(), self._info(began=True, array=np.arange(3), nothing=None)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1
        over = self.count >= self.end
        more = {"said": action["say"]} if action["add"] else {}
        return self._observation(), float(action["add"]), over, self.count == 3, self._info(**more)

    def render(self) -> str:  # type: ignore[override]
        return f"count {self.count}"


def counting(**kwargs: Any) -> Callable[[], gym.Env[Any, Any]]:
    return lambda: Counting(**kwargs)


def pair(
    make: Sequence[Callable[[], Any]], mode: str, **kwargs: Any
) -> tuple[SandboxVectorEnv, VectorEnv[Any, Any, Any]]:
    return SandboxVectorEnv(make, autoreset_mode=mode, **kwargs), SyncVectorEnv(make, autoreset_mode=mode)


def compare(make: Sequence[Callable[[], Any]], mode: str, seed: Any, steps: int, **kwargs: Any) -> None:
    """Steps both with the same actions; resets what is over by mask where nothing does it by itself."""
    ours, theirs = pair(make, mode, **kwargs)
    try:
        assert_same(ours.observation_space, theirs.observation_space)
        assert_same(ours.action_space, theirs.action_space)
        assert ours.metadata == theirs.metadata
        assert_same(ours.reset(seed=seed), theirs.reset(seed=seed))
        theirs.action_space.seed(7)
        for _ in range(steps):
            actions = theirs.action_space.sample()
            result = theirs.step(actions)
            assert_same(ours.step(actions), result)
            over = result[2] | result[3]
            if mode == "Disabled" and over.any():
                assert_same(*(e.reset(options={"reset_mask": over.copy()}) for e in (ours, theirs)))
        assert ours.np_random_seed == theirs.np_random_seed
        assert [g.bit_generator.state for g in ours.np_random] == [g.bit_generator.state for g in theirs.np_random]
        assert_same(ours.reset(), theirs.reset())
    finally:
        ours.close()
        theirs.close()


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=12)
@given(
    seed=st.none() | st.integers(0, 2**31) | st.lists(st.integers(0, 99), min_size=3, max_size=3),
    longest=st.lists(st.integers(1, 5), min_size=3, max_size=3),
    concurrency=st.none() | st.integers(1, 3),
)
def test_it_gives_what_gymnasium_gives(mode: str, seed: Any, longest: list[int], concurrency: int | None) -> None:
    """Observations, rewards, flags, infos, masks and generators are equal at every step."""
    # Unseeded generators differ: those are compared after a seeding.
    made = [counting(longest=each) for each in longest]
    compare(made, mode, 5 if seed is None else seed, 12, concurrency=concurrency)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_id", ["CartPole-v1", "FrozenLake-v1", "Blackjack-v1", "Taxi-v3"])
def test_classic_environments_step_alike(env_id: str, mode: str) -> None:
    """So are they for environments that know nothing of this package, wrappers included."""

    def make() -> gym.Env[Any, Any]:
        return gym.wrappers.RecordEpisodeStatistics(gym.wrappers.TimeLimit(gym.make(env_id), 9))

    ours, theirs = pair([make] * 4, mode)
    ours.reset(seed=3), theirs.reset(seed=3)
    theirs.action_space.seed(1)
    for _ in range(40):
        actions = theirs.action_space.sample()
        left, right = ours.step(actions), theirs.step(actions)
        for result in (left, right):
            for info in (result[4], result[4].get("final_info", {})):
                info.get("episode", {}).pop("t", None)  # a clock
                info.pop("prob", None)  # 1 for some and 0.33 for others, which Gymnasium batches as 1 and 0
        assert_same(left, right)
        over = right[2] | right[3]
        if mode == "Disabled" and over.any():
            assert_same(*(e.reset(options={"reset_mask": over.copy()}) for e in (ours, theirs)))
    ours.close(), theirs.close()


@given(
    st.dictionaries(
        st.integers(0, 5),
        st.dictionaries(
            st.sampled_from("abc"),
            st.none()
            | st.integers()
            | st.floats()
            | st.booleans()
            | st.text()
            | st.dictionaries(st.just("d"), st.none()),
        ),
    )
)
def test_infos_of_any_kind_are_batched(infos: dict[int, dict[str, Any]]) -> None:
    """No mixture of values is an error, and every value can be read back from its place."""
    batch = batch_infos(infos, 6)
    for key in "abc":
        having = [place for place in range(6) if key in infos.get(place, {})]
        assert batch.get(f"_{key}", np.zeros(6)).nonzero()[0].tolist() == having
        for place in having:
            value = infos[place][key]
            if not isinstance(batch[key], dict):
                assert batch[key][place] == value or value != value
            elif value:
                assert batch[key]["_d"][place]


def test_infos_keep_numbers_and_gaps() -> None:
    """What Gymnasium rounds or refuses: mixed numbers, and None beside a dictionary."""
    batch = batch_infos({0: {"n": 1, "v": None, "big": 2**80}, 2: {"n": 0.5, "v": {"score": 1.0}, "big": 3}}, 3)
    assert batch["n"].tolist() == [1.0, 0.0, 0.5]
    assert batch["v"]["score"].tolist() == [0.0, 0.0, 1.0]
    assert batch["v"]["_score"].tolist() == [False, False, True]
    assert batch["_v"].tolist() == [True, False, True]
    assert batch["big"].tolist() == [2**80, None, 3]
    shapes = batch_infos({0: {"a": np.zeros(2)}, 1: {"a": np.zeros(3)}}, 2)["a"]
    assert [each.shape for each in shapes] == [(2,), (3,)]


def test_members_can_be_reached() -> None:
    """``call``, ``get_attr``, ``set_attr`` and ``render`` go through wrappers, as in Gymnasium."""
    ours, theirs = pair([lambda: gym.wrappers.TimeLimit(Counting(render_mode="ansi"), 50)] * 3, "NextStep")
    try:
        for envs in (ours, theirs):
            envs.reset(seed=0, options={"start": 7})
            envs.set_attr("longest", [1, 2, 3])
        assert ours.render_mode == theirs.render_mode == "ansi"
        assert ours.render() == theirs.render() == ("count 7",) * 3
        assert ours.get_attr("longest") == theirs.get_attr("longest") == (1, 2, 3)
        assert ours.call("_info", more=1) == theirs.call("_info", more=1)
        with pytest.raises(AttributeError):
            ours.get_attr("nothing_such")
    finally:
        ours.close()
        theirs.close()


@pytest.fixture
def rows(row_of: Rows, write_rows: Write) -> Path:
    """Two tasks."""
    return write_rows(row_of(task_id="a"), row_of(task_id="b", cases=None, inputs=[[1], [7], [-3], [0]]))


@pytest.mark.parametrize("max_turns", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_coding_steps_alike(rows: Path, mode: str, max_turns: int) -> None:
    """Real environments with real sandboxes give what Gymnasium's own vector environment gets from them, whether or not
    their episodes end together."""
    answers = [(WRONG,) * 3, (RIGHT, "", RIGHT), (RIGHT, "import os\nos._exit(0)", WRONG), ("x",) * 3, ("y",) * 3]

    def make() -> gym.Env[Any, Any]:
        made = gym.make("bai/Coding-v0", task_set=str(rows), wall_s=20.0, max_turns=max_turns)
        return gym.wrappers.TransformReward(made, lambda r: 3 * r)

    ours, theirs = pair([make] * 3, mode)
    try:
        assert_same(ours.reset(seed=3), theirs.reset(seed=3))
        for actions in answers:
            results = ours.step(actions), theirs.step(actions)
            assert_same(*results)
            over = results[1][2] | results[1][3]
            if mode == "Disabled" and over.any():
                assert_same(*(e.reset(options={"reset_mask": over.copy()}) for e in (ours, theirs)))
    finally:
        ours.close()
        theirs.close()


def test_episodes_of_different_lengths_share_a_batch(rows: Path) -> None:
    """Where some are judged and some go on, the verdict's columns have the judged ones' rows."""
    envs = bai.make_vec("bai/Coding-v0", 3, task_set=str(rows), max_turns=2, wall_s=20.0)
    try:
        envs.reset(seed=0, options={"task_id": "a"})
        observations, rewards, terminated, _, infos = envs.step((RIGHT, WRONG, RIGHT))
        assert terminated.tolist() == [True, False, True]
        assert rewards.tolist() == [1.0, 0.0, 1.0]
        assert infos["verdict"]["status"].tolist() == ["passed", None, "passed"]
        assert infos["verdict"]["_status"].tolist() == [True, False, True]
        assert "Try again" in observations[1]
        with pytest.raises(TaskNotFound):
            envs.reset(options={"task_id": "z"})
    finally:
        envs.close()


class Tripled(gym.RewardWrapper):
    def reward(self, reward: Any) -> float:
        return 3.0 * float(reward)


def test_make_vec_is_the_entry_point_of_every_id(rows: Path) -> None:
    """``gym.make_vec`` gives it, its spec survives JSON and rebuilds it, and ``bai.make_vec`` adds wrappers."""
    kwargs = {"task_set": str(rows), "wall_s": 20.0}
    made = [
        gym.make_vec("bai/Coding-v0", 2, **kwargs),
        bai.make_vec("bai/Coding-v0", 2, **kwargs),
        bai.make_vec("bai/Coding-v0", 2, autoreset_mode="SameStep", concurrency=1, member_timeout_s=60.0, **kwargs),
        gym.make_vec("bai/Coding-v0", 2, autoreset_mode="SameStep", **kwargs),
    ]
    for envs in list(made):
        assert envs.spec is not None
        text = envs.spec.to_json()
        assert json.loads(text)["kwargs"]["num_envs"] == 2
        made.append(gym.make_vec(EnvSpec.from_json(text)))
        assert made[-1].metadata["autoreset_mode"] == envs.metadata["autoreset_mode"]
        assert made[-1].spec == envs.spec
    for envs in made:
        assert type(envs) is SandboxVectorEnv
        assert envs.reset(seed=1)[0] == ("Write double(x): twice x.",) * 2
        assert envs.step((RIGHT, WRONG))[1].tolist() == [1.0, 0.0]
        envs.close()


def test_make_vec_adds_wrappers(rows: Path) -> None:
    """The innermost first, around each member; for ids of other packages as well."""
    kwargs = {"task_set": str(rows), "wall_s": 20.0}
    envs = bai.make_vec("bai/Coding-v0", 2, wrappers=[Tripled, gym.wrappers.RecordEpisodeStatistics], **kwargs)
    assert envs.spec is not None
    again = gym.make_vec(envs.spec)
    for each in (envs, again):
        each.reset(seed=1)
        _, rewards, _, _, infos = each.step((RIGHT, WRONG))
        assert rewards.tolist() == infos["episode"]["r"].tolist() == [3.0, 0.0]
        each.close()
    poles = bai.make_vec("CartPole-v1", 3, wrappers=[Tripled], autoreset_mode="SameStep")
    poles.reset(seed=0)
    assert poles.step(np.array([0, 1, 0]))[1].tolist() == [3.0] * 3
    poles.close()
    with pytest.raises(ConfigError, match="autoreset_mode must be one of"):
        bai.make_vec("bai/Coding-v0", 1, autoreset_mode="Never")


def test_the_example_solves_what_it_sends(capsys: pytest.CaptureFixture[str]) -> None:
    """``examples/many_at_once.py`` runs, and gold answers are right whoever finishes first."""
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / "many_at_once.py"), run_name="__main__")
    last = capsys.readouterr().out.strip().splitlines()[-1].split()
    assert last[-5] == last[-3]
    assert int(last[-3]) >= 48
