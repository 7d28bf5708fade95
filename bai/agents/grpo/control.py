"""The control experiment: the same run with rewards that say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bai.types import Trajectory

__all__ = ["shuffle_rewards"]


def shuffle_rewards(trajectories: Sequence[Trajectory], *, seed: int) -> list[Trajectory]:
    """Deals the rewards of an iteration out at random, over all its groups.

    How many answers are rewarded stays as it was; which ones no longer depends on the answer nor on its task. A
    run that gains like this gains from something other than its reward. Trajectories that no learner may use
    keep what they have.

    Args:
        trajectories: What one iteration sampled.
        seed: Seeds the deal.
    """
    dealt = list(trajectories)
    places = [place for place, item in enumerate(dealt) if item.is_trainable]
    order = np.random.default_rng(seed).permutation(len(places))
    for place, source in zip(places, order, strict=True):
        dealt[place] = replace(trajectories[place], reward=trajectories[places[source]].reward)
    return dealt
