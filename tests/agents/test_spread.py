"""Jobs over Ray's actors: every result once, errors as they were raised, nothing left behind."""

from __future__ import annotations

import os
from functools import partial

import pytest

from bai.agents.spread import Spread
from bai.errors import CheckpointError, ConfigError, WorkerFailure

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def crew(size: int = 2, **options: object) -> Spread[int, tuple[int, int]]:
    """Actors that square numbers, and tell their process."""
    from bai_squares import Squares

    return Spread(partial(Squares, options.pop("start", 0)), size, **options)  # type: ignore[arg-type]


def test_every_job_is_done_once_by_workers_that_last(ray_session: None) -> None:
    """Results come in any order, each once; an actor keeps what it holds from job to job and map to map."""
    with crew() as spread:
        results = sorted(spread.map(range(20)))
        again = sorted(spread.map(range(20)))
    assert [square for square, _ in results] == [n * n for n in range(20)]
    processes = {process for _, process in results}
    assert len(processes) == 2 and os.getpid() not in processes
    assert {process for _, process in again} == processes


def test_what_a_job_raises_is_raised_here(ray_session: None) -> None:
    """An error of bai's keeps its class and its words."""
    with crew() as spread, pytest.raises(CheckpointError, match="-3 has no root"):
        list(spread.map([1, -3, 2]))


def test_what_the_making_raises_is_raised_here(ray_session: None) -> None:
    """A wrong argument is told as it is in one process, not as a dead actor."""
    with crew(start=-1) as spread, pytest.raises(ConfigError, match="start must be"):
        list(spread.map([1]))


def test_a_worker_that_dies_is_told(ray_session: None) -> None:
    """The map ends with an error that says what to do, instead of waiting."""
    with crew() as spread, pytest.raises(WorkerFailure, match="died"):
        list(spread.map([1, 666, 2]))


@pytest.mark.parametrize("wanted", [{"size": 99}, {"size": 1, "gpus": 9.0}])
def test_more_than_there_is_is_refused(ray_session: None, wanted: dict[str, object]) -> None:
    """Ray would wait for ever."""
    with pytest.raises(ConfigError, match="wait for ever"):
        crew(**wanted)  # type: ignore[arg-type]
