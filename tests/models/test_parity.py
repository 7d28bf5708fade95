"""With every option off the model is a Mixtral."""

import pytest
import torch
from transformers import DynamicCache, MixtralConfig, MixtralForCausalLM

from bai.errors import ConfigError
from bai.models.mixtral import from_mixtral, from_mixtral_config, from_mixtral_state_dict

VOCAB = 97


def _mixtral(**overrides):
    torch.manual_seed(0)
    config = MixtralConfig(
        **{
            "vocab_size": VOCAB,
            "hidden_size": 48,
            "intermediate_size": 40,
            "num_hidden_layers": 3,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "num_local_experts": 5,
            "num_experts_per_tok": 2,
            "max_position_embeddings": 64,
            "initializer_range": 0.1,
            "attn_implementation": "sdpa",
            **overrides,
        }
    )
    return MixtralForCausalLM(config).eval()


def _tokens(batch=3, length=20, seed=1):
    return torch.randint(VOCAB, (batch, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("experts", ["bai_auto", "eager", "grouped_mm", "batched_mm"])
def test_logits_equal_mixtral(attention, experts):
    """Logits equal Mixtral's on the same weights, whatever computes attention and experts."""
    theirs = _mixtral(attn_implementation=attention)
    ours = from_mixtral(theirs)
    ours.set_attn_implementation(attention)
    ours.set_experts_implementation(experts)
    tokens = _tokens()
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens).logits, theirs(tokens).logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("overrides", [{"tie_word_embeddings": True}, {"head_dim": 16}, {"num_key_value_heads": 6}])
def test_shapes_equal_mixtral(overrides):
    """Tied embeddings, heads wider than their share, and full key heads change nothing about the equality."""
    theirs = _mixtral(**overrides)
    ours, tokens = from_mixtral(theirs), _tokens()
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens).logits, theirs(tokens).logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_equals_mixtral(side):
    """With padding on either side the logits of real tokens equal Mixtral's, cached steps included."""
    theirs = _mixtral()
    ours, tokens = from_mixtral(theirs), _tokens()
    mask = torch.ones_like(tokens)
    for row, pads in enumerate((0, 4, 9)):
        mask[row, slice(None, pads) if side == "left" else slice(20 - pads, None)] = 0
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = []
    for model in (ours, theirs):
        cache = DynamicCache(config=model.config)
        with torch.no_grad():
            first = model(tokens, attention_mask=mask, position_ids=positions, past_key_values=cache).logits
            longer = torch.cat((mask, torch.ones(3, 1, dtype=mask.dtype)), 1)
            step = model(
                tokens[:, :1], attention_mask=longer, position_ids=positions[:, -1:] + 1, past_key_values=cache
            )
        logits.append((first[mask.bool()], step.logits))
    torch.testing.assert_close(logits[0], logits[1], atol=1e-5, rtol=0)


def test_gradients_equal_mixtral():
    """The loss and its gradient by every weight equal Mixtral's."""
    theirs = _mixtral()
    ours, tokens = from_mixtral(theirs), _tokens()
    losses = []
    for model in (ours, theirs):
        losses.append(model(tokens, labels=tokens).loss)
        losses[-1].backward()
    torch.testing.assert_close(losses[0], losses[1], atol=1e-5, rtol=0)
    expected = {name: weight.grad for name, weight in theirs.named_parameters()}
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name], atol=1e-5, rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}")


def test_generate_equals_mixtral():
    """Greedy generation gives Mixtral's tokens."""
    theirs = _mixtral()
    ours = from_mixtral(theirs)
    made = [
        m.generate(_tokens(2, 7), attention_mask=torch.ones(2, 7), max_new_tokens=12, do_sample=False, pad_token_id=0)
        for m in (ours, theirs)
    ]
    assert torch.equal(*made)


def test_mapping_refuses_what_it_cannot_map():
    """A sliding window, and weights of the unpacked layout, are refused in words."""
    with pytest.raises(ConfigError, match="sliding_window"):
        from_mixtral_config(MixtralConfig(sliding_window=8))
    with pytest.raises(ConfigError, match="packed experts"):
        from_mixtral_state_dict({"model.layers.0.block_sparse_moe.experts.0.w1.weight": torch.zeros(1)})
