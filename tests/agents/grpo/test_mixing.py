"""A run samples several environments in exact shares, however many runners there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import bai_toy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.agents.grpo.mixing import parts_of_step, parts_to_replace, read_mixture
from bai.agents.grpo.plan import deal, plan_prompts
from bai.agents.grpo.settings import GRPOSettings
from bai.errors import ConfigError

MIXTURE = {"single": {"share": 75, "env_config": {}}, "multi": {"share": 25, "env_config": {}}}


@given(st.integers(-(2**40), 2**40), st.integers(1, 9), st.integers(0, 1000), st.integers(1, 10))
def test_iterations_of_any_size_take_the_sequence_up(seed: int, prompts: int, first: int, k: int) -> None:
    """Four k iterations in a row, of any number of prompts, hold single-turn prompts in exactly three of four."""
    parts = read_mixture(MIXTURE)
    steps = [
        parts_of_step(parts, seed=seed, iteration=iteration, prompts=prompts)
        for iteration in range(first, first + 4 * k)
    ]
    assert all(len(step) == prompts for step in steps)
    assert Counter(part for step in steps for part in step) == {"single": 3 * k * prompts, "multi": k * prompts}


@given(st.integers(0, 99), st.integers(1, 8))
def test_runners_share_the_parts_evenly(seed: int, runners: int) -> None:
    """No runner has two more prompts of a part than another, and none is lost."""
    parts = parts_of_step(read_mixture(MIXTURE), seed=seed, iteration=0, prompts=24)
    requests = plan_prompts(seed=seed, iteration=0, round_index=0, prompts=24, group_size=2, parts=parts)
    shares = deal(requests, range(1, runners + 1))
    assert sorted(r.group_id for share in shares.values() for r in share) == sorted(r.group_id for r in requests)
    for name in MIXTURE:
        counts = [sum(request.part == name for request in share) for share in shares.values()]
        assert max(counts) - min(counts) <= 1


def test_a_replaced_group_is_one_of_the_same_part() -> None:
    """What dynamic sampling asks for again has the parts of what told nothing."""
    requests = plan_prompts(
        seed=0, iteration=0, round_index=0, prompts=4, group_size=2, parts=["single", "multi", "single", "single"]
    )
    assert parts_to_replace(requests, {"0/0/0", "0/0/2"}) == ["multi", "single"]


def test_without_a_mixture_nothing_is_mixed() -> None:
    """The setting is off by default, and requests then name no part."""
    assert GRPOSettings().parts == {}
    assert parts_of_step({}, seed=0, iteration=3, prompts=2) == ["", ""]


@pytest.mark.parametrize(
    "mixture",
    [{}, [], "single", {"": {"share": 1}}, {"a": {}}, {"a": {"share": 0}}, {"a": {"share": 1, "weight": 2}},
     {"a": {"share": 1, "env": 3}}, {"a": {"share": 1, "env_config": 3}}, {"a": 3}],
)  # fmt: skip
def test_a_mixture_that_is_none_is_refused(mixture: Any) -> None:
    """The setting maps names to a share, an environment and its arguments; the message says so."""
    with pytest.raises(ConfigError, match=r"mixture|shares"):
        GRPOSettings(mixture=mixture)


@pytest.mark.ray
def test_a_run_trains_on_its_parts(build: Callable, toy_config: Callable) -> None:
    """Two iterations of six prompts sample nine groups of one part and three of the other, each of its environment."""
    mixture = {"single": {"share": 3}, "multi": {"share": 1, "env_config": {"turns": 2}}}
    algorithm = build(toy_config(mixture=mixture, env_config={"turns": 1}))
    found = []
    for _ in range(2):
        algorithm.train()
        found += [(t.metadata["part"], t.group_id, len(t.turns)) for t in algorithm.last_trajectories]
    assert Counter(part for part, _ in {(part, group) for part, group, _ in found}) == {"single": 9, "multi": 3}
    assert {turns for part, _, turns in found if part == "single"} == {1}
    assert {turns for part, _, turns in found if part == "multi"} == {2}
    assert [group for _, group, _ in found] == sorted((group for _, group, _ in found), key=_place)
    assert algorithm.config.environment_of("single") == (bai_toy.ENV_ID, {"turns": 1})


def _place(group: str) -> list[int]:
    return list(map(int, group.split("/")))
