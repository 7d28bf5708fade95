"""Parts are mixed in exact shares, whoever draws."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tasks.mixture import MAX_PERIOD, Mixture
from bai.errors import ConfigError

SEEDS = st.integers(-(2**70), 2**70)
SHARES = st.dictionaries(st.text(min_size=1, max_size=4), st.integers(1, 12), min_size=1, max_size=4)


@given(SEEDS, st.integers(0, 10**9), st.integers(1, 50))
def test_three_quarters_are_three_quarters_of_any_run_of_draws(seed: int, start: int, k: int) -> None:
    """Of any 4k draws in a row, wherever they begin, exactly 3k are single-turn under 75/25."""
    mixture = Mixture({"single": 75, "multi": 25}, seed=seed)
    parts = [mixture.part(index) for index in range(start, start + 4 * k)]
    assert parts.count("single") == 3 * k
    assert parts.count("multi") == k


@given(SHARES, SEEDS, st.integers(0, 10**6))
def test_every_part_has_its_share_of_a_period(shares: dict[str, int], seed: int, start: int) -> None:
    """Whatever the shares, a run of draws as long as the period holds each part in its share."""
    mixture = Mixture(shares, seed=seed)
    parts = [mixture.part(index) for index in range(start, start + mixture.period)]
    assert all(parts.count(part) * sum(shares.values()) == share * mixture.period for part, share in shares.items())


@given(SHARES, SEEDS, st.integers(1, 9), st.integers(0, 100))
def test_workers_together_draw_one_sequence(shares: dict[str, int], seed: int, workers: int, start: int) -> None:
    """The union over n workers is the whole sequence, in parts and seeds, whatever n is."""
    mixture = Mixture(shares, seed=seed)
    whole = list(islice(mixture.shard(start=start), 7 * workers))
    shards = [list(islice(mixture.shard(worker, workers, start=start), 7)) for worker in range(workers)]
    assert sorted((draw for shard in shards for draw in shard), key=lambda draw: draw.index) == whole
    assert [draw.index for draw in whole] == list(range(start, start + 7 * workers))


@given(SHARES, SEEDS)
def test_the_sequence_is_a_function_of_seed_and_index(shares: dict[str, int], seed: int) -> None:
    """Another object, and another order of the shares, give the same draws; so do multiples of the shares."""
    again = Mixture(dict(reversed([(part, 3 * share) for part, share in shares.items()])), seed=seed)
    assert list(islice(again.shard(), 40)) == list(islice(Mixture(shares, seed=seed).shard(), 40))


def test_seeds_differ_from_draw_to_draw() -> None:
    """No two of the first thousand draws of two seeds share a seed, and the seeds of runs order the parts anew."""
    mixtures = [Mixture({"a": 7, "b": 5}, seed=seed) for seed in (1, -1)]
    seeds = [draw.seed for mixture in mixtures for draw in islice(mixture.shard(), 500)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert len({tuple(map(mixture.part, range(12))) for mixture in mixtures}) == 2


@pytest.mark.parametrize(
    "shares", [{}, {"a": 0}, {"a": -1, "b": 2}, {"a": True}, {"a": 0.75, "b": 0.25}, {"a": 1, "b": MAX_PERIOD}]
)
def test_shares_that_are_none_are_refused(shares: dict[str, int]) -> None:
    """Shares are whole numbers of at least 1 and of a period that fits; the message says so."""
    with pytest.raises(ConfigError, match="shares"):
        Mixture(shares)


@pytest.mark.parametrize(("worker", "workers", "start"), [(2, 2, 0), (-1, 2, 0), (0, 0, 0), (0, 1, -1)])
def test_there_are_no_other_workers(worker: int, workers: int, start: int) -> None:
    """A worker's number lies below how many there are."""
    with pytest.raises(ConfigError, match="worker"):
        Mixture({"a": 1}).shard(worker, workers, start=start)
