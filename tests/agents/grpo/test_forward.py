"""The training forward: shared prefixes and micro-batches change nothing but the cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import bai.models
from bai.agents.grpo import columns
from bai.agents.grpo.advantages import trajectory_advantages
from bai.agents.grpo.batch import build_batch
from bai.agents.grpo.forward import can_share_prefix, find_prefix, trajectory_forward
from bai.agents.grpo.method import AdvantageOptions, BatchOptions
from bai.agents.grpo.microbatch import micro_batches

assert bai.models


def tensors(rows: list, **options: Any) -> dict[str, torch.Tensor]:
    batch = build_batch(rows, trajectory_advantages(rows, AdvantageOptions()), BatchOptions(shuffle=False), **options)
    return {name: torch.from_numpy(column) for name, column in batch.columns.items()}


def make(kind: str, moe_fields: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    if kind == "bai_moe":
        fields = {name: value for name, value in moe_fields.items() if name != "model_type"}
        config = AutoConfig.for_model("bai_moe", router_aux_loss_coef=0.01, router_z_loss_coef=0.01, **fields)
        return AutoModelForCausalLM.from_config(config)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(vocab_size=50, initializer_range=0.2, **shape))
    return AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, vocab_size=50, initializer_range=0.2, num_key_value_heads=1, **shape)
    )


def run(model: Any, batch: dict[str, torch.Tensor], **options: Any) -> tuple[Any, dict[str, torch.Tensor]]:
    """The forward and the gradients of a fixed mixture of its outputs."""
    model.zero_grad()
    result = trajectory_forward(model, batch, **options)
    generator = torch.Generator().manual_seed(0)
    mixture = torch.randn(result.logprobs.shape, generator=generator)
    (result.logprobs * mixture + result.entropies * mixture.flip(1)).sum().backward()
    return result, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("kind", ["llama", "mixtral", "bai_moe"])
def test_log_probabilities_are_those_of_the_full_logits(kind: str, groups, moe_fields) -> None:
    """Token t gets log softmax of the logits before it, divided by the temperature; its entropy likewise."""
    model, batch = make(kind, moe_fields), tensors(groups())
    result = trajectory_forward(model, batch, temperature=0.7, chunk=5)
    with torch.no_grad():
        logits = model(input_ids=batch[columns.INPUT_IDS], attention_mask=batch[columns.ATTENTION_MASK]).logits
    plain = (logits[:, :-1] / 0.7).log_softmax(-1)
    expected = plain.gather(-1, batch[columns.INPUT_IDS][:, 1:, None])[..., 0]
    mask = batch[columns.LOSS_MASK]
    torch.testing.assert_close(result.logprobs[:, 1:][mask[:, 1:]], expected[mask[:, 1:]], atol=1e-5, rtol=1e-5)
    entropies = -(plain.exp() * plain).sum(-1)
    torch.testing.assert_close(result.entropies[:, 1:][mask[:, 1:]], entropies[mask[:, 1:]], atol=1e-5, rtol=1e-5)
    assert not result.logprobs[~mask].any()


@pytest.mark.parametrize("kind", ["llama", "mixtral", "bai_moe"])
def test_sharing_the_prefix_changes_neither_values_nor_gradients(kind: str, groups, moe_fields) -> None:
    """Groups of unequal prompts and answers: shared and plain agree to 1e-5."""
    model, batch = make(kind, moe_fields), tensors(groups(count=4, size=4, seed=2))
    assert find_prefix(batch) is not None
    plain, plain_gradients = run(model, batch, share_prefix=False)
    shared, shared_gradients = run(model, batch, share_prefix=True)
    torch.testing.assert_close(shared.logprobs, plain.logprobs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(shared.entropies, plain.entropies, atol=1e-5, rtol=1e-5)
    assert plain_gradients.keys() == shared_gradients.keys()
    for name, gradient in plain_gradients.items():
        torch.testing.assert_close(shared_gradients[name], gradient, atol=1e-5, rtol=1e-4)


def test_the_prefix_ends_before_the_last_token_of_the_prompt(trajectory) -> None:
    """The last prompt token predicts the first written one, so every row computes it for itself."""
    rows = [trajectory("g", [7, 8, 9, 4], [1, 2], reward=float(i)) for i in range(3)]
    prefix = find_prefix(tensors(rows))
    assert prefix.lengths.tolist() == [3]
    assert prefix.owner.tolist() == [0, 0, 0]


def test_rows_that_differ_early_share_only_what_is_common(trajectory) -> None:
    """A group whose second turn differs shares its first observation."""
    shared = list(range(1, 21))
    rows = [trajectory("g", [*shared, 30 + i, 31], [1], reward=float(i)) for i in range(4)]
    assert find_prefix(tensors(rows)).lengths.tolist() == [20]


def test_sharing_is_left_where_it_saves_nothing(trajectory) -> None:
    """Groups of one row, or without a common token, are computed plainly."""
    lone = [trajectory(f"g{i // 2}", [1, 2, 3], [4], reward=float(i)) for i in range(4)]
    single = tensors(lone)
    single[columns.GROUP_INDEX] = torch.arange(4)
    assert find_prefix(single) is None
    apart = tensors([trajectory("g", [i, 2, 3], [4], reward=float(i)) for i in range(4)])
    assert find_prefix(apart) is None


def test_models_that_forget_do_not_share() -> None:
    """Sliding windows and recurrent layers can't hand on keys and values."""
    assert can_share_prefix(make("llama", {}))
    fields = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    sliding = AutoConfig.for_model("mistral", vocab_size=50, sliding_window=4, num_key_value_heads=1, **fields)
    assert not can_share_prefix(AutoModelForCausalLM.from_config(sliding))


def test_replayed_routes_are_exact(groups, moe_fields) -> None:
    """With the routes that a forward recorded, shared and plain forwards send every token to those experts."""
    model, rows = make("bai_moe", moe_fields), groups(count=3, size=4)
    batch = tensors(rows)
    with torch.no_grad():
        recorded = model.get_decoder()(
            input_ids=batch[columns.INPUT_IDS],
            attention_mask=batch[columns.ATTENTION_MASK],
            use_cache=False,
            record_routes=True,
        ).routes
    same = {**batch, columns.ROUTES: recorded}
    free = trajectory_forward(model, batch)
    for share in (False, True):
        replayed = trajectory_forward(model, same, share_prefix=share)
        torch.testing.assert_close(replayed.logprobs, free.logprobs, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        for layer in model.get_decoder().layers:
            layer.mlp.gate.weight.mul_(-1)
    other = trajectory_forward(model, batch)
    assert (other.logprobs - free.logprobs).abs().max() > 1e-3
    reversed_routes = {**batch, columns.ROUTES: (recorded + 1) % 4}
    plain, gradients = run(model, reversed_routes, share_prefix=False)
    shared, shared_gradients = run(model, reversed_routes, share_prefix=True)
    torch.testing.assert_close(shared.logprobs, plain.logprobs, atol=1e-5, rtol=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(shared_gradients[name], gradient, atol=1e-5, rtol=1e-4)


def test_router_losses_are_asked_for(groups, moe_fields) -> None:
    """A model with coefficients gives a positive loss with a gradient for its routers."""
    model, batch = make("bai_moe", moe_fields), tensors(groups())
    for share in (False, True):
        result = trajectory_forward(model, batch, share_prefix=share, router_loss=True)
        assert result.router_loss > 0
        model.zero_grad()
        result.router_loss.backward()
        assert model.get_decoder().layers[0].mlp.gate.weight.grad.any()


@pytest.mark.parametrize("limit", [None, 1, 40, 200])
def test_micro_batches_hold_every_row_once(limit: int | None, groups) -> None:
    """Pieces keep to the limit, are as wide as their longest row, and leave padding out."""
    rows = groups(count=3, size=3)
    batch = tensors(rows, num_learners=2)
    batch["row"] = torch.arange(len(batch[columns.INPUT_IDS]))
    seen = []
    for piece in micro_batches(batch, limit):
        B, T = piece[columns.INPUT_IDS].shape
        assert limit is None or B == 1 or limit >= B * T
        assert piece[columns.ATTENTION_MASK].sum(-1).max() == T
        assert {column.shape[1] for column in piece.values() if column.ndim > 1} == {T}
        seen += piece["row"].tolist()
    assert sorted(seen) == np.flatnonzero(batch[columns.GROUP_INDEX] >= 0).tolist()


def test_a_batch_of_padding_has_no_micro_batch(groups) -> None:
    """A learner left without rows computes nothing."""
    batch = tensors(groups())
    batch[columns.GROUP_INDEX][:] = -1
    assert list(micro_batches(batch, 100)) == []
