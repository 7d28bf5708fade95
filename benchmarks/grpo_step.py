"""One GRPO step, ours against that of TRL's ``GRPOTrainer``, on the same model in one run.

A step samples 16 completions of one prompt, each to its full length of 64 tokens (no end token
can be drawn), scores them with a constant-time reward, compares them and takes one optimizer
step. Both sides run in fp32 without gradient checkpointing, without a reference model, with
AdamW, the GRPO loss and clipping by norm. They take turns within TRL's own training loop: ours
runs whenever a step of TRL's has ended, so whatever else the machine does falls on both alike.

TRL's step is timed from its ``on_step_begin`` to its ``on_step_end``.
"""

from __future__ import annotations

import copy
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bai.agents.grpo.advantages import trajectory_advantages
from bai.agents.grpo.batch import build_batch
from bai.agents.grpo.config import GRPOConfig
from bai.agents.grpo.learner import GRPOTorchLearner
from bai.models import BaiMoeForCausalLM, preset
from bai.models.decoding import Decoder, Sample
from bai.policy import Sampling
from bai.types import TokenTrace, Trajectory
from benchmarks._measure import Figure

GROUP = 16
NEW_TOKENS = 64
GOALS: Mapping[int, float] = {512: 0.88, 32: 1.10}
STEPS = 5
WARMUPS = 1
LEARNING_RATE = 1e-6


def run(
    *, steps: int = STEPS, threads: int = 2, models: tuple[str, ...] = ("bai nano", "mixtral")
) -> dict[str, Figure]:
    """Gives the ratio of our seconds to TRL's for each model and prompt length."""
    torch.set_num_threads(threads)
    logging.getLogger("ray").setLevel(logging.ERROR)
    figures = {}
    for name in models:
        for length, goal in GOALS.items():
            ours, theirs = _race(_MODELS[name](), length, steps)
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            note = (
                f"ours {statistics.median(ours):.3f} s, TRL {statistics.median(theirs):.3f} s, {GROUP} x {NEW_TOKENS}"
            )
            figures[f"{name}, prompt {length}"] = Figure(value=ratio, unit="x", at_most=goal, note=note)
    return figures


def _race(model: Any, prompt_length: int, steps: int) -> tuple[list[float], list[float]]:
    """Seconds of each of our steps and of each of TRL's, warm-ups left out."""
    prompt = torch.randint(8, model.config.vocab_size, (prompt_length,), generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        our_step = _OurStep(Path(folder), prompt.tolist())
        theirs, ours = _trl_steps(copy.deepcopy(model), prompt, Path(folder), steps + WARMUPS, our_step)
    return ours[WARMUPS:], theirs[WARMUPS:]


class _OurStep:
    """Samples a group, compares it and updates a learner that lives in this process."""

    def __init__(self, folder: Path, prompt: list[int]) -> None:
        config = GRPOConfig().training(model_dir=str(folder), group_size=GROUP, prompts_per_step=1, lr=LEARNING_RATE)
        spaces = {"default_policy": (config.observation_space, config.action_space)}
        self.learner = GRPOTorchLearner(config=config, module_spec=config.get_multi_rl_module_spec(spaces=spaces))
        self.learner.build()
        self.settings = config.settings
        self.decoder = Decoder(self.learner.module["default_policy"].model, eos_ids=())
        self.prompt = prompt
        self.seed = 0

    def __call__(self) -> None:
        self.seed += 1
        samples = self.decoder.sample([self.prompt], GROUP, Sampling(max_new_tokens=NEW_TOKENS), [self.seed])[0]
        rows = [self._trajectory(sample) for sample in samples]
        advantages = trajectory_advantages(rows, self.settings.published.advantage)
        batch = build_batch(rows, advantages, self.settings.published.batch)
        self.learner.update(batch=batch.multi_agent_batch(), minibatch_size=batch.minibatch_size, timesteps={})

    def _trajectory(self, sample: Sample) -> Trajectory:
        assert len(sample.token_ids) == NEW_TOKENS
        before = [0.0] * len(self.prompt)
        trace = TokenTrace(
            token_ids=np.array([*self.prompt, *sample.token_ids], dtype=np.int64),
            loss_mask=np.arange(len(self.prompt) + NEW_TOKENS) >= len(self.prompt),
            logprobs=np.array([*before, *sample.logprobs], dtype=np.float32),
            entropies=np.array([*before, *sample.entropies], dtype=np.float32),
        )
        return Trajectory(
            trajectory_id="", env_id="", task_id="", group_id="g", reward=_reward(sample.token_ids), tokens=trace
        )


def _trl_steps(
    model: Any, prompt: torch.Tensor, folder: Path, steps: int, after_each: Callable[[], None]
) -> tuple[list[float], list[float]]:
    """Runs TRL's trainer, and ``after_each`` after each of its steps; gives the seconds of both."""
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import GRPOConfig as TRLConfig
    from trl import GRPOTrainer

    class Clock(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.theirs: list[float] = []
            self.ours: list[float] = []
            self.start = 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.start = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            middle = time.perf_counter()
            after_each()
            self.theirs.append(middle - self.start)
            self.ours.append(time.perf_counter() - middle)

    def reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
        assert all(len(ids) == NEW_TOKENS for ids in completion_ids)
        return [_reward(ids) for ids in completion_ids]

    arguments = TRLConfig(
        output_dir=str(folder / "trl"),
        per_device_train_batch_size=GROUP,
        num_generations=GROUP,
        max_completion_length=NEW_TOKENS,
        generation_kwargs={"min_new_tokens": NEW_TOKENS},
        max_steps=steps,
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="constant",
        loss_type="grpo",
        beta=0.0,
        bf16=False,
        use_cpu=True,
        activation_checkpointing=False,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    clock = Clock()
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": [" ".join(f"w{token}" for token in prompt.tolist())] * steps}),
        processing_class=_tokenizer(model.config.vocab_size),
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return clock.theirs, clock.ours


def _reward(token_ids: Any) -> float:
    return float(sum(token_ids) % 97) / 97


def _tokenizer(vocab_size: int) -> Any:
    """One word for each token of the model."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({f"w{i}": i for i in range(vocab_size)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="w0", eos_token="w1", unk_token="w0")


def _nano() -> Any:
    torch.manual_seed(0)
    return BaiMoeForCausalLM(preset("nano"))


def _mixtral() -> Any:
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(0)
    shape = preset("nano")
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    experts = {"num_local_experts": shape.num_local_experts, "num_experts_per_tok": shape.num_experts_per_tok}
    sizes = {name: getattr(shape, name) for name in names}
    return MixtralForCausalLM(MixtralConfig(vocab_size=shape.vocab_size, tie_word_embeddings=True, **sizes, **experts))


_MODELS: Mapping[str, Callable[[], Any]] = {"bai nano": _nano, "mixtral": _mixtral}
"""Both of the shape of our ``nano`` preset."""
