"""Root-mean-square normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["BaiRMSNorm"]


class BaiRMSNorm(nn.Module):
    """Scales each vector to unit root mean square, then by a learned weight per channel.

    Statistics are taken in float32 whatever the input (arXiv 1910.07467).

    Args:
        size: Channels of the last dimension.
        eps: Added to the mean square.
    """

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.weight.numel()}, eps={self.eps}"
