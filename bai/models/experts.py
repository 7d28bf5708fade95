"""The experts of one layer, packed into two tensors, and how their products are computed.

Shapes: N tokens, H hidden, I inside one expert, E experts, K experts a token is sent to.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.activations import ACT2FN
from transformers.integrations import use_experts_implementation
from transformers.integrations.moe import (
    ExpertsInterface,
    batched_mm_experts_forward,
    grouped_mm_experts_forward,
)

from bai.models.config import BaiMoeConfig

__all__ = ["AUTO_EXPERTS", "BaiExperts"]

AUTO_EXPERTS = "bai_auto"


@use_experts_implementation
class BaiExperts(nn.Module):
    """Gated feed-forward experts in the packed layout that transformers and PEFT know.

    ``gate_up_proj`` is [E, 2 I, H], gates first; ``down_proj`` is [E, H, I]. The decorator lets
    ``config.experts_implementation`` swap the computation; the method below is ``eager``.

    Args:
        config: Shape of the model.
    """

    def __init__(self, config: BaiMoeConfig) -> None:
        super().__init__()
        E, H, inner = config.num_local_experts, config.hidden_size, config.intermediate_size
        self.num_experts = E
        self.gate_up_proj = nn.Parameter(torch.empty(E, 2 * inner, H))
        self.down_proj = nn.Parameter(torch.empty(E, H, inner))
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, hidden_states: Tensor, top_k_index: Tensor, top_k_weights: Tensor) -> Tensor:
        """Sums each token's chosen experts.

        Args:
            hidden_states: [N, H].
            top_k_index: [N, K] experts.
            top_k_weights: [N, K] their weights.

        Returns:
            [N, H] in the type of ``hidden_states``.
        """
        output: Tensor = torch.zeros_like(hidden_states)
        for expert in range(self.num_experts):
            token, place = torch.where(top_k_index == expert)
            gate, up = F.linear(hidden_states[token], self.gate_up_proj[expert]).chunk(2, dim=-1)
            part = F.linear(self.act_fn(gate) * up, self.down_proj[expert])
            output.index_add_(0, token, (part * top_k_weights[token, place, None]).to(output.dtype))
        return output


def _auto(self: BaiExperts, hidden_states: Tensor, top_k_index: Tensor, top_k_weights: Tensor) -> Tensor:
    """Takes whichever computation is fastest for the device and the number of tokens.

    On the CPU few tokens go through all experts at once, which costs more products but a fifth
    of the calls; more are sorted. On others the two of transformers are taken in the same way.
    """
    N, K = top_k_index.shape
    if hidden_states.device.type == "cpu" and not self._is_expert_parallel:
        few = N <= _FEW_TOKENS and self.num_experts <= N * K
        return (_dense if few else _sorted)(self, hidden_states, top_k_index, top_k_weights)
    chosen = batched_mm_experts_forward if N <= _FEW_TOKENS else grouped_mm_experts_forward
    return cast(Tensor, chosen(self, hidden_states, top_k_index, top_k_weights))


_FEW_TOKENS = 32  # where the two cross at the nano shape, on one thread and on two


def _dense(self: BaiExperts, hidden_states: Tensor, top_k_index: Tensor, top_k_weights: Tensor) -> Tensor:
    """Sends all tokens through all experts, those not chosen with weight 0."""
    weights = top_k_weights.new_zeros(hidden_states.shape[0], self.num_experts)
    weights = weights.scatter_add(1, top_k_index, top_k_weights)
    gate, up = torch.matmul(hidden_states, self.gate_up_proj.transpose(1, 2)).chunk(2, dim=-1)
    inner = self.act_fn(gate) * up * weights.t()[:, :, None].to(up.dtype)  # [E, N, I]
    return torch.bmm(inner, self.down_proj.transpose(1, 2)).sum(dim=0)


def _sorted(self: BaiExperts, hidden_states: Tensor, top_k_index: Tensor, top_k_weights: Tensor) -> Tensor:
    """Sorts token-expert pairs by expert, so that each expert works on one slice."""
    flat = top_k_index.reshape(-1)
    order = flat.argsort(stable=True)
    counts = torch.bincount(flat, minlength=self.num_experts).tolist()
    token = torch.div(order, top_k_index.shape[1], rounding_mode="floor")
    weights = top_k_weights.reshape(-1).index_select(0, order)[:, None].to(hidden_states.dtype)
    inputs = hidden_states.index_select(0, token)
    parts = []
    for x, weight, gate_up, down in zip(
        torch.split(inputs, counts),
        torch.split(weights, counts),
        self.gate_up_proj.unbind(0),  # one gradient for all experts; indexing makes a full one for each
        self.down_proj.unbind(0),
        strict=True,
    ):
        gate, up = F.linear(x, gate_up).chunk(2, dim=-1)
        parts.append(F.linear(self.act_fn(gate) * up * weight, down))
    return torch.zeros_like(hidden_states).index_add_(0, token, torch.cat(parts).to(hidden_states.dtype))


ExpertsInterface.register(AUTO_EXPERTS, _auto)
