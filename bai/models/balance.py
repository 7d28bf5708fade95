"""Losses and counts that keep experts evenly used, each per layer.

transformers pools counts and probabilities over all layers before it multiplies them, so that
the imbalance of one layer hides that of another; here each layer has its own loss, and the mean
over layers is returned.

Shapes: L layers, N tokens (batch times sequence), E experts, K experts a token is sent to.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["balance_loss", "expert_load", "z_loss"]


def expert_load(experts: Tensor, num_experts: int, mask: Tensor | None = None) -> Tensor:
    """Counts the tokens that each expert of each layer got.

    Args:
        experts: [L, N, K] indices.
        num_experts: E.
        mask: [N] true for tokens that count; None counts all.

    Returns:
        [L, E] float32.
    """
    L, N, K = experts.shape
    ones = torch.ones(N, device=experts.device) if mask is None else mask.float()
    per_pair = ones[None, :, None].expand(L, N, K).reshape(L, N * K)
    return torch.zeros(L, num_experts, device=experts.device).scatter_add_(1, experts.reshape(L, N * K), per_pair)


def balance_loss(logits: Tensor, experts: Tensor, mask: Tensor | None = None) -> Tensor:
    """Gives the Switch balance loss (arXiv 2101.03961, equations 4-6), averaged over layers.

    ``E * sum_e f_e P_e`` with f the share of token-expert pairs that expert e got and P its mean
    probability: 1 under perfect balance for every K, E / K at worst. (Mixtral in transformers
    divides by tokens rather than by pairs, so its value is K times as large.)

    Args:
        logits: [L, N, E] router scores.
        experts: [L, N, K] the indices really used, replayed ones included.
        mask: [N] true for tokens that count; None counts all.

    Returns:
        A scalar, float32.
    """
    E, K = logits.shape[-1], experts.shape[-1]
    probs = logits.float().softmax(dim=-1)
    load = expert_load(experts, E, mask)
    count = _count(mask, logits)
    mean_probs = (probs if mask is None else probs * mask[:, None]).sum(dim=1) / count
    return (E * (load / (count * K)) * mean_probs).sum(dim=-1).mean()


def z_loss(logits: Tensor, mask: Tensor | None = None) -> Tensor:
    """Gives the mean squared log-partition of the router (ST-MoE, arXiv 2202.08906, equation 5).

    Args:
        logits: [L, N, E] router scores.
        mask: [N] true for tokens that count; None counts all.

    Returns:
        A scalar, float32: the mean over tokens and layers.
    """
    squared = logits.float().logsumexp(dim=-1).square()
    total = (squared if mask is None else squared * mask).sum(dim=-1)
    return (total / _count(mask, logits)).mean()


def _count(mask: Tensor | None, logits: Tensor) -> Tensor | int:
    return logits.shape[1] if mask is None else mask.sum().clamp(min=1)
