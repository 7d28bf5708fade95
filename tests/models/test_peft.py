"""LoRA adapts attention by module and experts by parameter."""

import pytest
import torch

from bai.models import BaiMoeConfig, BaiMoeForCausalLM

peft = pytest.importorskip("peft", reason="needs peft: pip install bai-rl[train]")

# peft reads transformers' old name of activation checkpointing.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

TARGETS = {
    "attention": {"target_modules": ["q_proj", "v_proj"]},
    "experts": {"target_modules": [], "target_parameters": ["experts.gate_up_proj", "experts.down_proj"]},
}


def _model():
    torch.manual_seed(0)
    fields = {"vocab_size": 53, "hidden_size": 32, "intermediate_size": 24, "num_hidden_layers": 2}
    return BaiMoeForCausalLM(BaiMoeConfig(**fields, num_attention_heads=4, initializer_range=0.2))


def _tokens():
    return torch.randint(53, (2, 24), generator=torch.Generator().manual_seed(1))


def _adapted(targets):
    return peft.get_peft_model(_model(), peft.LoraConfig(r=4, task_type="CAUSAL_LM", **targets))


def _train(model):
    optimizer = torch.optim.Adam([w for w in model.parameters() if w.requires_grad], lr=0.02)
    losses = []
    for _ in range(8):
        loss = model(input_ids=_tokens(), labels=_tokens()).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
def test_adapters_learn_and_merge(targets, tmp_path):
    """An adapter starts as no change, alone gets gradients, learns, is saved, loaded and merged to the same logits."""
    base, model, tokens = _model().eval(), _adapted(targets), _tokens()
    assert torch.equal(model.eval()(tokens).logits, base(tokens).logits)
    frozen = {name: weight.clone() for name, weight in model.named_parameters() if not weight.requires_grad}
    losses = _train(model.train())
    assert losses[-1] < losses[0] - 0.05
    assert all(torch.equal(weight, frozen[name]) for name, weight in model.named_parameters() if name in frozen)
    with torch.no_grad():
        expected = model.eval()(tokens).logits
        model.save_pretrained(tmp_path)
        loaded = peft.PeftModel.from_pretrained(_model(), tmp_path).eval()
        torch.testing.assert_close(loaded(tokens).logits, expected)
        torch.testing.assert_close(loaded.merge_and_unload()(tokens).logits, expected, atol=1e-5, rtol=0)


def test_expert_adapters_under_checkpointing_and_replay():
    """An adapter on the experts gets the same gradients with checkpointing and replayed routes as without."""
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(3)
        model = _adapted(TARGETS["experts"]).train()
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
        routes = model(input_ids=_tokens(), record_routes=True).routes
        if checkpointing:
            model.base_model.model.activation_checkpointing_enable()
            model.base_model.model.enable_input_require_grads()
        model(input_ids=_tokens(), labels=_tokens(), routes=routes).loss.backward()
        gradients.append({name: w.grad for name, w in model.named_parameters() if w.requires_grad})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=lambda m, n=name: f"{n}: {m}")
        assert gradient.abs().sum() > 0
