"""Prompts are a function of the run's seed and the iteration alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bai.agents.grpo.plan import deal, plan_prompts

SEEDS = st.integers(-(2**63), 2**63)


@given(SEEDS, st.integers(0, 10**6), st.integers(0, 5))
def test_prompts_repeat_exactly(seed: int, iteration: int, round_index: int) -> None:
    """The same place in the same run gives the same prompts, with no state in between."""
    wanted = {"seed": seed, "iteration": iteration, "round_index": round_index, "prompts": 5, "group_size": 4}
    assert plan_prompts(**wanted) == plan_prompts(**wanted)
    assert [request.n for request in plan_prompts(**wanted)] == [4] * 5


@given(SEEDS)
def test_places_differ(seed: int) -> None:
    """Iterations, rounds and places within them draw different seeds and name different groups."""
    requests = [
        request
        for iteration in range(4)
        for round_index in range(3)
        for request in plan_prompts(seed=seed, iteration=iteration, round_index=round_index, prompts=8, group_size=2)
    ]
    assert len({request.group_id for request in requests}) == len(requests)
    assert len({request.seed for request in requests}) == len(requests)
    assert all(0 <= request.seed < 2**31 for request in requests)


def test_seeds_of_opposite_sign_differ() -> None:
    """A negative seed is another run than its positive."""
    plans = [plan_prompts(seed=seed, iteration=0, round_index=0, prompts=1, group_size=2) for seed in (5, -5)]
    assert plans[0] != plans[1]


@given(st.integers(0, 20), st.lists(st.integers(1, 9), min_size=1, max_size=5, unique=True))
def test_dealing_loses_nothing(count: int, runners: list[int]) -> None:
    """Every request goes to exactly one runner, and shares differ by one at most."""
    requests = plan_prompts(seed=0, iteration=0, round_index=0, prompts=count, group_size=2)
    shares = deal(requests, runners)
    dealt = [request for share in shares.values() for request in share]
    assert sorted(dealt, key=lambda r: r.group_id) == sorted(requests, key=lambda r: r.group_id)
    assert all(shares.values())
    assert not shares or max(map(len, shares.values())) - min(map(len, shares.values())) <= 1
