"""Which prompts an iteration samples: a function of (seed, iteration, round, index) and nothing else.

No generator lives on anywhere, so a resumed run draws what the uninterrupted one would have
drawn, the same prompts are drawn however many runners share them, and a shard lost with its
runner is drawn again exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bai.agents.rollout import Request

__all__ = ["deal", "derive_seed", "plan_prompts"]

_SEED_BITS = 31
"""Gymnasium passes a seed on to generators that take 32 bits; one is kept for the sign."""


def plan_prompts(
    *, seed: int, iteration: int, round_index: int, prompts: int, group_size: int, parts: Sequence[str] = ()
) -> list[Request]:
    """Gives the prompts of one round of sampling.

    Args:
        seed: Of the run; any integer.
        iteration: Iterations finished before this one, from 0.
        round_index: 0 for the first sampling of the iteration, then one more for each replacement of groups.
        prompts: How many.
        group_size: Completions of each.
        parts: The part of a mixture that each is a draw of; empty where nothing is mixed.
    """
    return [
        Request(
            seed=derive_seed(seed, iteration, round_index, index),
            n=group_size,
            group_id=f"{iteration}/{round_index}/{index}",
            part=parts[index] if parts else "",
        )
        for index in range(prompts)
    ]


def deal(requests: Sequence[Request], runners: Sequence[int]) -> dict[int, list[Request]]:
    """Spreads requests over runners in turn, those of each part evenly; a runner left without one is left out.

    Args:
        requests: In order.
        runners: Numbers of the runners, at least one.
    """
    ordered = sorted(requests, key=lambda request: request.part)
    shares = {runner: ordered[start :: len(runners)] for start, runner in enumerate(runners)}
    return {runner: share for runner, share in shares.items() if share}


def derive_seed(seed: int, *path: int) -> int:
    """Gives a seed for one place of a run, of the run's seed and the place alone.

    Args:
        seed: Of the run; any integer.
        path: The place, such as iteration and index; each at least 0.

    Returns:
        In [0, 2**31).
    """
    state = np.random.SeedSequence([abs(seed), int(seed < 0), *path]).generate_state(1, np.uint32)
    return int(state[0] >> (32 - _SEED_BITS))
