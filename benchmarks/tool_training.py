"""GRPO in bai/ToolUse-v0: what it gains on held-out tasks, over several turns and three seeds.

The shipped `nano` model first reads gold answers of generated tasks: calls, what came back, and the answer that ends
the turn. This warm start is trained with GRPO for each seed. Both policies do the same held-out tasks with the same
seeds; what they were asked for there was asked for nowhere in training.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bai.agents.imitation import imitate
from bai.agents.sft import SFTConfig, SFTStep
from bai.envs.grading.tools.base import MEASURES
from bai.evals.demo import warm_start
from bai.evals.metrics import Estimate
from bai.evals.run import Evaluation
from bai.evals.summary import compare
from benchmarks._measure import Figure
from benchmarks._training import SEEDS, main, points, run_grpo, run_held_out

ENV = "bai/ToolUse-v0"
MAX_NEW_TOKENS = 64
"""Of an answer."""
_SHORTEST = 32
"""Tokens that every dialogue has."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is done."""

    train_tasks: int = 1200
    """Tasks that gold answers are read of; GRPO draws from all there are."""
    held_out: int = 200
    """Tasks that policies are measured on."""
    samples: int = 2
    """Attempts at each of them."""
    difficulty: tuple[int, ...] = (1,)
    """Of the tasks."""
    warm_steps: int = 600
    """Optimizer steps on gold answers; taken once, for all seeds."""
    warm_tokens: int = 1024
    """Tokens of such a step."""
    iterations: int = 60
    """Iterations of GRPO."""
    prompts: int = 32
    """Tasks of an iteration, each attempted eight times."""
    turns: int = 3
    """Answers in an episode."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one seed."""

    seed: int
    warm: Estimate
    """pass@1 of the warm start on held-out tasks."""
    trained: Estimate
    """After GRPO."""
    gain: Estimate
    """In pass@1; paired by task."""
    measures: Mapping[str, tuple[float, float]]
    """Measure -> its mean before and after, over the attempts that have it."""
    answers: float
    """Mean answers in an episode after GRPO."""
    seconds: float
    """Of training and measuring what came of it."""

    def __str__(self) -> str:
        measures = ", ".join(f"{name} {before:.3f} to {after:.3f}" for name, (before, after) in self.measures.items())
        return (
            f"seed {self.seed}: warm {self.warm.percent()}, trained {self.trained.percent()}, {points(self.gain)}; "
            f"{measures}; {self.answers:.1f} answers an episode; {self.seconds:.0f} s"
        )


def run() -> dict[str, Figure]:
    """Runs three seeds in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bai-tool-training-") as folder:
        outcomes = measure(Path(folder), SEEDS, Plan())
    return {
        f"gain, seed {one.seed}": Figure(value=100 * one.gain.value, unit="points", note=str(one)) for one in outcomes
    }


def measure(folder: Path, seeds: Sequence[int], plan: Plan) -> list[Outcome]:
    """Makes the warm start, where the folder holds none yet, and runs every seed; prints each as it is done."""
    warm = folder / "warm"
    if not warm.is_dir():
        _read_answers(warm, plan)
    before = _evaluate(warm, plan)
    print(f"warm start: {before.summary.pass_at[1].percent()}", flush=True)
    outcomes = []
    for seed in seeds:
        found = _run_seed(folder / f"seed-{seed}", warm, before, seed, plan)
        print(found, flush=True)
        outcomes.append(found)
    return outcomes


def options(split: str, plan: Plan) -> dict[str, Any]:
    """Arguments of the environment."""
    return {"split": split, "difficulty": list(plan.difficulty), "prompt": "short", "max_turns": plan.turns}


def _read_answers(out: Path, plan: Plan) -> None:
    began = time.perf_counter()
    epochs = 1 + plan.warm_tokens * plan.warm_steps // (_SHORTEST * plan.train_tasks)
    config = SFTConfig(epochs=epochs, max_steps=plan.warm_steps, batch_tokens=plan.warm_tokens, learning_rate=2e-3)

    def show(step: SFTStep) -> None:
        if step.step % 25 == 0 or step.step == step.total_steps:
            seconds = time.perf_counter() - began
            print(f"gold answers: step {step.step}, loss {step.loss:.3f}, {seconds:.0f} s", flush=True)

    imitate(warm_start(), out, ENV, options("train", plan), limit=plan.train_tasks, config=config, on_step=show)


def _run_seed(out: Path, warm: Path, before: Evaluation, seed: int, plan: Plan) -> Outcome:
    began = time.perf_counter()
    after = _evaluate(_train(out, warm, seed, plan), plan)
    return Outcome(
        seed=seed,
        warm=before.summary.pass_at[1],
        trained=after.summary.pass_at[1],
        gain=compare(before.trajectories, after.trajectories, seed=seed),
        measures={name: (_mean(before, name), _mean(after, name)) for name in MEASURES},
        answers=float(np.mean([len(one.turns) for one in after.trajectories])),
        seconds=time.perf_counter() - began,
    )


def _mean(evaluation: Evaluation, term: str) -> float:
    found = [one.reward_terms[term] for one in evaluation.trajectories if term in one.reward_terms]
    return float(np.mean(found)) if found else float("nan")


def _train(out: Path, model: Path, seed: int, plan: Plan) -> Path:
    return run_grpo(
        out,
        model,
        ENV,
        options("train", plan),
        seed=seed,
        iterations=plan.iterations,
        prompts_per_step=plan.prompts,
        max_new_tokens=MAX_NEW_TOKENS,
    )


def _evaluate(policy: Path, plan: Plan) -> Evaluation:
    return run_held_out(
        policy,
        ENV,
        options("heldout", plan),
        samples=plan.samples,
        limit=plan.held_out,
        max_new_tokens=MAX_NEW_TOKENS,
    )


if __name__ == "__main__":
    main(__doc__ or "", Plan, measure)
