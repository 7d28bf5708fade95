"""AdamW with groups for weight decay, its schedule, and gradients gathered over learners."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bai.agents.grpo.method import OptimizerOptions

__all__ = ["average_gradients", "gradient_norm", "learning_rate", "make_optimizer"]

_BUCKET = 2**24
"""Gradient values sent to the other learners at once (64 MiB of float32)."""


def make_optimizer(parameters: Iterable[nn.Parameter], options: OptimizerOptions) -> torch.optim.AdamW:
    """Makes AdamW; matrices and expert stacks decay, vectors (norms, biases) don't.

    Args:
        parameters: Those to train.
        options: Rates.
    """
    trained = list(parameters)
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": options.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=learning_rate(0, options),
        betas=(options.beta1, options.beta2),
        eps=options.epsilon,
    )


def learning_rate(step: int, options: OptimizerOptions) -> float:
    """Gives the learning rate of an optimizer step.

    Args:
        step: Steps taken before it, from 0.
        options: Peak and shape.
    """
    if step < options.warmup_steps:
        return options.lr * (step + 1) / options.warmup_steps
    if options.schedule == "constant" or options.total_steps is None:
        return options.lr
    progress = min(1.0, (step - options.warmup_steps) / (options.total_steps - options.warmup_steps))
    fall = 1 - progress if options.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
    return options.lr * (options.final_fraction + (1 - options.final_fraction) * fall)


@torch.no_grad()
def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Averages gradients over all learners, in place; a missing gradient counts as zero.

    Unlike hooks in the backward pass, this asks for one exchange a step whatever number of micro-batches
    each learner needed and whichever experts they reached.

    Args:
        parameters: The same ones in the same order on every learner.
    """
    world = dist.get_world_size()
    for bucket in _buckets(parameters):
        for parameter in bucket:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in bucket if p.grad is not None]
        flat = torch.cat([gradient.float().reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        means = torch.split(flat / world, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    bucket: list[nn.Parameter] = []
    size = 0
    for parameter in parameters:
        if bucket and size + parameter.numel() > _BUCKET:
            yield bucket
            bucket, size = [], 0
        bucket.append(parameter)
        size += parameter.numel()
    if bucket:
        yield bucket


def gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """Gives the global norm of all gradients."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)
