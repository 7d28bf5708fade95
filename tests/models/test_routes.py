"""Routes are recorded, replayed exactly, and survive caches, padding and checkpointing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import DynamicCache

from bai.errors import ConfigError
from bai.models import BaiMoeConfig, BaiMoeForCausalLM

VOCAB, LAYERS, EXPERTS, K = 61, 3, 5, 2


def _model(seed=0, **overrides):
    torch.manual_seed(seed)
    fields = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "intermediate_size": 24,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_local_experts": EXPERTS,
        "num_experts_per_tok": K,
        "initializer_range": 0.2,
        **overrides,
    }
    return BaiMoeForCausalLM(BaiMoeConfig(**fields)).eval()


def _tokens(batch=3, length=12, seed=1):
    return torch.randint(VOCAB, (batch, length), generator=torch.Generator().manual_seed(seed))


def _gradients(model, **inputs):
    model.zero_grad()
    output = model(**inputs)
    output.loss.backward()
    return output, {name: weight.grad.clone() for name, weight in model.named_parameters()}


def test_recorded_routes_are_those_of_the_scores():
    """Recorded experts are the K best router scores of each token in each layer."""
    model, tokens = _model(), _tokens()
    output = model(tokens, record_routes=True, output_router_logits=True)
    assert output.routes.shape == (3, 12, LAYERS, K)
    assert output.routes.dtype == torch.uint8
    for layer, scores in enumerate(output.router_logits):
        best = scores.view(3, 12, EXPERTS).topk(K).indices
        assert torch.equal(output.routes[:, :, layer].long(), best)


def test_nothing_is_recorded_unless_asked():
    """A plain forward returns no routes, scores or router losses."""
    output = _model()(_tokens())
    assert output.routes is output.router_logits is output.aux_loss is output.z_loss is None


def test_replaying_own_routes_changes_nothing():
    """Replayed on the same weights, recorded routes give the same logits bit for bit."""
    model, tokens = _model(), _tokens()
    first = model(tokens, record_routes=True)
    again = model(tokens, routes=first.routes, record_routes=True)
    assert torch.equal(first.logits, again.logits)
    assert torch.equal(first.routes, again.routes)


@pytest.fixture(scope="module")
def shared_model():
    """One model for the properties that change nothing about it."""
    return _model()


@given(seed=st.integers(0, 2**16), batch=st.integers(1, 3), length=st.integers(1, 20))
def test_any_routes_are_obeyed(shared_model, seed, batch, length):
    """Whatever routes are given, those very experts are used, for few tokens and for many."""
    draw = torch.rand(batch, length, LAYERS, EXPERTS, generator=torch.Generator().manual_seed(seed))
    routes = draw.topk(K).indices
    with torch.no_grad():
        output = shared_model(_tokens(batch, length), routes=routes.to(torch.uint8), record_routes=True)
    assert torch.equal(output.routes.long(), routes)


def test_weights_are_computed_anew_and_gradients_reach_the_router():
    """A replayed route fixes the choice alone: its weights are the present softmax over the chosen, with gradient."""
    model, tokens = _model(), _tokens()
    routes = torch.zeros(3, 12, LAYERS, K, dtype=torch.uint8)
    routes[..., 1] = 3
    gate = model.model.layers[0].mlp.gate
    seen = []
    hook = gate.register_forward_hook(lambda _m, _i, out: seen.append(out))
    _, gradients = _gradients(model, input_ids=tokens, routes=routes, labels=tokens)
    hook.remove()
    scores, weights, experts = seen[0]
    assert torch.equal(experts, torch.tensor([0, 3]).expand(36, 2))
    torch.testing.assert_close(weights, scores[:, [0, 3]].softmax(-1))
    assert gradients["model.layers.0.mlp.gate.weight"].abs().sum() > 0
    assert gradients["model.layers.0.mlp.experts.down_proj"][[1, 2, 4]].abs().sum() == 0


def test_routes_recorded_step_by_step_equal_those_of_one_forward():
    """A cached decode records, step by step, the routes of one whole forward, and they replay to its logits."""
    model, tokens = _model(), _tokens()
    whole = model(tokens, record_routes=True)
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        steps = [model(tokens[:, :5], past_key_values=cache, record_routes=True)]
        steps += [model(tokens[:, t : t + 1], past_key_values=cache, record_routes=True) for t in range(5, 12)]
    routes = torch.cat([step.routes for step in steps], dim=1)
    assert torch.equal(routes, whole.routes)
    logits = torch.cat([step.logits for step in steps], dim=1)
    torch.testing.assert_close(model(tokens, routes=routes).logits, logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_routes_of_padded_rows(side):
    """A padded row is routed as it is alone, and routes of any value at padding change no real token."""
    model, tokens = _model(), _tokens(2, 12)
    mask = torch.ones_like(tokens)
    real = slice(4, None) if side == "left" else slice(None, 8)
    mask[1, :4] = 0 if side == "left" else 1
    mask[1, 8:] = 1 if side == "left" else 0
    padded = model(tokens, attention_mask=mask, record_routes=True)
    alone = model(tokens[1:, real], record_routes=True)
    assert torch.equal(padded.routes[1, real], alone.routes[0])
    torch.testing.assert_close(padded.logits[1, real], alone.logits[0], atol=1e-5, rtol=0)
    routes = padded.routes.clone()
    routes[mask == 0] = EXPERTS - 1
    replayed = model(tokens, attention_mask=mask, routes=routes)
    torch.testing.assert_close(replayed.logits[mask == 1], padded.logits[mask == 1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("replay", [False, True])
def test_checkpointed_layers_keep_their_routes(reentrant, replay):
    """With gradient checkpointing, loss and gradients equal those without, own routes or replayed ones."""
    model, tokens = _model(router_aux_loss_coef=0.1, router_z_loss_coef=0.01).train(), _tokens()
    routes = torch.rand(3, 12, LAYERS, EXPERTS).topk(K).indices.to(torch.uint8) if replay else None
    inputs = {"input_ids": tokens, "labels": tokens, "routes": routes, "record_routes": True}
    plain, expected = _gradients(model, **inputs)
    model.activation_checkpointing_enable({"use_reentrant": reentrant})
    output, gradients = _gradients(model, **inputs)
    torch.testing.assert_close(output.loss, plain.loss)
    assert torch.equal(output.routes, plain.routes)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], msg=lambda m, n=name: f"{n}: {m}")


def test_recomputation_follows_the_first_pass():
    """A recomputed layer obeys the first pass even where its scores have changed in between."""
    model, tokens = _model().train(), _tokens()
    model.activation_checkpointing_enable({"use_reentrant": False})
    gate = model.model.layers[1].mlp.gate
    seen = []
    gate.register_forward_hook(lambda _m, _i, out: seen.append(out[2]))
    loss = model(tokens, labels=tokens).loss
    with torch.no_grad():
        gate.weight.data = -gate.weight.data
    loss.backward()
    first, recomputed = seen
    assert torch.equal(first, recomputed)


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        (torch.zeros(3, 11, LAYERS, K, dtype=torch.uint8), "shape"),
        (torch.zeros(3, 12, LAYERS, K + 1, dtype=torch.uint8), "shape"),
        (torch.full((3, 12, LAYERS, K), EXPERTS, dtype=torch.uint8), "expert 5"),
    ],
)
def test_bad_routes_are_refused(routes, words):
    """Routes of a wrong shape, or naming an expert that is not there, are refused in words."""
    with pytest.raises(ConfigError, match=words):
        _model()(_tokens(), routes=routes)
