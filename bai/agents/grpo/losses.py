"""Policy losses of the GRPO family, as pure functions of tensors.

Every function gives values per token; what they are divided by is decided on the driver and
arrives as weights (:mod:`bai.agents.grpo.batch`), so that the loss does not depend on how rows
are spread over learners, minibatches and micro-batches.

With theta the weights in training, old the proximal weights, mu the sampler and A the advantage,
the ratio of token t is r_t = pi_theta(t) / pi_old(t) and::

    token       -min(r_t A, clip(r_t, 1 - low, 1 + high) A)                 PPO, GRPO, Dr. GRPO, DAPO
    sequence    the same with s_t = sg[s] pi_theta(t) / sg[pi_theta(t)],
                s = exp(mean_t log r_t)                                     GSPO, its token form
    cispo       -sg[clip(r_t, 1 - low, 1 + high)] A log pi_theta(t)         CISPO

Sources: arXiv:1707.06347 (clipping), 2402.03300 (GRPO), 2503.20783 (Dr. GRPO), 2503.14476 (DAPO),
2507.18071 (GSPO, eq. 13-14 for the token form), 2506.13585 (CISPO), 1912.09729 (dual clip), and
J. Schulman, "Approximating KL divergence" (k1, k2, k3). Values equal those of TRL's ``GRPOTrainer``.

Shapes: B rows, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bai.agents.grpo.method import Correction, KLEstimator, LossOptions

__all__ = ["TokenLoss", "correction_weights", "kl_divergence", "masked_sequence_mean", "policy_loss"]

_LOG_RATIO_LIMIT = 20.0
"""Log-ratios beyond this are cut: exp(20) is already far outside any clipping range, and exp(89) is infinite."""


@dataclass(frozen=True, kw_only=True)
class TokenLoss:
    """A loss per token, and what a run wants to know of it. All are [B, T] and 0.0 off the mask."""

    loss: Tensor
    """The whole loss; the only member with a gradient."""
    ratio: Tensor
    """pi_theta / pi_old, of the token or of its sequence."""
    clipped_low: Tensor
    """1.0 where the lower bound took the gradient away (CISPO: held the weight)."""
    clipped_high: Tensor
    """1.0 where the upper bound took the gradient away (CISPO: held the weight)."""
    kl: Tensor | None
    """Estimated divergence from the reference, or None without one."""
    correction: Tensor | None
    """Weight for the sampler's difference, or None without correction."""


def policy_loss(
    logprobs: Tensor,
    *,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    options: LossOptions,
    entropies: Tensor | None = None,
    reference_logprobs: Tensor | None = None,
    behaviour_logprobs: Tensor | None = None,
) -> TokenLoss:
    """Computes the loss of each token.

    Args:
        logprobs: [B, T] under the weights in training; carries the gradient.
        old_logprobs: [B, T] under the proximal weights.
        advantages: [B, T].
        mask: bool [B, T], true where the policy wrote the token.
        options: Which loss.
        entropies: [B, T]; needed for an entropy bonus.
        reference_logprobs: [B, T]; needed for a divergence.
        behaviour_logprobs: [B, T] of the sampler; needed for a correction.

    Raises:
        ValueError: A column that the options need is missing.
    """
    keep = mask.to(logprobs.dtype)
    logprobs, old = _on(mask, logprobs), _on(mask, old_logprobs)
    log_ratio = (logprobs - old).clamp(-_LOG_RATIO_LIMIT, _LOG_RATIO_LIMIT)
    ratio = _importance(log_ratio, logprobs, mask, options)
    loss, low, high = _surrogate(ratio, logprobs, advantages, options)
    correction = None
    if options.correction != "none":
        behaviour = _needed(behaviour_logprobs, "behaviour_logprobs", "a correction")
        correction = correction_weights(old, behaviour, mask, options.correction, options.correction_cap)
        loss = loss * correction
    kl = None
    if options.kl_coeff:
        reference = _needed(reference_logprobs, "reference_logprobs", "a divergence")
        kl = kl_divergence(logprobs, _on(mask, reference), options.kl_estimator)
        kl = kl * ratio if options.kl_ratio else kl
        loss = loss + options.kl_coeff * kl
    if options.entropy_coeff:
        loss = loss - options.entropy_coeff * _needed(entropies, "entropies", "an entropy bonus")
    return TokenLoss(
        loss=loss * keep,
        ratio=ratio.detach() * keep,
        clipped_low=low * keep,
        clipped_high=high * keep,
        kl=None if kl is None else kl.detach() * keep,
        correction=correction,
    )


def kl_divergence(logprobs: Tensor, reference_logprobs: Tensor, estimator: KLEstimator) -> Tensor:
    """Estimates KL(pi_theta || pi_reference) from the tokens that pi_theta sampled.

    With d = log pi_reference - log pi_theta: k1 = -d (unbiased, of either sign), k2 = d^2 / 2 (biased, and the
    one whose own gradient is that of the divergence), k3 = e^d - d - 1 (unbiased, never negative). As a loss
    on-policy, k1 alone has a gradient of mean zero; use it with ``kl_ratio``.

    Args:
        logprobs: Of the policy, any shape.
        reference_logprobs: Of the reference, the same shape.
        estimator: Which of the three.

    Returns:
        A value per token.
    """
    difference = reference_logprobs - logprobs
    if estimator == "k1":
        return -difference
    if estimator == "k2":
        return 0.5 * difference.square()
    difference = difference.clamp(-_LOG_RATIO_LIMIT, _LOG_RATIO_LIMIT)
    return difference.exp() - difference - 1


@torch.no_grad()
def correction_weights(
    old_logprobs: Tensor, behaviour_logprobs: Tensor, mask: Tensor, kind: Correction, cap: float
) -> Tensor:
    """Weighs tokens for the difference between the sampler and the proximal weights.

    With rho_t = pi_old(t) / mu(t): ``token_truncate`` min(rho_t, cap) (truncated importance sampling),
    ``token_mask`` rho_t, or 0 where it exceeds the cap; the ``sequence_`` kinds do so with the product of rho_t.

    Args:
        old_logprobs: [B, T] of the proximal weights.
        behaviour_logprobs: [B, T] of the sampler.
        mask: bool [B, T].
        kind: Which weight.
        cap: Above 0.

    Returns:
        [B, T], detached, 0.0 off the mask.
    """
    log_rho = _on(mask, old_logprobs - behaviour_logprobs)
    if kind.startswith("sequence"):
        log_rho = log_rho.sum(-1, keepdim=True).expand_as(log_rho)
    rho = log_rho.clamp(-_LOG_RATIO_LIMIT, _LOG_RATIO_LIMIT).exp()
    weights = rho.clamp(max=cap) if kind.endswith("truncate") else torch.where(rho > cap, torch.zeros_like(rho), rho)
    return weights * mask


def masked_sequence_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Means over the tokens of each row.

    Args:
        values: [B, T].
        mask: bool [B, T].

    Returns:
        [B, 1]; 0.0 for rows without a token.
    """
    keep = mask.to(values.dtype)
    return (values * keep).sum(-1, keepdim=True) / keep.sum(-1, keepdim=True).clamp(min=1.0)


def _importance(log_ratio: Tensor, logprobs: Tensor, mask: Tensor, options: LossOptions) -> Tensor:
    """[B, T]: the ratio of each token, or of its sequence with the gradient of the token alone."""
    if options.surrogate != "sequence":
        return log_ratio.exp()
    sequence = masked_sequence_mean(log_ratio, mask).detach()
    return (sequence + logprobs - logprobs.detach()).exp()


def _surrogate(
    ratio: Tensor, logprobs: Tensor, advantages: Tensor, options: LossOptions
) -> tuple[Tensor, Tensor, Tensor]:
    """[B, T] each: the loss, and where the lower and the upper bound held."""
    low, high = 1 - options.clip_low, 1 + options.clip_high
    clipped = ratio.clamp(low, high)
    detached = ratio.detach()
    is_low = ((detached < low) & (advantages < 0)).to(ratio.dtype)
    is_high = ((detached > high) & (advantages > 0)).to(ratio.dtype)
    if options.surrogate == "cispo":
        return -clipped.detach() * advantages * logprobs, is_low, is_high
    bounded = ratio if options.dual_clip is None else ratio.clamp(max=options.dual_clip)
    return -torch.minimum(bounded * advantages, clipped * advantages), is_low, is_high


def _on(mask: Tensor, values: Tensor) -> Tensor:
    """Zero off the mask, whatever stood there."""
    return torch.where(mask, values, torch.zeros_like(values))


def _needed(column: Tensor | None, name: str, purpose: str) -> Tensor:
    if column is None:
        raise ValueError(f"{purpose} needs {name}, which were not given")
    return column
