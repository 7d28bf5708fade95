"""Chunked log-probabilities equal plain ones, in value and in gradient."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from bai.errors import ConfigError
from bai.models import BaiMoeForCausalLM, preset
from bai.models.logprobs import completion_logprobs, token_logprobs

SHAPE = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}


def plain(hidden, weight, targets, temperature):
    """The definition, with the whole table at once."""
    table = ((hidden @ weight.t()) / temperature).log_softmax(-1)
    return table.gather(1, targets[:, None]).squeeze(1), -(table.exp() * table).sum(-1)


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 50), st.floats(0.2, 3), st.integers(0, 1000))
def test_values_and_gradients_are_exact(count, chunk, temperature, seed):
    """In float64 to 1e-10, whatever the chunk, gradients through entropies included."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(count, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(17, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(17, (count,), generator=generator)
    mix = torch.randn(2, count, generator=generator, dtype=torch.float64)
    gradients = []
    for logprobs, entropies in (
        token_logprobs(hidden, weight, targets, temperature=temperature, chunk=chunk),
        plain(hidden, weight, targets, temperature),
    ):
        loss = (mix[0] * logprobs + mix[1] * entropies).sum()
        gradients.append((logprobs, entropies, *torch.autograd.grad(loss, (hidden, weight))))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


def test_float32_gradients_are_within_1e_5():
    """At a larger vocabulary in float32."""
    torch.manual_seed(0)
    hidden, weight = torch.randn(300, 32, requires_grad=True), (0.1 * torch.randn(5000, 32)).requires_grad_()
    targets = torch.randint(5000, (300,))
    ours = torch.autograd.grad(token_logprobs(hidden, weight, targets, chunk=64)[0].mean(), (hidden, weight))
    theirs = torch.autograd.grad(plain(hidden, weight, targets, 1.0)[0].mean(), (hidden, weight))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_half_precision_is_summed_in_float32():
    """bfloat16 hidden states give float32 results near those of float32."""
    torch.manual_seed(0)
    hidden, weight, targets = torch.randn(20, 16), torch.randn(50, 16), torch.randint(50, (20,))
    exact, _ = token_logprobs(hidden.bfloat16().float(), weight.bfloat16().float(), targets)
    half, _ = token_logprobs(hidden.bfloat16(), weight.bfloat16(), targets)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, atol=0.1, rtol=0.02)


def test_nothing_asked_for_gives_nothing():
    """No position is a legal question."""
    logprobs, entropies = token_logprobs(torch.zeros(0, 4), torch.zeros(9, 4), torch.zeros(0, dtype=torch.long))
    assert logprobs.shape == entropies.shape == (0,)


def _batch():
    ids = torch.randint(300, (3, 12), generator=torch.Generator().manual_seed(1))
    attention = torch.tensor([[1] * 12, [1] * 7 + [0] * 5, [1] * 10 + [0] * 2])
    mask = torch.zeros(3, 12, dtype=torch.bool)
    mask[0, 4:9], mask[1, 3:7], mask[2, [2, 9]] = True, True, True
    return ids, attention, mask


@pytest.mark.parametrize("family", ["llama", "bai"])
def test_completions_equal_the_models_own_logits(family):
    """Only masked tokens get values, those of a whole forward of each row alone; padding is inert."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SHAPE)) if family == "llama" else BaiMoeForCausalLM(preset("nano", **SHAPE))
    model.eval()
    ids, attention, mask = _batch()
    result = completion_logprobs(model, ids, attention, mask, temperature=0.8, chunk=4)
    for row in range(len(ids)):
        length = int(attention[row].sum())
        table = (model(ids[row : row + 1, :length]).logits[0] / 0.8).log_softmax(-1)
        expected = torch.zeros(12)
        for place in mask[row].nonzero().flatten().tolist():
            expected[place] = table[place - 1, ids[row, place]]
        torch.testing.assert_close(result.logprobs[row], expected, atol=1e-5, rtol=1e-5)
    assert (result.entropies[~mask] == 0).all()
    assert (result.entropies[mask] > 0).all()


def test_routes_are_replayed():
    """With recorded routes the values are the recorded ones; with others they differ."""
    torch.manual_seed(0)
    model = BaiMoeForCausalLM(preset("nano", **SHAPE)).eval()
    ids, attention, mask = _batch()
    routes = model(ids, record_routes=True).routes
    usual = completion_logprobs(model, ids, attention, mask).logprobs
    replayed = completion_logprobs(model, ids, attention, mask, routes=routes).logprobs
    torch.testing.assert_close(replayed, usual, atol=1e-6, rtol=1e-6)
    other = completion_logprobs(model, ids, attention, mask, routes=(routes + 1) % 4).logprobs
    assert (other - usual).abs().max() > 1e-4


def test_bad_input_is_refused():
    """Shapes and ranges are checked, and a row's first token has no distribution."""
    with pytest.raises(ConfigError, match=r"weight \[V, H\]"):
        token_logprobs(torch.zeros(2, 3), torch.zeros(5, 4), torch.zeros(2, dtype=torch.long))
    with pytest.raises(ConfigError, match="temperature"):
        token_logprobs(torch.zeros(2, 3), torch.zeros(5, 3), torch.zeros(2, dtype=torch.long), temperature=0)
    model = LlamaForCausalLM(LlamaConfig(**SHAPE))
    ids = torch.zeros(1, 4, dtype=torch.long)
    with pytest.raises(ConfigError, match="first token"):
        completion_logprobs(model, ids, torch.ones_like(ids), torch.ones(1, 4, dtype=torch.bool))
