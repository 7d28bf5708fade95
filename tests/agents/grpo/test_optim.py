"""The schedule by hand, groups of weight decay, and gradients averaged over processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bai.agents.grpo.measures import Measures
from bai.agents.grpo.method import OptimizerOptions
from bai.agents.grpo.optim import average_gradients, gradient_norm, learning_rate, make_optimizer
from bai.errors import ConfigError


def test_the_schedules_by_hand() -> None:
    """Two steps of warm-up, then a fall over eight steps to a tenth of the peak."""
    common = {"lr": 1.0, "warmup_steps": 2, "total_steps": 10, "final_fraction": 0.1}
    linear = OptimizerOptions(schedule="linear", **common)
    cosine = OptimizerOptions(schedule="cosine", **common)
    constant = OptimizerOptions(lr=1.0, warmup_steps=2)
    for options in (linear, cosine, constant):
        assert [learning_rate(step, options) for step in (0, 1, 2)] == [0.5, 1.0, 1.0]
    assert learning_rate(6, linear) == pytest.approx(0.55)
    assert learning_rate(6, cosine) == pytest.approx(0.55)
    assert learning_rate(4, cosine) > learning_rate(4, linear)
    assert learning_rate(10, linear) == learning_rate(99, cosine) == pytest.approx(0.1)
    assert learning_rate(99, constant) == 1.0


@given(st.integers(0, 50), st.integers(0, 20), st.integers(21, 60), st.sampled_from(["linear", "cosine"]))
def test_a_schedule_never_rises_after_its_warm_up(step: int, warmup: int, total: int, shape: str) -> None:
    """Rates stay within the peak and fall from step to step."""
    options = OptimizerOptions(lr=0.3, schedule=shape, warmup_steps=warmup, total_steps=total)
    rate, following = learning_rate(step, options), learning_rate(step + 1, options)
    assert 0 <= rate <= 0.3
    assert step < warmup or following <= rate + 1e-12


def test_vectors_do_not_decay() -> None:
    """Matrices and stacks of experts are in one group with decay, norms and biases in one without."""
    parameters = [nn.Parameter(torch.ones(*shape)) for shape in ((2, 3), (4, 2, 3), (3,), (5,))]
    optimizer = make_optimizer(parameters, OptimizerOptions(lr=0.1, weight_decay=0.5))
    groups = {group["weight_decay"]: [tuple(p.shape) for p in group["params"]] for group in optimizer.param_groups}
    assert groups == {0.5: [(2, 3), (4, 2, 3)], 0.0: [(3,), (5,)]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": -1.0},
        {"schedule": "step"},
        {"schedule": "linear"},
        {"schedule": "cosine", "total_steps": 3, "warmup_steps": 3},
        {"final_fraction": 1.5},
        {"beta1": 1.0},
        {"max_grad_norm": 0.0},
    ],
)
def test_wrong_options_are_refused(wrong: dict) -> None:
    """Options out of range raise ConfigError."""
    with pytest.raises(ConfigError):
        OptimizerOptions(**wrong)


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(1))]
    parameters[0].grad = torch.full((3,), float(rank + 1))
    if rank:
        parameters[1].grad = torch.full((2, 2), 4.0)
    average_gradients(parameters)
    assert [p.grad.flatten()[0].item() for p in parameters] == [1.5, 2.0, 0.0]
    assert gradient_norm(parameters).item() == pytest.approx((3 * 1.5**2 + 4 * 2.0**2) ** 0.5)
    measures = Measures()
    if rank == 0:
        measures.add("entropy", 6.0, 3)
        measures.widen("policy_ratio", 0.5, 1.0)
    else:
        measures.add("entropy", 2.0, 1)
        measures.add("kl", 1.0, 2)
        measures.widen("policy_ratio", 0.9, 3.0)
    measures.reduce_over_learners(torch.device("cpu"))
    assert measures.values() == {"entropy": 2.0, "kl": 0.5, "policy_ratio_min": 0.5, "policy_ratio_max": 3.0}
    dist.destroy_process_group()


@pytest.mark.slow
def test_processes_average_gradients_and_add_measures(tmp_path: Path) -> None:
    """A gradient that one process lacks counts as zero; means are weighed by their counts."""
    mp.spawn(_process, args=(str(tmp_path),), nprocs=2)
