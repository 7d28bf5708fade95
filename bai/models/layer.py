"""One decoder layer: attention, then the mixture of experts, each with its norm and residual.

Shapes: B batch, T tokens, H hidden, E experts.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import Cache
from transformers.modeling_layers import GradientCheckpointingLayer

from bai.models.attention import BaiAttention
from bai.models.config import BaiMoeConfig
from bai.models.experts import BaiExperts
from bai.models.norm import BaiRMSNorm
from bai.models.router import BaiRouter, Route

__all__ = ["BaiDecoderLayer", "BaiMoeBlock"]


class BaiMoeBlock(nn.Module):
    """A router and its experts.

    Args:
        config: Shape of the model.
    """

    def __init__(self, config: BaiMoeConfig) -> None:
        super().__init__()
        self.gate = BaiRouter(config)
        self.experts = BaiExperts(config)

    def forward(self, hidden_states: Tensor, route: Route) -> tuple[Tensor, Tensor]:
        """Sends each token of [B, T, H] through its experts; gives [B, T, H] and router scores [B * T, E]."""
        x = hidden_states.reshape(-1, hidden_states.shape[-1])
        logits, weights, experts = self.gate(x, route)
        return self.experts(x, experts, weights).view_as(hidden_states), logits


class BaiDecoderLayer(GradientCheckpointingLayer):
    """Attention and experts, both pre-normalised.

    Args:
        config: Shape of the model.
        layer_idx: Index of the layer.
    """

    def __init__(self, config: BaiMoeConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = BaiAttention(config, layer_idx)
        self.mlp = BaiMoeBlock(config)
        self.input_layernorm = BaiRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = BaiRMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        *,
        route: Route,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Gives the next hidden states [B, T, H] and this layer's router scores [B * T, E] in float32."""
        attended, _ = self.self_attn(
            self.input_layernorm(hidden_states), position_embeddings, attention_mask, past_key_values, **kwargs
        )
        hidden_states = hidden_states + attended
        mixed, logits = self.mlp(self.post_attention_layernorm(hidden_states), route)
        return hidden_states + mixed, logits
