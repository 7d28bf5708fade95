"""Log-probabilities of given tokens without ever holding their logits.

The logits of a batch are its largest tensor: 0.25 MiB a token in fp32 at a vocabulary of
65,536, several times over once softmax and gradient are counted. Here the language model
head runs on slices of the positions that are asked for; backward computes each slice
again (``torch.utils.checkpoint``), so that at any time one slice's logits exist.

Shapes: B rows, T tokens of a row, N = positions asked for, H hidden, V vocabulary, L
layers, K experts a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from bai.errors import ConfigError

__all__ = ["CompletionLogprobs", "completion_logprobs", "token_logprobs"]


def token_logprobs(
    hidden: Tensor, weight: Tensor, targets: Tensor, *, temperature: float = 1.0, chunk: int = 256
) -> tuple[Tensor, Tensor]:
    """Gives the log-probability of each target and the entropy of its distribution.

    Equal to ``log_softmax((hidden @ weight.T).float() / temperature)`` at the targets, with exact
    gradients to ``hidden`` and ``weight``. Entropies carry gradients too.

    Args:
        hidden: [N, H] final hidden states.
        weight: [V, H] of the language model head.
        targets: [N] int64 in [0, V).
        temperature: Divides the logits; above 0.
        chunk: Positions whose logits exist at a time.

    Returns:
        Log-probabilities [N] and entropies [N] in nats, float32 (float64 for float64 input).

    Raises:
        ConfigError: Shapes don't fit, or a number is out of its range.
    """
    if hidden.ndim != 2 or weight.ndim != 2 or hidden.shape[1] != weight.shape[1] or len(hidden) != len(targets):
        shapes = f"{tuple(hidden.shape)}, {tuple(weight.shape)}, {tuple(targets.shape)}"
        raise ConfigError(f"expected hidden [N, H], weight [V, H] and targets [N]; got {shapes}")
    if temperature <= 0 or chunk < 1:
        raise ConfigError(f"expected temperature > 0 and chunk >= 1; got {temperature} and {chunk}")
    slices = zip(torch.split(hidden, chunk), torch.split(targets, chunk), strict=True)
    if torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad):
        parts = [checkpoint(_slice_logprobs, h, weight, t, temperature, use_reentrant=False) for h, t in slices]
    else:
        parts = [_slice_logprobs(h, weight, t, temperature) for h, t in slices]
    logprobs, entropies = zip(*parts, strict=True)
    return torch.cat(logprobs), torch.cat(entropies)


def _slice_logprobs(hidden: Tensor, weight: Tensor, targets: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    logits = hidden @ weight.t()
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()
    if temperature != 1:
        logits = logits / temperature
    logp = torch.log_softmax(logits, dim=-1)
    return logp.gather(1, targets[:, None]).squeeze(1), -(logp.exp() * logp).sum(-1)


@dataclass(frozen=True, kw_only=True)
class CompletionLogprobs:
    """What a forward over whole trajectories says about the tokens asked for."""

    logprobs: Tensor
    """[B, T] of each token given those before it; 0 where it was not asked for."""
    entropies: Tensor
    """[B, T] nats; 0 where not asked for."""
    outputs: Any
    """The base model's outputs (router statistics, for instance)."""


def completion_logprobs(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    loss_mask: Tensor,
    *,
    temperature: float = 1.0,
    chunk: int = 256,
    routes: Tensor | None = None,
    **forward: Any,
) -> CompletionLogprobs:
    """Computes log-probabilities of the masked tokens of right-padded rows.

    Runs the base model (no logits), gathers the hidden state before each masked token, and calls
    :func:`token_logprobs` on those alone.

    Args:
        model: A causal language model of transformers.
        input_ids: [B, T] int64.
        attention_mask: [B, T], 1 for tokens, 0 for padding.
        loss_mask: [B, T] bool, the tokens asked for. The first token of a row has no distribution and
            must not be among them.
        temperature: As the tokens were sampled with.
        chunk: Positions whose logits exist at a time.
        routes: [B, T, L, K] expert choices to replay, or None; needs a model that can.
        forward: Further arguments of the base model's forward.

    Raises:
        ConfigError: The mask asks for a row's first token.
    """
    if bool(loss_mask[:, 0].any()):
        raise ConfigError("the first token of a row has no log-probability; the loss mask asks for it")
    if routes is not None:
        forward["routes"] = routes
    outputs = model.get_decoder()(input_ids=input_ids, attention_mask=attention_mask, use_cache=False, **forward)
    rows, places = loss_mask.nonzero(as_tuple=True)
    hidden = outputs.last_hidden_state[rows, places - 1]
    weight = model.get_output_embeddings().weight
    logprobs, entropies = token_logprobs(hidden, weight, input_ids[rows, places], temperature=temperature, chunk=chunk)
    blank = logprobs.new_zeros(input_ids.shape)
    return CompletionLogprobs(
        logprobs=blank.index_put((rows, places), logprobs),
        entropies=blank.index_put((rows, places), entropies),
        outputs=outputs,
    )
