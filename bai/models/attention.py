"""Grouped-query self-attention, through the attention registry of transformers.

Shapes: B batch, T new tokens, S keys (cached and new), H hidden, D channels of one head.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Cache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from bai.models.config import BaiMoeConfig
from bai.models.rotary import rotate

__all__ = ["BaiAttention", "eager_attention"]


def eager_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, Tensor]:
    """Attends by plain matrix products; the only implementation that also returns its weights.

    Args:
        module: The attention layer; its ``num_key_value_groups`` query heads share a key head.
        query: [B, heads, T, D].
        key: [B, key heads, S, D].
        value: [B, key heads, S, D].
        attention_mask: Added to the scores, [B or 1, 1, T, S], or None where nothing is masked.
        scaling: Multiplies the scores.
        dropout: Probability of dropping a weight in training.

    Returns:
        The outputs [B, T, heads, D] and the weights [B, heads, T, S].
    """
    groups = cast(int, module.num_key_value_groups)
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    scores = query @ key.transpose(-1, -2) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    weights = F.dropout(weights, dropout, module.training)
    return (weights @ value).transpose(1, 2).contiguous(), weights


class BaiAttention(nn.Module):
    """Self-attention with rotary positions and fewer key than query heads.

    Args:
        config: Shape of the model.
        layer_idx: Index of the layer, which is its place in the cache.
    """

    is_causal = True

    def __init__(self, config: BaiMoeConfig, layer_idx: int) -> None:
        super().__init__()
        assert config.head_dim is not None
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.num_key_value_groups = config.num_attention_heads // config.num_key_value_heads
        self.scaling = config.head_dim**-0.5
        query_size, key_size = (n * config.head_dim for n in (config.num_attention_heads, config.num_key_value_heads))
        self.q_proj = nn.Linear(config.hidden_size, query_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, key_size, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, key_size, bias=False)
        self.o_proj = nn.Linear(query_size, config.hidden_size, bias=False)

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Attends from each token to the cached ones and to itself and those before it.

        Args:
            hidden_states: [B, T, H].
            position_embeddings: What :class:`bai.models.rotary.BaiRotaryEmbedding` gave.
            attention_mask: In the form that the chosen implementation wants.
            past_key_values: Keys and values so far; the new ones are added to it.
            **kwargs: Handed to the attention implementation.

        Returns:
            [B, T, H], and the attention weights or None.
        """
        B, T, _ = hidden_states.shape
        query, key, value = (
            proj(hidden_states).view(B, T, -1, self.head_dim).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = rotate(query, *position_embeddings), rotate(key, *position_embeddings)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention)
        output, weights = attend(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=self.config.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            **kwargs,
        )
        return self.o_proj(output.reshape(B, T, -1)), weights
