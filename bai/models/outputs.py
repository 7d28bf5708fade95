"""What the models return: the outputs of transformers' mixtures of experts, and routes.

Shapes: B batch, T tokens, L layers, K experts a token is sent to.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast

__all__ = ["BaiMoeCausalLMOutput", "BaiMoeModelOutput"]


@dataclass
class BaiMoeModelOutput(MoeModelOutputWithPast):
    """The outputs of :class:`bai.models.BaiMoeModel`."""

    routes: Tensor | None = None
    """[B, T, L, K] uint8 experts of each token, if they were asked for."""
    aux_loss: Tensor | None = None
    """The balance loss of all layers, if router logits were asked for; 1 is perfect balance."""
    z_loss: Tensor | None = None
    """The router z-loss of all layers, if router logits were asked for."""


@dataclass
class BaiMoeCausalLMOutput(MoeCausalLMOutputWithPast):
    """The outputs of :class:`bai.models.BaiMoeForCausalLM`; ``aux_loss`` is 1 under perfect balance."""

    routes: Tensor | None = None
    """[B, T, L, K] uint8 experts of each token, if they were asked for."""
    z_loss: Tensor | None = None
    """The router z-loss of all layers, if router logits were asked for."""
