"""Mixing parts, such as single-turn and multi-turn tasks, in exact shares under any sharding.

    mixture = Mixture({"single": 75, "multi": 25}, seed=0)
    for draw in mixture.shard(worker, workers):
        task = sets[draw.part].sample(np.random.default_rng(draw.seed))

There is one endless sequence of draws, a function of the seed and a draw's index alone. Worker ``r`` of ``n`` takes the
draws ``r, r + n, r + 2n, ...``, so that all workers together draw the same whatever ``n`` is. The parts repeat with a
period of the shares' sum in lowest terms (4 for 75 and 25), in an order that the seed draws: of any run of draws whose
length is a multiple of the period, wherever it begins, each part has exactly its share.

A worker's own draws hold each part in its share where the number of workers and the period have no common factor; else
one worker may draw one part only, which does not matter to what is drawn in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from math import gcd

import numpy as np

from bai.errors import ConfigError

__all__ = ["MAX_PERIOD", "Draw", "Mixture"]

MAX_PERIOD = 100_000
"""Largest sum of shares in lowest terms."""
_PARTS, _SEEDS = 0, 1
"""Streams of random numbers: the order of the parts, and the seeds of the draws."""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One draw of the sequence."""

    index: int
    """Its place in the whole sequence, from 0."""
    part: str
    """What to draw from."""
    seed: int
    """Seeds the draw of a task from the part; in [0, 2**31)."""


class Mixture:
    """An endless sequence of parts in exact shares.

    Args:
        shares: Part to its share, a whole number of at least 1; only their ratios count, and the order does not.
        seed: Any whole number.

    Raises:
        ConfigError: There is no part, a share is no such number, or the period is beyond :data:`MAX_PERIOD`.
    """

    def __init__(self, shares: Mapping[str, int], *, seed: int = 0) -> None:
        _expect_shares(shares)
        common = gcd(*shares.values())
        self.shares = {part: shares[part] // common for part in sorted(shares)}
        self.seed = seed
        self.period = sum(self.shares.values())
        if self.period > MAX_PERIOD:
            raise ConfigError(f"shares in lowest terms add up to at most {MAX_PERIOD}; got {self.period}")
        listed = [part for part, share in self.shares.items() for _ in range(share)]
        order = np.random.default_rng(self._entropy(_PARTS)).permutation(len(listed))
        self._parts = tuple(listed[int(place)] for place in order)

    def _entropy(self, *path: int) -> list[int]:
        return [abs(self.seed), int(self.seed < 0), *path]

    def part(self, index: int) -> str:
        """Gives the part of a draw.

        Args:
            index: Its place in the whole sequence, from 0.
        """
        return self._parts[index % self.period]

    def draw(self, index: int) -> Draw:
        """Gives a draw: its part, and a seed of its own.

        Args:
            index: Its place in the whole sequence, from 0.
        """
        state = np.random.SeedSequence(self._entropy(_SEEDS, index)).generate_state(1, np.uint32)
        return Draw(index=index, part=self.part(index), seed=int(state[0] >> 1))

    def shard(self, worker: int = 0, workers: int = 1, *, start: int = 0) -> Iterator[Draw]:
        """Gives the draws of one worker, without end.

        Args:
            worker: Its number, from 0.
            workers: How many there are.
            start: Where the whole sequence begins, or goes on.

        Raises:
            ConfigError: There is no such worker.
        """
        if not 0 <= worker < workers or start < 0:
            raise ConfigError(f"expected 0 <= worker < workers and start >= 0; got {worker}, {workers} and {start}")
        return map(self.draw, count(start + worker, workers))


def _expect_shares(shares: Mapping[str, int]) -> None:
    whole = all(isinstance(share, int) and not isinstance(share, bool) and share > 0 for share in shares.values())
    if not shares or not whole:
        raise ConfigError(f"shares are whole numbers of at least 1, one for each part; got {dict(shares)!r:.200}")
