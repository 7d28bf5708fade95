"""The training forward: log-probabilities of the tokens that the policy wrote.

Trajectories of one group begin with the same prompt. Computed row by row, a prompt of 512 tokens
with 16 completions of 64 is nine tenths prompt; here the prompt runs once, its keys and values
are spread over the group's rows, and only what follows runs for each row. Attention sees the
very keys it would have seen, so values and gradients are those of the plain way up to rounding;
the gradient of the shared part gathers the rows' gradients as it flows back through the spread.

Shapes: B rows, T tokens, G groups, P tokens of the longest shared prefix, S tokens of the longest
remainder, H hidden, L layers, K experts a token is sent to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bai.agents.grpo import columns
from bai.models.logprobs import token_logprobs

__all__ = ["Prefix", "TrajectoryForward", "can_share_prefix", "find_prefix", "trajectory_forward"]

_WORTHWHILE = 0.9
"""Sharing is used where it computes at most this share of the plain way's padded tokens."""


@dataclass(frozen=True, kw_only=True)
class TrajectoryForward:
    """What one forward says about the policy's tokens."""

    logprobs: Tensor
    """[B, T]; 0.0 off the loss mask."""
    entropies: Tensor
    """[B, T] in nats; 0.0 off the loss mask."""
    router_loss: Tensor | None
    """Balance and z-losses times their coefficients, or None for a model without them."""


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """Which tokens of a batch are shared."""

    leaders: Tensor
    """[G] the row that stands for each group's prefix."""
    owner: Tensor
    """[B] the group of each row, in 0..G-1."""
    lengths: Tensor
    """[G] shared tokens; each at least 1, and the last token before the first of the loss is never among them."""


def trajectory_forward(
    model: Any,
    batch: Mapping[str, Tensor],
    *,
    temperature: float = 1.0,
    chunk: int = 1024,
    share_prefix: bool = False,
    router_loss: bool = False,
) -> TrajectoryForward:
    """Computes the log-probability and the entropy of every token of the loss.

    Args:
        model: A causal language model of transformers.
        batch: Columns of :mod:`bai.agents.grpo.columns`; routes are replayed where there are any.
        temperature: Divides the logits.
        chunk: Positions whose logits are held at once.
        share_prefix: Whether to compute common prefixes once, where that saves work.
        router_loss: Whether to ask the model for its balance losses.
    """
    prefix = find_prefix(batch) if share_prefix else None
    if prefix is None:
        hidden, extra = _plain(model, batch, router_loss)
        offset = torch.zeros_like(batch[columns.INPUT_IDS][:, :1])
    else:
        hidden, extra = _shared(model, batch, prefix, router_loss)
        offset = prefix.lengths[prefix.owner][:, None]
    rows, places = batch[columns.LOSS_MASK].nonzero(as_tuple=True)
    before = hidden[rows, places - 1 - offset[rows, 0]]
    logprobs, entropies = token_logprobs(
        before,
        model.get_output_embeddings().weight,
        batch[columns.INPUT_IDS][rows, places],
        temperature=temperature,
        chunk=chunk,
    )
    blank = logprobs.new_zeros(batch[columns.INPUT_IDS].shape)
    return TrajectoryForward(
        logprobs=blank.index_put((rows, places), logprobs),
        entropies=blank.index_put((rows, places), entropies),
        router_loss=extra,
    )


def can_share_prefix(model: Any) -> bool:
    """Whether every layer of a model attends to all tokens before, so that keys and values can be handed on."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return False
    return set(kinds) == {"full_attention"} and not getattr(model, "_is_stateful", False)


def find_prefix(batch: Mapping[str, Tensor]) -> Prefix | None:
    """Finds what the rows of each group share, up to the token before the first of the loss.

    Args:
        batch: Columns of :mod:`bai.agents.grpo.columns`.

    Returns:
        None where a group shares nothing or where sharing would not save work.
    """
    ids, loss_mask = batch[columns.INPUT_IDS], batch[columns.LOSS_MASK]
    numbers, owner = torch.unique(batch[columns.GROUP_INDEX], return_inverse=True)
    B, T = ids.shape
    positions = torch.arange(B, device=ids.device)
    leaders = torch.full_like(numbers, B).scatter_reduce(0, owner, positions, "amin")
    same = (ids == ids[leaders[owner]]).long().cumprod(-1).sum(-1)
    first = torch.where(loss_mask.any(-1), loss_mask.long().argmax(-1), T)
    common = torch.minimum(same, first - 1)
    lengths = torch.full_like(numbers, T).scatter_reduce(0, owner, common, "amin")
    if int(lengths.min()) < 1:
        return None
    remainder = int((batch[columns.ATTENTION_MASK].sum(-1) - lengths[owner]).max())
    computed = len(numbers) * int(lengths.max()) + B * remainder
    if computed > _WORTHWHILE * B * T:
        return None
    return Prefix(leaders=leaders, owner=owner, lengths=lengths)


def _plain(model: Any, batch: Mapping[str, Tensor], router_loss: bool) -> tuple[Tensor, Tensor | None]:
    """[B, T, H] last hidden states, and the router's losses."""
    outputs = model.get_decoder()(
        input_ids=batch[columns.INPUT_IDS],
        attention_mask=batch[columns.ATTENTION_MASK],
        use_cache=False,
        **_options(batch.get(columns.ROUTES), router_loss),
    )
    return outputs.last_hidden_state, _router_loss(model, outputs) if router_loss else None


def _shared(model: Any, batch: Mapping[str, Tensor], prefix: Prefix, router_loss: bool) -> tuple[Tensor, Tensor | None]:
    """[B, S, H] last hidden states of each row's remainder, and the router's losses."""
    from transformers import DynamicCache

    ids, mask, routes = batch[columns.INPUT_IDS], batch[columns.ATTENTION_MASK], batch.get(columns.ROUTES)
    P = int(prefix.lengths.max())
    starts = prefix.lengths[prefix.owner][:, None]
    steps = torch.arange(P, device=ids.device)[None]
    prefix_mask = (steps < prefix.lengths[:, None]).to(mask.dtype)
    leaders = prefix.leaders
    cache = DynamicCache(config=model.config)
    prompts = model.get_decoder()(
        input_ids=ids[leaders, :P] * prefix_mask,
        attention_mask=prefix_mask,
        position_ids=steps,
        past_key_values=cache,
        use_cache=True,
        **_options(None if routes is None else routes[leaders, :P], router_loss),
    )
    cache.batch_select_indices(prefix.owner)
    S = int((mask.sum(-1, keepdim=True) - starts).max())
    places = starts + torch.arange(S, device=ids.device)[None]
    inside = places.clamp(max=ids.shape[1] - 1)
    rest_mask = mask.gather(1, inside) * (places < ids.shape[1])
    outputs = model.get_decoder()(
        input_ids=ids.gather(1, inside),
        attention_mask=torch.cat([prefix_mask[prefix.owner], rest_mask], dim=1),
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
        **_options(None if routes is None else _gather_routes(routes, inside), router_loss),
    )
    if not router_loss:
        return outputs.last_hidden_state, None
    share = float((starts.sum() / mask.sum()).item())
    extra = share * _router_loss(model, prompts) + (1 - share) * _router_loss(model, outputs)
    return outputs.last_hidden_state, extra


def _options(routes: Tensor | None, router_loss: bool) -> dict[str, Any]:
    options: dict[str, Any] = {} if routes is None else {"routes": routes}
    return {**options, "output_router_logits": True} if router_loss else options


def _gather_routes(routes: Tensor, places: Tensor) -> Tensor:
    """[B, S, L, K] of [B, T, L, K]."""
    rows = torch.arange(len(routes), device=routes.device)[:, None]
    return routes[rows, places]


def _router_loss(model: Any, outputs: Any) -> Tensor:
    zero: Tensor = outputs.last_hidden_state.new_zeros((), dtype=torch.float32)
    loss: Tensor = model.add_router_losses(zero, outputs)
    return loss
