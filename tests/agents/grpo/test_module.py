"""The policy module: what RLlib may move about, and what it may not see."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from bai.agents.grpo import columns
from bai.agents.grpo.advantages import trajectory_advantages
from bai.agents.grpo.batch import build_batch
from bai.agents.grpo.method import AdvantageOptions, BatchOptions, ModuleOptions
from bai.agents.grpo.module import ENTROPIES, LOGPROBS, ROUTER_LOSS, PolicyModule, load_model
from bai.envs.spaces import UnicodeText
from bai.errors import CheckpointError, ConfigError


def build(*, inference_only: bool = False, **options: Any) -> PolicyModule:
    space = UnicodeText(10)
    return RLModuleSpec(
        module_class=PolicyModule,
        observation_space=space,
        action_space=space,
        inference_only=inference_only,
        model_config={"policy": asdict(ModuleOptions(**options)), "something": "of RLlib's own"},
    ).build()


def tensors(rows: list) -> dict[str, torch.Tensor]:
    batch = build_batch(rows, trajectory_advantages(rows, AdvantageOptions()), BatchOptions())
    return {name: torch.from_numpy(column) for name, column in batch.columns.items()}


def test_a_directory_and_a_seed_both_give_a_model(model_dir, moe_fields) -> None:
    """The saved model is the one of seed 0; another seed gives another."""
    saved = load_model(ModuleOptions(model=str(model_dir))).state_dict()
    for name, tensor in load_model(ModuleOptions(config=moe_fields)).state_dict().items():
        torch.testing.assert_close(tensor, saved[name])
    other = load_model(ModuleOptions(config=moe_fields, seed=1))
    assert (other.get_input_embeddings().weight != saved["model.embed_tokens.weight"]).any()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_state_goes_through_numpy_and_back(dtype: str, model_dir) -> None:
    """Weights survive bit for bit, in bfloat16 too; tied ones travel once."""
    sender, receiver = build(model=str(model_dir), dtype=dtype), build(model=str(model_dir), dtype=dtype)
    with torch.no_grad():
        for parameter in receiver.parameters():
            parameter.zero_()
    state = sender.get_state()
    assert all(isinstance(array, np.ndarray) for array in state.values())
    assert "lm_head.weight" not in state
    receiver.set_state(state)
    for (name, mine), theirs in zip(
        receiver.model.state_dict().items(), sender.model.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, theirs), name


def test_state_is_a_copy(model_dir) -> None:
    """An optimizer that goes on does not change what was handed out."""
    module = build(model=str(model_dir))
    state = module.get_state()
    before = state["model.embed_tokens.weight"].copy()
    with torch.no_grad():
        module.model.get_input_embeddings().weight.add_(1)
    np.testing.assert_array_equal(state["model.embed_tokens.weight"], before)


def test_another_models_state_is_refused(model_dir) -> None:
    """Missing names and other shapes raise CheckpointError and name the weight."""
    module = build(model=str(model_dir))
    state = module.get_state()
    with pytest.raises(CheckpointError, match="2 names differ"):
        module.set_state({**{k: v for k, v in state.items() if k != "model.norm.weight"}, "extra": np.zeros(1)})
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight must have the shape"):
        module.set_state({**state, "model.norm.weight": np.zeros(3)})


def test_the_reference_stays_where_it_was(model_dir, groups) -> None:
    """It is no parameter and no state, and keeps the first weights while the policy moves."""
    module, plain = build(model=str(model_dir), reference=True), build(model=str(model_dir))
    assert module.get_state().keys() == plain.get_state().keys()
    assert len(list(module.parameters())) == len(list(plain.parameters()))
    batch = tensors(groups())
    first = module.forward_train(batch)
    torch.testing.assert_close(first[columns.REFERENCE_LOGPROBS], first[LOGPROBS].detach())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.1)
    second = module.forward_train(batch)
    torch.testing.assert_close(second[columns.REFERENCE_LOGPROBS], first[columns.REFERENCE_LOGPROBS])
    assert not second[columns.REFERENCE_LOGPROBS].requires_grad
    assert (second[LOGPROBS] - first[LOGPROBS]).abs().max() > 1e-3


def test_a_sampler_has_no_reference(model_dir, groups) -> None:
    """A module for inference alone doesn't hold a second model."""
    module = build(model=str(model_dir), reference=True, inference_only=True)
    with pytest.raises(ConfigError, match="without a reference"):
        module.reference_logprobs(tensors(groups()))


def test_gradient_checkpointing_changes_no_gradient(model_dir, groups) -> None:
    """Recomputed activations give the same gradients."""
    batch, gradients = tensors(groups()), []
    for recompute in (False, True):
        module = build(model=str(model_dir), gradient_checkpointing=recompute)
        module.forward_train(batch)[LOGPROBS].sum().backward()
        gradients.append([parameter.grad for parameter in module.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain, atol=1e-5, rtol=1e-4)


def test_router_losses_come_with_coefficients_only(model_dir, moe_fields, groups) -> None:
    """A model whose coefficients are zero is not asked for them."""
    batch = tensors(groups())
    assert set(build(model=str(model_dir)).forward_train(batch)) == {LOGPROBS, ENTROPIES}
    fields = {**moe_fields, "router_aux_loss_coef": 0.01}
    assert ROUTER_LOSS in build(config=fields).forward_train(batch)


def test_any_causal_model_will_do(groups) -> None:
    """A plain Llama scores trajectories."""
    fields = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32}
    heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    module = build(config={"model_type": "llama", **fields, **heads})
    batch = tensors(groups())
    assert (module.forward_train(batch)[LOGPROBS][batch[columns.LOSS_MASK]] < 0).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"model": "x", "config": {"model_type": "llama"}},
        {"config": {"hidden_size": 4}},
        {"model": "x", "dtype": "float16"},
        {"model": "x", "temperature": 0.0},
        {"model": "x", "logprob_chunk": 0},
    ],
)
def test_wrong_options_are_refused(wrong: dict) -> None:
    """Options out of range raise ConfigError."""
    with pytest.raises(ConfigError):
        ModuleOptions(**wrong)


def test_a_directory_without_a_model_is_named(tmp_path) -> None:
    """The error says which directory."""
    with pytest.raises(ConfigError, match=str(tmp_path)):
        load_model(ModuleOptions(model=str(tmp_path)))


def test_a_model_that_caps_its_logits_is_refused() -> None:
    """Gemma 2 squashes logits after the projection, which the chunked way would not see."""
    fields = {"model_type": "gemma2", "vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "head_dim": 8}
    heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "initializer_range": 1.0}
    with pytest.raises(ConfigError, match="soft cap"):
        build(config={**fields, **heads, "final_logit_softcapping": 0.5})


def test_model_config_needs_the_policy() -> None:
    """RLlib's own keys alone are not enough."""
    space = UnicodeText(10)
    spec = RLModuleSpec(module_class=PolicyModule, observation_space=space, action_space=space, model_config={"x": 1})
    with pytest.raises(ConfigError, match="policy"):
        spec.build()
