"""The model is a good citizen of transformers."""

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModel, AutoModelForCausalLM, DynamicCache

from bai.errors import ConfigError
from bai.models import BaiMoeConfig, BaiMoeForCausalLM, BaiMoeModel

VOCAB = 67


def _model(seed=0, **overrides):
    torch.manual_seed(seed)
    fields = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "initializer_range": 0.2,
        "pad_token_id": 0,
        **overrides,
    }
    return BaiMoeForCausalLM(BaiMoeConfig(**fields)).eval()


def _tokens(batch=2, length=10, seed=1):
    return torch.randint(1, VOCAB, (batch, length), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def model():
    return _model()


@pytest.mark.parametrize("tied", [False, True])
def test_save_and_load(tied, tmp_path):
    """AutoModelForCausalLM loads what was saved, bit for bit, tied embeddings written once."""
    model, tokens = _model(tie_word_embeddings=tied), _tokens()
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(loaded) is BaiMoeForCausalLM
    assert torch.equal(loaded(tokens).logits, model(tokens).logits)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert ("lm_head.weight" in file.keys()) is not tied  # noqa: SIM118 - not a mapping
    assert (loaded.lm_head.weight is loaded.model.embed_tokens.weight) is tied


def test_bfloat16_round_trip(tmp_path):
    """Weights saved in bf16 load in bf16, route in fp32, and load into fp32 as the same values."""
    model, tokens = _model().to(torch.bfloat16), _tokens()
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert loaded.dtype == torch.bfloat16
    output = loaded(tokens, output_router_logits=True, record_routes=True)
    assert torch.equal(output.logits, model(tokens).logits)
    assert output.router_logits[0].dtype == torch.float32
    widened = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    replayed = widened(tokens, routes=output.routes)
    torch.testing.assert_close(replayed.logits, output.logits.float(), atol=0.1, rtol=0.05)


def test_positions_stay_precise_in_bfloat16():
    """Casting the model leaves rotary frequencies in float32, unchanged."""
    model = _model()
    before = model.model.rotary_emb.inv_freq
    assert torch.equal(model.to(torch.bfloat16).model.rotary_emb.inv_freq, before)
    with torch.device("meta"):
        empty = BaiMoeForCausalLM(model.config)
    assert empty.to_empty(device="cpu").model.rotary_emb.inv_freq.dtype == torch.float32


def test_base_model_loads(tmp_path):
    """AutoModel loads the body of a saved language model."""
    model, tokens = _model(), _tokens()
    model.save_pretrained(tmp_path)
    body = AutoModel.from_pretrained(tmp_path)
    assert type(body) is BaiMoeModel
    assert torch.equal(body(tokens).last_hidden_state, model.model(tokens).last_hidden_state)


def test_router_is_float32_under_autocast(model):
    """Autocast to bf16 leaves router scores in fp32."""
    with torch.autocast("cpu", torch.bfloat16):
        output = model(_tokens(), output_router_logits=True)
    assert output.router_logits[1].dtype == torch.float32
    assert output.logits.dtype == torch.bfloat16


def test_cached_steps_equal_one_forward(model):
    """Feeding tokens one by one over a cache gives the logits of one forward."""
    tokens = _tokens(3, 9)
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        steps = [model(tokens[:, t : t + 1], past_key_values=cache).logits for t in range(9)]
        torch.testing.assert_close(torch.cat(steps, 1), model(tokens).logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_generate_over_each_cache(model, cache):
    """Greedy generation over either cache equals the argmax of whole forwards."""
    tokens = _tokens(2, 5)
    made = model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=6,
        do_sample=False,
        cache_implementation=cache,
        disable_compile=True,
    )
    for _ in range(6):
        tokens = torch.cat((tokens, model(tokens).logits[:, -1:].argmax(-1)), dim=1)
    assert torch.equal(made, tokens)


def test_generate_with_left_padding(model):
    """A left-padded row generates what it generates alone."""
    tokens = _tokens(2, 8)
    mask = torch.ones_like(tokens)
    mask[1, :5] = 0
    options = {"max_new_tokens": 5, "do_sample": False}
    together = model.generate(tokens, attention_mask=mask, **options)
    alone = model.generate(tokens[1:, 5:], attention_mask=mask[1:, 5:], **options)
    assert torch.equal(together[1, 8:], alone[0, 3:])


def test_position_ids_are_honoured(model):
    """Logits depend on distances between positions alone, and on those."""
    tokens, places = _tokens(), torch.arange(10)[None]
    plain = model(tokens).logits
    torch.testing.assert_close(model(tokens, position_ids=places + 7).logits, plain, atol=1e-5, rtol=0)
    assert not torch.allclose(model(tokens, position_ids=places * 3, attention_mask=torch.ones(2, 10)).logits, plain)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_tree_mask(model, attention):
    """With a 4-D mask and positions to match, two continuations of one prefix score as they do apart."""
    model.set_attn_implementation(attention)
    prefix, one, other = _tokens(1, 6), _tokens(1, 3, seed=5), _tokens(1, 3, seed=6)
    mask = torch.ones(12, 12).tril().bool()
    mask[9:, 6:9] = False
    places = torch.cat((torch.arange(9), torch.arange(6, 9)))[None]
    tree = model(torch.cat((prefix, one, other), 1), attention_mask=mask[None, None], position_ids=places).logits
    for start, branch in ((6, one), (9, other)):
        alone = model(torch.cat((prefix, branch), 1)).logits
        torch.testing.assert_close(tree[:, start : start + 3], alone[:, 6:], atol=1e-5, rtol=0)
    model.set_attn_implementation("sdpa")


def test_packed_sequences_do_not_see_each_other(model):
    """Without a mask, positions that start over start a new sequence."""
    one, other = _tokens(1, 6), _tokens(1, 4, seed=3)
    places = torch.cat((torch.arange(6), torch.arange(4)))[None]
    packed = model(torch.cat((one, other), 1), position_ids=places, use_cache=False).logits
    torch.testing.assert_close(packed[:, 6:], model(other).logits, atol=1e-5, rtol=0)


def test_padding_is_never_nan():
    """Left padding, even a whole row of it, leaves outputs and gradients finite."""
    model, tokens = _model().train(), _tokens(3, 8)
    mask = torch.ones_like(tokens)
    mask[1, :5] = 0
    mask[2] = 0
    for attention in ("sdpa", "eager"):
        model.set_attn_implementation(attention)
        output = model(tokens, attention_mask=mask, labels=tokens.masked_fill(mask == 0, -100))
        output.loss.backward()
        assert output.logits.isfinite().all()
        assert all(weight.grad.isfinite().all() for weight in model.parameters())


def test_logits_to_keep(model):
    """Only the last logits, or those asked for, are computed, and they are the same."""
    tokens = _tokens()
    full = model(tokens).logits
    torch.testing.assert_close(model(tokens, logits_to_keep=3).logits, full[:, -3:])
    torch.testing.assert_close(model(tokens, logits_to_keep=torch.tensor([0, 4])).logits, full[:, [0, 4]])


def test_hidden_states_and_attentions_are_recorded(model):
    """Hidden states of every layer, and eager attention weights, come when asked for."""
    model.set_attn_implementation("eager")
    output = model(_tokens(), output_hidden_states=True, output_attentions=True)
    model.set_attn_implementation("sdpa")
    assert [tuple(h.shape) for h in output.hidden_states] == [(2, 10, 32)] * 3
    assert [tuple(a.shape) for a in output.attentions] == [(2, 4, 10, 10)] * 2
    torch.testing.assert_close(output.attentions[0].sum(-1), torch.ones(2, 4, 10))


def test_every_expert_computation_gives_the_same():
    """All computations of the experts agree in value and gradient, for few tokens and for many."""
    for length in (4, 40):
        found = {}
        for name in ("eager", "bai_auto", "grouped_mm", "batched_mm"):
            model, tokens = _model(), _tokens(2, length)
            model.set_experts_implementation(name)
            model(tokens, labels=tokens).loss.backward()
            found[name] = {key: weight.grad for key, weight in model.named_parameters()}
        for name, gradients in found.items():
            for key, gradient in gradients.items():
                torch.testing.assert_close(gradient, found["eager"][key], atol=1e-6, rtol=1e-4, msg=f"{name} {key}")


def test_transformers_knows_what_the_model_supports(model):
    """transformers' own probes find the attention and expert registries, and our choice is the default."""
    assert model._can_set_attn_implementation()
    assert model._can_set_experts_implementation()
    assert model.config._attn_implementation == "sdpa"
    assert model.config._experts_implementation == "bai_auto"


def test_tokens_or_embeddings(model):
    """Embeddings in place of tokens give the same; both or neither are refused."""
    tokens = _tokens()
    embeds = model.get_input_embeddings()(tokens)
    assert torch.equal(model(inputs_embeds=embeds).logits, model(tokens).logits)
    for inputs in ({}, {"input_ids": tokens, "inputs_embeds": embeds}):
        with pytest.raises(ConfigError, match="exactly one"):
            model(**inputs)


def test_plain_tuples(model):
    """Without a dictionary the same values come as a tuple, loss first."""
    tokens = _tokens()
    expected = model(tokens, labels=tokens)
    loss, logits, *_ = model(tokens, labels=tokens, return_dict=False)
    assert torch.equal(loss, expected.loss)
    assert torch.equal(logits, expected.logits)


def test_training_makes_no_cache_unless_asked():
    """In training a forward keeps no keys and values, unless told to; outside it follows the configuration."""
    model, tokens = _model(), _tokens()
    assert model(tokens).past_key_values is not None
    assert model.train()(tokens).past_key_values is None
    assert model(tokens, use_cache=True).past_key_values is not None


def test_vocabulary_can_grow():
    """Resizing keeps the old logits and the tie."""
    model, tokens = _model(), _tokens()
    before = model(tokens).logits
    model.resize_token_embeddings(VOCAB + 5)
    after = model(tokens).logits
    assert after.shape[-1] == VOCAB + 5
    torch.testing.assert_close(after[..., :VOCAB], before)
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_stretched_positions():
    """A rope type with scaling loads and changes the logits."""
    rope = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32}
    stretched, plain, tokens = _model(rope_parameters=rope), _model(), _tokens()
    assert not torch.allclose(stretched(tokens).logits, plain(tokens).logits)
