"""Drawing one token a row by inverse transform, from uniforms that belong to the row alone.

A row's randomness is a counter-based stream keyed by ``(seed, index)``: Philox 4x64
(Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, as numpy ships
it). The t-th token of a row uses the t-th uniform of its stream, whatever else is in the
batch and however many tokens may follow.

Shapes: B rows, V vocabulary, t tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bai.policy import Sampling

__all__ = ["Drawn", "draw", "row_uniforms"]

_MASK64 = (1 << 64) - 1


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One token a row, with what the distribution it came from says about it."""

    tokens: Tensor
    """[B] int64."""
    logprobs: Tensor
    """[B] float32, of each token after temperature and filters."""
    entropies: Tensor
    """[B] float32, nats."""


def row_uniforms(seed: int, index: int, count: int) -> NDArray[np.float64]:
    """Gives the first ``count`` uniforms in [0, 1) of the stream ``(seed, index)``.

    A longer stream starts with the shorter one. Seeds are taken modulo 2**64.
    """
    key = np.array([seed & _MASK64, index & _MASK64], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).random(count)


def draw(logits: Tensor, uniforms: Tensor, sampling: Sampling) -> Drawn:
    """Draws one token a row.

    Temperature divides the logits, then ``top_k`` and then ``top_p`` (of what ``top_k`` left) drop
    tokens, as transformers orders them; what is left is renormalised. Equal probabilities are kept in
    order of token id, so that a filter keeps exactly as many as it should. Temperature 0 takes the
    largest logit: that distribution is a point mass, with log-probability and entropy 0.

    Args:
        logits: [B, V], any float type; computed with in float32.
        uniforms: [B] in [0, 1).
        sampling: Temperature and filters.
    """
    if sampling.temperature == 0:
        tokens = logits.argmax(-1)
        zeros = torch.zeros(len(tokens), device=logits.device)
        return Drawn(tokens=tokens, logprobs=zeros, entropies=zeros)
    probs = token_probabilities(logits, sampling)
    tokens = _invert(probs, uniforms)
    logprobs = probs.gather(1, tokens[:, None]).squeeze(1).log()
    return Drawn(tokens=tokens, logprobs=logprobs, entropies=torch.special.entr(probs).sum(-1))


def token_probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """Gives the [B, V] float32 distribution that :func:`draw` samples from; temperature above 0."""
    scaled = logits.float()
    if sampling.temperature != 1:
        scaled = scaled / sampling.temperature
    probs = torch.softmax(scaled, dim=-1)
    vocabulary = probs.shape[-1]
    if 0 < sampling.top_k < vocabulary or sampling.top_p < 1:
        probs = _filter(probs, sampling.top_k or vocabulary, sampling.top_p)
    return probs


def _filter(probs: Tensor, top_k: int, top_p: float) -> Tensor:
    ordered, ids = probs.sort(dim=-1, descending=True, stable=True)
    ordered[:, top_k:] = 0
    if top_p < 1:
        ordered = ordered / ordered.sum(-1, keepdim=True)
        # What lies before a token decides: the token that crosses the bound is kept.
        before = ordered.cumsum(-1) - ordered
        ordered[before >= top_p] = 0
    ordered = ordered / ordered.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter_(1, ids, ordered)


def _invert(probs: Tensor, uniforms: Tensor) -> Tensor:
    cumulative = probs.cumsum(-1)
    total = cumulative[:, -1:]
    point = uniforms[:, None].to(total.dtype) * total
    # Rounding must not reach the total: the first sum above the point then has probability above 0.
    point = torch.minimum(point, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, point, right=True).squeeze(1)
