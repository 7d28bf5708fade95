"""The losses equal those of TRL's GRPOTrainer on the same tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from bai.agents.grpo import columns
from bai.agents.grpo.batch import token_weights
from bai.agents.grpo.forward import trajectory_forward
from bai.agents.grpo.losses import correction_weights, policy_loss
from bai.agents.grpo.method import BatchOptions, LossOptions

trl = pytest.importorskip("trl", reason="needs TRL to compare with")

B, PROMPT, COMPLETION, VOCABULARY = 6, 5, 7, 40
MAX_COMPLETION = 11


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    words = {f"w{i}": i for i in range(VOCABULARY)}
    fast = Tokenizer(WordLevel(words, unk_token="w0"))
    return PreTrainedTokenizerFast(tokenizer_object=fast, pad_token="w0", eos_token="w1", unk_token="w0")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LlamaForCausalLM:
    """Loaded from a directory, where TRL looks for the reference model."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.3,
        pad_token_id=0,
        eos_token_id=1,
    )
    folder = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(folder)
    return LlamaForCausalLM.from_pretrained(folder)


@pytest.fixture(scope="module")
def inputs(model: LlamaForCausalLM) -> dict[str, Tensor]:
    """What TRL's loss takes, of unequal lengths, with one tool-written stretch."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(2, VOCABULARY, (B, PROMPT + COMPLETION), generator=generator)
    lengths = torch.tensor([7, 3, 5, 7, 1, 6])
    completion_mask = (torch.arange(COMPLETION)[None] < lengths[:, None]).long()
    tool_mask = torch.ones_like(completion_mask)
    tool_mask[3, 2:4] = 0
    mask = completion_mask * tool_mask
    batch = {
        columns.INPUT_IDS: ids,
        columns.ATTENTION_MASK: torch.cat([torch.ones(B, PROMPT, dtype=torch.long), completion_mask], 1),
        columns.LOSS_MASK: torch.cat([torch.zeros(B, PROMPT, dtype=torch.long), mask], 1).bool(),
    }
    with torch.no_grad():
        present = trajectory_forward(model, batch).logprobs[:, PROMPT:]
    noise = [torch.randn(B, COMPLETION, generator=generator) for _ in range(3)]
    return {
        "prompt_ids": ids[:, :PROMPT],
        "prompt_mask": torch.ones(B, PROMPT, dtype=torch.long),
        "completion_ids": ids[:, PROMPT:],
        "completion_mask": completion_mask,
        "tool_mask": tool_mask,
        "advantages": torch.tensor([1.0, -0.7, 0.4, -1.3, 2.0, 0.0]),
        "old_per_token_logps": present + 0.3 * noise[0],
        "ref_per_token_logps": present + 0.5 * noise[1],
        "sampling": present + 0.3 * noise[0] + 0.4 * noise[2],
        "num_items_in_batch": mask.sum(),
    }


def reward(completions: list[str], **_: Any) -> list[float]:
    return [0.0] * len(completions)


def trl_loss(
    model: LlamaForCausalLM, tokenizer: Any, inputs: dict[str, Tensor], folder: Path, **config: Any
) -> tuple[float, dict[str, Tensor], dict[str, float]]:
    """The loss of a real trainer, its gradients and what it logs."""
    from datasets import Dataset

    correction = config.pop("correction", None)
    arguments = trl.GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=B,
        num_generations=2,
        max_completion_length=MAX_COMPLETION,
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        activation_checkpointing=False,
        **config,
    )
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": ["w2 w3"] * B}),
        processing_class=tokenizer,
    )
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    if correction is not None:
        trainer.use_vllm, trainer.vllm_importance_sampling_correction = True, True
        inputs = {**inputs, "importance_sampling_ratio": correction}
    trainer.model.zero_grad()
    loss = trainer._compute_loss(trainer.model, dict(inputs))
    loss.backward()
    metrics = {name: float(np.mean(values)) for name, values in trainer._metrics["train"].items()}
    return float(loss.detach()), _gradients(trainer.model), metrics


def our_loss(
    model: LlamaForCausalLM, inputs: dict[str, Tensor], options: LossOptions, batch_options: BatchOptions
) -> tuple[float, dict[str, Tensor], Any]:
    mask = (inputs["completion_mask"] * inputs["tool_mask"]).bool()
    before = torch.zeros(B, PROMPT)
    batch = {
        columns.INPUT_IDS: torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1),
        columns.ATTENTION_MASK: torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1),
        columns.LOSS_MASK: torch.cat([before.bool(), mask], 1),
    }
    model.train()
    model.zero_grad()
    scores = trajectory_forward(model, batch)
    tokens = policy_loss(
        scores.logprobs,
        old_logprobs=torch.cat([before, inputs["old_per_token_logps"]], 1),
        advantages=inputs["advantages"][:, None].expand_as(scores.logprobs),
        mask=batch[columns.LOSS_MASK],
        options=options,
        entropies=scores.entropies,
        reference_logprobs=torch.cat([before, inputs["ref_per_token_logps"]], 1),
        behaviour_logprobs=torch.cat([before, inputs["sampling"]], 1),
    )
    weights = token_weights(batch[columns.LOSS_MASK].numpy(), np.zeros(B, dtype=np.int64), 1, batch_options)
    loss = (tokens.loss * torch.from_numpy(weights)).sum()
    loss.backward()
    return float(loss.detach()), _gradients(model), tokens


def _gradients(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


SEQUENCE, TOKEN = BatchOptions(normalisation="sequence_mean"), BatchOptions(normalisation="token_mean")
CONSTANT = BatchOptions(normalisation="constant", constant_length=MAX_COMPLETION)
PLAIN_KL = {"use_bias_correction_kl": False}

CASES: dict[str, tuple[dict[str, Any], LossOptions, BatchOptions]] = {
    "grpo": ({"loss_type": "grpo"}, LossOptions(), SEQUENCE),
    "grpo with k3": ({"loss_type": "grpo", "beta": 0.3, **PLAIN_KL}, LossOptions(kl_coeff=0.3), SEQUENCE),
    "grpo with k3 times ratio": (
        {"loss_type": "grpo", "beta": 0.3, "use_bias_correction_kl": True},
        LossOptions(kl_coeff=0.3, kl_ratio=True),
        SEQUENCE,
    ),
    "grpo, dual clip": (
        {"loss_type": "grpo", "delta": 1.3, "epsilon_high": 0.2},
        LossOptions(dual_clip=1.3),
        SEQUENCE,
    ),
    "dr_grpo": ({"loss_type": "dr_grpo"}, LossOptions(), CONSTANT),
    "bnpo": ({"loss_type": "bnpo"}, LossOptions(), TOKEN),
    "dapo": ({"loss_type": "dapo", "epsilon_high": 0.28}, LossOptions(clip_high=0.28), TOKEN),
    "cispo": (
        {"loss_type": "cispo", "epsilon_high": 1.1},
        LossOptions(surrogate="cispo", clip_low=1.0, clip_high=0.1),
        TOKEN,
    ),
    "gspo": (
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.05, "epsilon_high": 0.06},
        LossOptions(surrogate="sequence", clip_low=0.05, clip_high=0.06),
        SEQUENCE,
    ),
    "gspo with k3": (
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "beta": 0.2, "epsilon": 0.05, **PLAIN_KL},
        LossOptions(surrogate="sequence", clip_low=0.05, clip_high=0.05, kl_coeff=0.2),
        SEQUENCE,
    ),
    "bnpo with entropy": ({"loss_type": "bnpo", "entropy_coef": 0.1}, LossOptions(entropy_coeff=0.1), TOKEN),
}


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_equal_those_of_trl(
    name: str, model: LlamaForCausalLM, tokenizer: Any, inputs: dict[str, Tensor], tmp_path: Path
) -> None:
    """Each variant that both have gives TRL's loss, gradients and clip ratios to 1e-5."""
    config, options, batch_options = CASES[name]
    expected, expected_gradients, metrics = trl_loss(model, tokenizer, inputs, tmp_path, **config)
    loss, gradients, tokens = our_loss(model, inputs, options, batch_options)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert gradients.keys() == expected_gradients.keys()
    for parameter, gradient in expected_gradients.items():
        torch.testing.assert_close(gradients[parameter], gradient, atol=1e-5, rtol=1e-4)
    if "clip_ratio/low_mean" in metrics and options.surrogate == "token":
        count = float(inputs["num_items_in_batch"])
        assert float(tokens.clipped_low.sum()) / count == pytest.approx(metrics["clip_ratio/low_mean"], abs=1e-6)
        assert float(tokens.clipped_high.sum()) / count == pytest.approx(metrics["clip_ratio/high_mean"], abs=1e-6)
    if "kl" in metrics and not options.kl_ratio:
        count = float(inputs["num_items_in_batch"])
        assert float(tokens.kl.sum()) / count == pytest.approx(metrics["kl"], abs=1e-5)


@pytest.mark.parametrize("kind", ["token_truncate", "token_mask", "sequence_truncate", "sequence_mask"])
def test_corrected_loss_equals_that_of_trl(
    kind: Any, model: LlamaForCausalLM, tokenizer: Any, inputs: dict[str, Tensor], tmp_path: Path
) -> None:
    """With importance correction the loss is TRL's, whose weights are computed here by its own formula."""
    mask = (inputs["completion_mask"] * inputs["tool_mask"]).bool()
    difference = (inputs["old_per_token_logps"] - inputs["sampling"]) * mask
    ratio = (difference.sum(-1, keepdim=True) if kind.startswith("sequence") else difference).exp()
    weights = ratio.clamp(max=1.2) if kind.endswith("truncate") else ratio.masked_fill(ratio > 1.2, 0.0)
    expected, _, _ = trl_loss(
        model, tokenizer, inputs, tmp_path, loss_type="grpo", beta=0.1, correction=weights, **PLAIN_KL
    )
    options = LossOptions(proximal="recompute", correction=kind, correction_cap=1.2, kl_coeff=0.1)
    loss, _, tokens = our_loss(model, inputs, options, SEQUENCE)
    assert loss == pytest.approx(expected, abs=1e-5)
    ours = correction_weights(inputs["old_per_token_logps"], inputs["sampling"], mask, kind, 1.2)
    torch.testing.assert_close(ours, weights.expand_as(ours) * mask)
    torch.testing.assert_close(tokens.correction[:, PROMPT:], ours)
