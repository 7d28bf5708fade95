"""Attention to a prefix that a family of rows shares, and to what each row has of its own.

The prefix's keys exist once. All queries of a family meet them in one matrix product,
where a repeated cache would read a copy for every row; the row's own part is attended
apart, and the two halves are joined by their log-sum-exps. That is exact: softmax over a
union is the mean of the softmaxes over its parts, weighted by their partition sums
(as in Hydragen, arXiv 2402.05099; there on a GPU and without remainders or ragged groups).

Shapes: F families, M most rows of a family, B rows, T new tokens, Q query heads, H key
heads, X = Q / H * T queries that share a key head, S prefix tokens, t own tokens, D
channels of one head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, Cache
from transformers.cache_utils import DynamicLayer

from bai.errors import ConfigError

__all__ = ["ATTENTION", "OwnLayer", "Shared", "attend", "shared_prefix_attention"]

ATTENTION = "bai_shared_prefix"
"""Name in transformers' attention registry. It has no entry in the mask registry on purpose: models
then build no mask, and this module applies its own."""

_UNSUPPORTED = ("softcap", "s_aux", "position_bias")
"""Arguments that change scores; a model that passes one needs another batch."""


class OwnLayer(DynamicLayer):
    """One layer's keys and values of the rows' own tokens, in memory taken once.

    Appending writes in place, where the layer it stands in for copies all it has.

    Args:
        room: Most tokens it will hold.
    """

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room
        self._length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        B, H, _, D = key_states.shape
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = key_states.new_empty(B, H, self._room, D)
        self.values = value_states.new_empty(B, H, self._room, value_states.shape[-1])
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Appends [B, H, T, D]; gives all [B, H, t, D] as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self._length = self._length, self._length + key_states.shape[-2]
        self.keys[:, :, start : self._length] = key_states
        self.values[:, :, start : self._length] = value_states
        return self.keys[:, :, : self._length], self.values[:, :, : self._length]

    def get_seq_length(self) -> int:
        return self._length

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps these rows; copies what is filled alone."""
        if not self.is_initialized:
            return
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = old.new_empty(len(indices), *old.shape[1:])
            torch.index_select(old[:, :, : self._length], 0, indices, out=new[:, :, : self._length])
            setattr(self, name, new)


@dataclass(eq=False)
class Shared:
    """What a forward needs beside the rows' own cache."""

    keys: list[Tensor]
    """For each layer [F, H, S, D]."""
    values: list[Tensor]
    """For each layer [F, H, S, D]."""
    own: Cache
    """Of :class:`OwnLayer`."""
    prefix_bias: Tensor | None = None
    """[F, 1, 1, S] added to scores, -inf on padding; None where no prefix is padded."""
    own_bias: Tensor | None = None
    """[B, 1, T, t] added to scores, for remainders and their padding; None where all may be seen."""
    slots: Tensor | None = None
    """[F, M] the row at each place of a family (any row where it has fewer), or None if rows fill it."""
    places: Tensor | None = None
    """[B] the place of each row in the flattened ``slots``; None where ``slots`` is."""


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    """Attends, and gives the log-sum-exp of the scores along.

    Args:
        query: [B, H, X, D].
        key: [B, H, t, D].
        value: [B, H, t, D].
        bias: Added to the scores, broadcast over heads, or None. No row may be masked throughout.
        scale: Multiplies the scores.

    Returns:
        [B, H, X, D] and [B, H, X].
    """
    if query.device.type == "cpu":
        mask = None if bias is None else bias.to(query.dtype).expand(len(query), 1, query.shape[2], key.shape[2])
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        output, partition = flash(query, key, value, attn_mask=mask, scale=scale)
        return output, partition
    scores = (query @ key.transpose(-1, -2)).float() * scale
    if bias is not None:
        scores = scores + bias
    partition = scores.logsumexp(-1)
    return (scores - partition[..., None]).exp().to(value.dtype) @ value, partition


def shared_prefix_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    shared: Shared,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attends to a shared prefix and to the rows' own tokens; an attention function of transformers.

    Args:
        module: The attention layer; its ``layer_idx`` says which prefix keys are meant.
        query: [B, Q, T, D].
        key: [B, H, t, D] the rows' own keys, the new ones last.
        value: [B, H, t, D].
        attention_mask: Ignored; ``shared`` holds what is masked.
        shared: The prefix and how rows belong to it.
        scaling: Multiplies the scores; None for D ** -0.5.
        options: What else models pass; anything that would change scores is refused.

    Returns:
        [B, T, Q, D], and None for the weights.

    Raises:
        ConfigError: The model wants scores changed in a way this does not know.
    """
    wanted = [name for name in _UNSUPPORTED if options.get(name) is not None]
    if wanted:
        raise ConfigError(f"shared-prefix decoding does not support {', '.join(wanted)}")
    B, Q, T, D = query.shape
    H = key.shape[1]
    scale = D**-0.5 if scaling is None else scaling
    packed = query.reshape(B, H, Q // H * T, D)
    bias = shared.own_bias
    if bias is not None and T > 1:
        bias = bias.repeat(1, 1, Q // H, 1)
    own, own_partition = attend(packed, key, value, bias, scale)
    prefix, prefix_partition = _attend_prefix(packed, shared, module.layer_idx, scale)
    weight = torch.sigmoid(prefix_partition - own_partition)[..., None].to(own.dtype)
    output = torch.lerp(own, prefix, weight).reshape(B, Q, T, D)
    return output.transpose(1, 2), None


def _attend_prefix(packed: Tensor, shared: Shared, layer: int, scale: float) -> tuple[Tensor, Tensor]:
    """[B, H, X, D] and [B, H, X] of the prefix; rows are laid out by family and back."""
    key, value = shared.keys[layer], shared.values[layer]
    (_, H, X, D), F = packed.shape, len(key)
    rows = packed if shared.slots is None else packed[shared.slots.flatten()]
    M = len(rows) // F
    by_family = rows.view(F, M, H, X, D).transpose(1, 2).reshape(F, H, M * X, D)
    output, partition = attend(by_family, key, value, shared.prefix_bias, scale)
    output = output.view(F, H, M, X, -1).transpose(1, 2).reshape(F * M, H, X, -1)
    partition = partition.view(F, H, M, X).transpose(1, 2).reshape(F * M, H, X)
    return (output, partition) if shared.places is None else (output[shared.places], partition[shared.places])


AttentionInterface.register(ATTENTION, shared_prefix_attention)
