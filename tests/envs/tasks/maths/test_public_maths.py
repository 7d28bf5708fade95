"""Every task of every public set of mathematics: the oracle earns all, silence nothing."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import pytest

from bai.envs.mathematics import MathematicsEnv
from bai.envs.tasks.maths.load import load_math_set
from bai.errors import ConfigError, MalformedRow, TaskSetNotFound

SIZES = {"gsm8k": 7473, "math500": 500, "game24": 1362}


@pytest.mark.data
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SIZES)
def test_oracles_earn_everything_and_silence_nothing(name: str, data_dir: Path) -> None:
    """Over the whole set, through the environment's own actions."""
    env = gym.make("bai/Mathematics-v0", task_set=name, compare_s=60.0).unwrapped
    assert isinstance(env, MathematicsEnv)
    assert len(env.tasks) == SIZES[name]
    for task in env.tasks:
        for action, reward in ((next(env._solve(task)), 1.0), ("", 0.0)):
            env.reset(options={"task_id": task.task_id})
            assert env.step(action)[1:3] == (reward, True), task


@pytest.mark.data
def test_sets_are_filtered_split_and_shuffled(data_dir: Path) -> None:
    """Splits share nothing and leave nothing out; filters hold; a seed fixes the order."""
    train, heldout = (load_math_set("gsm8k", split=split) for split in ("train", "heldout"))
    assert len(train) + len(heldout) == SIZES["gsm8k"]
    assert 600 < len(heldout) < 900
    assert len(load_math_set("game24", split="test")) == 100
    algebra = load_math_set("math500", subject="Algebra", difficulty=[1, 2])
    assert {(task.metadata["subject"], task.metadata["difficulty"] < 3) for task in algebra} == {("Algebra", True)}
    orders = [[task.task_id for task in load_math_set("math500", seed=seed)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


@pytest.mark.data
def test_nothing_that_is_hidden_is_shown(data_dir: Path) -> None:
    """Metadata hold no answer, and a solution holds no calculator's notes."""
    for name in SIZES:
        for task in load_math_set(name):
            assert set(task.metadata) <= {"source", "split", "difficulty", "subject"}
            assert "<<" not in task.solution


def test_a_set_that_is_not_here_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded."""
    monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(TaskSetNotFound, match=r"put gsm8k_train\.jsonl at"):
        load_math_set("gsm8k")


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("gsm8k", "gsm8k_train.jsonl", '{"question": "q", "answer": "no mark"}\n'),
        ("gsm8k", "gsm8k_train.jsonl", '{"question": "q"}\n'),
        ("math500", "math500.jsonl", '{"problem": "p", "answer": " ", "unique_id": "u", "level": 1}\n'),
        ("math500", "math500.jsonl", '{"problem": "p", "answer": "1", "unique_id": "u", "level": "one"}\n'),
        ("game24", "game24.csv", "Rank,Puzzles\n1,1 1 four 6\n"),
        ("game24", "game24.csv", "Place,Puzzles\n1,1 1 4 6\n"),
    ],
)
def test_a_broken_row_is_named(
    name: str, file: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the file and the line."""
    (tmp_path / "math").mkdir()
    (tmp_path / "math" / file).write_text(text, encoding="utf-8")
    monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path))
    with pytest.raises(MalformedRow, match=rf"{file}:\d"):
        load_math_set(name)


@pytest.mark.data
@pytest.mark.parametrize("filters", [{"split": "nope"}, {"difficulty": 99}, {"topic": "x"}, {"seed": -1}])
def test_filters_that_leave_nothing_are_refused(filters: dict[str, object], data_dir: Path) -> None:
    """With what there is, or what the set takes."""
    with pytest.raises(ConfigError, match=r"it has|takes|must be"):
        load_math_set("math500", **filters)
