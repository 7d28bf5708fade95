"""What the learner measures, added up exactly over micro-batches, steps and learners.

A mean is kept as a sum and a count until it is logged, so that it is the mean over all tokens
however rows were spread. :data:`GLOSSARY` says what each logged number means.

Shapes: B rows, T tokens.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

from bai.agents.grpo.losses import TokenLoss

__all__ = ["GLOSSARY", "Measures"]

GLOSSARY: Final = {
    "policy_loss": "loss of the steps' whole batches, router losses left out; mean over steps",
    "router_loss": "balance and z-losses times their coefficients; mean over steps",
    "entropy": "mean entropy of the policy where it wrote a token, in nats",
    "policy_ratio_mean": "mean of pi_theta / pi_old, of tokens or (GSPO) of sequences",
    "policy_ratio_min": "its least value",
    "policy_ratio_max": "its greatest value",
    "clip_ratio_low_mean": "share of tokens whose gradient the lower bound took away",
    "clip_ratio_low_min": "the least such share of a trajectory",
    "clip_ratio_high_mean": "share of tokens whose gradient the upper bound took away (CISPO: whose weight it held)",
    "clip_ratio_high_max": "the greatest such share of a trajectory",
    "clip_ratio_region_mean": "share of tokens that either bound held",
    "kl": "mean estimated divergence from the reference; only with kl_coeff above 0",
    "sampling_logp_difference_mean": "mean distance of log pi_learner from log mu, on the update's first step",
    "sampling_logp_difference_max": "its greatest value",
    "importance_sampling_ratio_mean": "mean of pi_learner / mu, uncut, on the update's first step",
    "importance_sampling_ratio_min": "its least value",
    "importance_sampling_ratio_max": "its greatest value",
    "importance_weight_mean": "mean weight of the correction; only with a correction",
    "loss_tokens": "tokens trained on, all epochs together",
    "grad_norm": "norm of a step's whole gradient before clipping; mean over steps",
    "learning_rate": "of the last step",
    "optimizer_steps": "taken since the run began",
    "skipped_steps": "steps of this update left out because their gradient was not finite",
    "router_load_max": "tokens of the busiest expert over its layer's mean, the worst layer's; needs bias balancing",
}
"""Metric name to meaning; all are logged under the module's id."""


class Measures:
    """Sums and extremes of one update."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._maxima: dict[str, float] = {}

    def add(self, name: str, total: float, count: float) -> None:
        """Adds ``count`` values of the sum ``total`` to a mean."""
        self._sums[name] += total
        self._sums[f"{name}/count"] += count

    def add_total(self, name: str, amount: float) -> None:
        """Adds to a number that is logged as it is."""
        self._sums[name] += amount

    def widen(self, name: str, low: float, high: float) -> None:
        """Widens the range that ``name_min`` and ``name_max`` tell."""
        self._maxima[f"{name}_min"] = max(self._maxima.get(f"{name}_min", -torch.inf), -low)
        self._maxima[f"{name}_max"] = max(self._maxima.get(f"{name}_max", -torch.inf), high)

    @torch.no_grad()
    def add_tokens(self, loss: TokenLoss, entropies: Tensor, mask: Tensor) -> None:
        """Measures one micro-batch.

        Args:
            loss: Of its tokens.
            entropies: [B, T].
            mask: bool [B, T].
        """
        count = float(mask.sum())
        self.add_total("loss_tokens", count)
        region = loss.clipped_low + loss.clipped_high
        means = {"entropy": entropies, "policy_ratio_mean": loss.ratio, "clip_ratio_region_mean": region}
        means |= {"clip_ratio_low_mean": loss.clipped_low, "clip_ratio_high_mean": loss.clipped_high}
        if loss.kl is not None:
            means["kl"] = loss.kl
        if loss.correction is not None:
            means["importance_weight_mean"] = loss.correction
        for name, values in means.items():
            self.add(name, float((values * mask).sum()), count)
        self.widen("policy_ratio", *_range(loss.ratio, mask))
        per_row = mask.sum(-1).clamp(min=1)
        low, high = loss.clipped_low.sum(-1) / per_row, loss.clipped_high.sum(-1) / per_row
        self.widen("clip_ratio_low", float(low.min()), float(low.max()))
        self.widen("clip_ratio_high", float(high.min()), float(high.max()))

    @torch.no_grad()
    def add_sampling(self, logprobs: Tensor, behaviour_logprobs: Tensor, mask: Tensor) -> None:
        """Measures how far the learner's distribution is from the sampler's, before the first step.

        Args:
            logprobs: [B, T] of the learner.
            behaviour_logprobs: [B, T] of the sampler.
            mask: bool [B, T].
        """
        difference = torch.where(mask, logprobs.detach() - behaviour_logprobs, torch.zeros_like(logprobs))
        ratio, count = difference.clamp(-20, 20).exp(), float(mask.sum())
        self.add("sampling_logp_difference_mean", float(difference.abs().sum()), count)
        self.add("importance_sampling_ratio_mean", float((ratio * mask).sum()), count)
        self.widen("sampling_logp_difference", *_range(difference.abs(), mask))
        self.widen("importance_sampling_ratio", *_range(ratio, mask))

    def reduce_over_learners(self, device: torch.device) -> None:
        """Adds up over all learners of the process group; each then holds the same numbers."""
        self._sums = defaultdict(float, _all_reduce(dict(self._sums), dist.ReduceOp.SUM, device))
        self._maxima = _all_reduce(self._maxima, dist.ReduceOp.MAX, device)

    def values(self) -> dict[str, float]:
        """Gives means, ranges and counts under the names of :data:`GLOSSARY`."""
        counts = {name for name in self._sums if name.endswith("/count")}
        plain = {name: value for name, value in self._sums.items() if name not in counts}
        means = {
            name: value / max(self._sums[f"{name}/count"], 1.0) if f"{name}/count" in counts else value
            for name, value in plain.items()
        }
        ranges = {name: -value if name.endswith("_min") else value for name, value in self._maxima.items()}
        return {name: value for name, value in {**means, **ranges}.items() if name in GLOSSARY}


def _range(values: Tensor, mask: Tensor) -> tuple[float, float]:
    kept = values[mask]
    return (float(kept.min()), float(kept.max())) if kept.numel() else (torch.inf, -torch.inf)


def _all_reduce(numbers: dict[str, float], operation: object, device: torch.device) -> dict[str, float]:
    """Reduces numbers whose names may differ between learners (one without rows has none)."""
    names: list[list[str]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(names, sorted(numbers))
    union = sorted({name for some in names for name in some})
    absent = 0.0 if operation == dist.ReduceOp.SUM else -torch.inf
    vector = torch.tensor([numbers.get(name, absent) for name in union], dtype=torch.float64, device=device)
    dist.all_reduce(vector, op=operation)
    return dict(zip(union, vector.tolist(), strict=True))
