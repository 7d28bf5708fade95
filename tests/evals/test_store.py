"""Evaluations on disk: cut off at any byte, they go on without losing or doubling a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.errors import ConfigError, MalformedRow
from bai.evals.store import Store, key_of
from bai.types import Trajectory, read_trajectories

Make = Callable[..., Trajectory]
IDENTITY = {"policy": "oracle", "seed": 0}


def sample(make: Make, number: int, status: str | None = "passed", **fields: object) -> Trajectory:
    return make("t", status, trajectory_id=f"t#{number}", metadata={"sample": number}, **fields)


def test_goes_on_where_it_stopped(make: Make, tmp_path: Path) -> None:
    """A second run knows the samples of the first, and adds its own."""
    with Store(tmp_path / "run", IDENTITY) as store:
        store.append([sample(make, 0)])
    with Store(tmp_path / "run", IDENTITY) as store:
        assert store.finished() == {("t", 0)}
        store.append([sample(make, 1)])
        assert sorted(store.rows()) == [("t", 0), ("t", 1)]
    assert [key_of(row) for row in read_trajectories(tmp_path / "run" / "trajectories.jsonl")] == [("t", 0), ("t", 1)]


@given(st.data())
def test_any_cut_loses_only_the_torn_line(make: Make, tmp_path_factory: pytest.TempPathFactory, data) -> None:
    """Whatever byte the file was cut at, what follows is appended to whole lines and all stays readable."""
    folder = tmp_path_factory.mktemp("run")
    with Store(folder, IDENTITY) as store:
        store.append([sample(make, 0), sample(make, 1)])
    path = folder / "trajectories.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with Store(folder, IDENTITY) as store:
        kept = store.finished()
        store.append([sample(make, number) for number in range(3)])
    rows = list(read_trajectories(path))
    assert sorted(key_of(row) for row in rows) == [("t", 0), ("t", 1), ("t", 2)]
    assert kept <= {("t", 0), ("t", 1)}


def test_a_finished_sample_is_not_replaced(make: Make, tmp_path: Path) -> None:
    """Drawing a whole group again for its missing members leaves the finished ones alone."""
    with Store(tmp_path, IDENTITY) as store:
        store.append([sample(make, 0)])
        store.append([sample(make, 0, "failed"), sample(make, 1)])
        assert store.rows()["t", 0].reward == 1.0
    assert len(list(read_trajectories(tmp_path / "trajectories.jsonl"))) == 2


@pytest.mark.parametrize("folder", [None, "run"])
def test_a_lost_sample_is_tried_again(make: Make, tmp_path: Path, folder: str | None) -> None:
    """A sample lost to the machinery is not finished; the later attempt counts."""
    with Store(folder and tmp_path / folder, IDENTITY) as store:  # type: ignore[arg-type]
        store.append([sample(make, 0, None, error="SandboxDied")])
        assert store.finished() == set()
        store.append([sample(make, 0)])
        assert store.finished() == {("t", 0)}
        assert store.rows()["t", 0].error is None


def test_another_evaluation_is_refused(make: Make, tmp_path: Path) -> None:
    """Samples of two policies never mix in one folder; the message names what differs."""
    with Store(tmp_path, IDENTITY):
        pass
    with (
        pytest.raises(ConfigError, match="its policy is 'oracle', not 'other'"),
        Store(tmp_path, {**IDENTITY, "policy": "other"}),
    ):
        pass
    with Store(tmp_path, IDENTITY):
        pass


def test_two_writers_are_refused(tmp_path: Path) -> None:
    """While one run writes, another cannot."""
    with Store(tmp_path, IDENTITY), pytest.raises(ConfigError, match="another process"), Store(tmp_path, IDENTITY):
        pass


def test_damage_in_the_middle_is_an_error(make: Make, tmp_path: Path) -> None:
    """A broken line that is not the last is not passed over, and the lock is released."""
    with Store(tmp_path, IDENTITY) as store:
        store.append([sample(make, 0), sample(make, 1)])
    path = tmp_path / "trajectories.jsonl"
    path.write_bytes(b"{\n" + path.read_bytes())
    for _ in range(2):
        with pytest.raises(MalformedRow), Store(tmp_path, IDENTITY):
            pass


def test_equal_json_is_the_same_evaluation(tmp_path: Path) -> None:
    """A tuple and a list are one JSON value."""
    with Store(tmp_path, {"stop": ("a",)}):
        pass
    with Store(tmp_path, {"stop": ["a"]}):
        pass


def test_keys_without_a_number_are_sample_zero(make: Make) -> None:
    """Trajectories from elsewhere count as the first sample of their task."""
    assert key_of(make("t")) == ("t", 0)
    assert key_of(replace(make("t"), metadata={"sample": 3})) == ("t", 3)
