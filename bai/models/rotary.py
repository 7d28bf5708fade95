"""Rotary positions (RoPE, arXiv 2104.09864), in the half-split layout of Llama and Mixtral.

Shapes: B batch, T tokens, D channels of one head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS, dynamic_rope_update

from bai.models.config import BaiMoeConfig

__all__ = ["BaiRotaryEmbedding", "rotate"]


class BaiRotaryEmbedding(nn.Module):
    """Gives the cosines and signed sines by which :func:`rotate` turns queries and keys.

    Every ``rope_type`` that transformers knows works, so a context can be stretched later by
    configuration alone. The buffers keep the names that transformers restores by after it has
    built a model on the meta device.
    """

    inv_freq: Tensor
    original_inv_freq: Tensor
    attention_scaling: float

    def __init__(self, config: BaiMoeConfig) -> None:
        super().__init__()
        self.config = config
        assert config.rope_parameters is not None
        self.rope_type: str = config.rope_parameters["rope_type"]
        self.max_seq_len_cached = self.original_max_seq_len = config.max_position_embeddings
        is_default = self.rope_type == "default"
        init = self.compute_default_rope_parameters if is_default else ROPE_INIT_FUNCTIONS[self.rope_type]
        inv_freq, self.attention_scaling = init(config)
        self.register_buffer("inv_freq", inv_freq, persistent=False)
        self.register_buffer("original_inv_freq", inv_freq.clone(), persistent=False)

    @staticmethod
    def compute_default_rope_parameters(config: BaiMoeConfig, **_: Any) -> tuple[Tensor, float]:
        """Gives the inverse frequencies [D / 2] of plain RoPE, and the factor 1."""
        assert config.head_dim is not None and config.rope_parameters is not None
        exponent = torch.arange(0, config.head_dim, 2, dtype=torch.float) / config.head_dim
        return 1.0 / config.rope_parameters["rope_theta"] ** exponent, 1.0

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves the buffers and keeps them in float32: in bf16, position 2000 would be several radians off."""
        before = self.inv_freq, self.original_inv_freq
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        after = self.inv_freq, self.original_inv_freq
        pairs = zip(before, after, strict=True)
        self.inv_freq, self.original_inv_freq = (new if old.is_meta else old.to(new.device) for old, new in pairs)
        return self

    @torch.no_grad()
    @dynamic_rope_update
    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Gives cosines and sines [B, 1, T, D] in the type of ``x``; the first half of the sines is negated."""
        angles = position_ids[:, None, :, None].float() * self.inv_freq.to(x.device)
        cos, sin = angles.cos() * self.attention_scaling, angles.sin() * self.attention_scaling
        return torch.cat((cos, cos), -1).to(x.dtype), torch.cat((-sin, sin), -1).to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns each pair of channels (i, i + D/2) of ``x`` [B, heads, T, D] by its position's angle."""
    half = x.shape[-1] // 2
    swapped = torch.cat((x[..., half:], x[..., :half]), dim=-1)
    return torch.addcmul(x * cos, swapped, sin)
