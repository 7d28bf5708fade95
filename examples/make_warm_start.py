"""Makes the warm start of the demonstration: a small model that has read a few thousand solved micro tasks.

    python examples/make_warm_start.py --out bai/assets/nano

It learns a tokenizer and trains the `nano` model, briefly and on purpose not to the end: the policy
that results writes Python that parses and solves some of the tasks it has never seen. What is left
to gain is left to reinforcement learning. Everything is drawn from `--seed`; with one thread the
result is the same on every run of one machine. About a quarter of an hour on one core.
"""

from __future__ import annotations

import argparse
import inspect
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from bai.agents.sft import SFTConfig, SFTStep, train_sft
from bai.envs.tasks.coding import CodingTask
from bai.envs.tasks.micro import MicroTaskSet
from bai.models import BaiMoeForCausalLM, preset, train_tokenizer
from bai.types import Message

DIFFICULTIES = (1, 2, 3)
VOCABULARY = 1280
STEPS = 1000
BATCH_TOKENS = 4096
WARMUP_STEPS = 50
EXAMPLES = 60_000
"""More than the steps use, so that no task is read twice."""
READING = ("collections", "heapq", "json.decoder", "random", "statistics", "string", "textwrap", "difflib")
"""Modules of the standard library whose source the tokenizer learns from, beside the tasks."""


def solved_tasks(count: int, seed: int) -> list[CodingTask]:
    """Draws tasks of the train split."""
    rng = np.random.default_rng(seed)
    tasks = MicroTaskSet(split="train", difficulty=DIFFICULTIES)
    return [tasks.sample(rng) for _ in range(count)]


def make_tokenizer(tasks: list[CodingTask]) -> PreTrainedTokenizerFast:
    """Learns a vocabulary from the tasks and from ordinary Python."""

    def texts() -> Iterator[str]:
        for task in tasks[:10_000]:
            yield task.prompt
            yield task.reference
        for name in READING:
            yield inspect.getsource(import_module(name))

    return train_tokenizer(texts(), VOCABULARY)


def make_model(
    tasks: list[CodingTask],
    tokenizer: PreTrainedTokenizerFast,
    steps: int,
    seed: int,
    on_step: Callable[[BaiMoeForCausalLM, SFTStep], None],
) -> BaiMoeForCausalLM:
    """Trains the nano model on the tasks' reference answers."""
    torch.manual_seed(seed)
    model = BaiMoeForCausalLM(
        preset(
            "nano",
            vocab_size=len(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
            router_aux_loss_coef=0.01,
            router_z_loss_coef=0.001,
        )
    )
    config = SFTConfig(
        max_steps=steps,
        batch_tokens=BATCH_TOKENS,
        learning_rate=2e-3,
        warmup_fraction=WARMUP_STEPS / steps,
        schedule="constant",
        seed=seed,
    )
    conversations = (
        [Message(role="user", content=task.prompt), Message(role="assistant", content=task.reference)] for task in tasks
    )
    result = train_sft(model, tokenizer, conversations, config, on_step=lambda step: on_step(model, step))
    print(f"{result.steps} steps over {result.tokens:,} tokens in {result.seconds:.0f} s, loss {result.loss:.4f}")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="directory to write the model and tokenizer to")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"optimizer steps (default {STEPS})")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help=f"tasks drawn (default {EXAMPLES})")
    parser.add_argument("--seed", type=int, default=0, help="seeds tasks, weights and order (default 0)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1, which is repeatable)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tasks = solved_tasks(arguments.examples, arguments.seed)
    tokenizer = make_tokenizer(tasks)

    def tell(_: BaiMoeForCausalLM, step: SFTStep) -> None:
        if step.step % 20 == 0:
            print(f"step {step.step} of {step.total_steps}  loss {step.loss:.3f}  {step.seconds:.0f} s", flush=True)

    model = make_model(tasks, tokenizer, arguments.steps, arguments.seed, tell)
    model.to(torch.bfloat16).save_pretrained(arguments.out)
    tokenizer.save_pretrained(arguments.out)
    print(f"written to {arguments.out}; measure it with: bai eval --policy checkpoint:{arguments.out} -n 4")


if __name__ == "__main__":
    main()
