"""The attention mask of a forward.

Shapes: B batch, T new tokens, S keys (cached and new), H hidden.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.masking_utils import create_causal_mask

from bai.models.config import BaiMoeConfig

__all__ = ["causal_mask", "token_mask"]


def causal_mask(
    config: BaiMoeConfig,
    inputs_embeds: Tensor,
    attention_mask: Tensor | None,
    past_key_values: Cache | None,
    position_ids: Tensor,
) -> Any:
    """Gives the mask in the form that the chosen attention implementation wants.

    Padding on the right needs no mask beside the causal one, since no token looks to its right;
    it is left out then, which keeps the fast kernels.

    Args:
        config: Names the attention implementation.
        inputs_embeds: [B, T, H], read for shape, type and device.
        attention_mask: [B, S] true for real tokens; or [B or 1, 1, T, S], boolean (true may be
            looked at) or added to the scores, which is taken as it stands; or None.
        past_key_values: The cache, or None.
        position_ids: [B or 1, T]; without mask and cache, a fall in it starts a new sequence.

    Returns:
        A tensor, or whatever else the implementation takes, or None for plain causality.
    """
    if attention_mask is not None and attention_mask.ndim == 4:
        return _additive(config, attention_mask, inputs_embeds.dtype)
    positions: Tensor | None = position_ids
    if attention_mask is not None and _is_right_padded(attention_mask, inputs_embeds.shape[1]):
        attention_mask, positions = None, None
    mask = create_causal_mask(config, inputs_embeds, attention_mask, past_key_values, positions)
    return _open_mask(config, inputs_embeds, past_key_values) if mask is None else mask


def token_mask(attention_mask: Tensor | None, length: int) -> Tensor | None:
    """Gives [B * T] true for real tokens among the last ``length`` columns, or None if all are real or unknown."""
    if attention_mask is None or attention_mask.ndim != 2:
        return None
    return attention_mask[:, -length:].reshape(-1).bool()


def _is_right_padded(mask: Tensor, length: int) -> bool:
    """Whether a mask [B, S] without cached part has no padding before a real token."""
    if mask.shape[1] != length or length == 1 or torch.compiler.is_compiling():
        return False
    real = mask.bool()
    return not bool((real[:, 1:] & ~real[:, :-1]).any())


def _open_mask(config: BaiMoeConfig, inputs_embeds: Tensor, past_key_values: Cache | None) -> Tensor | None:
    """Gives a mask that hides nothing for a cached step on the CPU, else None.

    With a mask, transformers attends with all query heads of a key head at once, which on the
    CPU reads the cache once rather than once per query head.
    """
    if past_key_values is None or inputs_embeds.shape[1] > 1 or inputs_embeds.device.type != "cpu":
        return None
    if config._attn_implementation != "sdpa":
        return None
    keys, _ = past_key_values.get_mask_sizes(1, 0)
    return torch.ones(1, 1, 1, keys, dtype=torch.bool)


def _additive(config: BaiMoeConfig, mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Turns a boolean mask into an added one for eager attention, which knows no other."""
    if mask.dtype != torch.bool or config._attn_implementation != "eager":
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)
