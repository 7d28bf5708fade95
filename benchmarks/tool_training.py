"""GRPO in bai/ToolUse-v0: what it gains on held-out tasks, over several turns and three seeds.

The shipped `nano` model first reads gold answers of generated tasks: calls, what came back, and the answer that ends
the turn. This warm start is trained with GRPO for each seed. Both policies do the same held-out tasks with the same
seeds; what they were asked for there was asked for nowhere in training.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bai.agents.imitation import imitate
from bai.agents.sft import SFTConfig, SFTStep
from bai.agents.train import TrainConfig, train
from bai.envs.grading.tools.base import MEASURES
from bai.evals.demo import warm_start
from bai.evals.metrics import Estimate
from bai.evals.run import EvalConfig, Evaluation, evaluate
from bai.evals.summary import compare
from bai.policy import Sampling
from benchmarks._measure import Figure

ENV = "bai/ToolUse-v0"
SEEDS = (0, 1, 2)
SETTINGS: Mapping[str, Any] = {
    "group_size": 8,
    "max_new_tokens": 64,
    "env_concurrency": 4,
    "method": "dapo",
    "steps_per_batch": 4,
    "lr": 2e-4,
    "beta2": 0.98,
    "warmup_steps": 3,
}
"""Settings of GRPO."""
_SHORTEST = 32
"""Tokens that every dialogue has."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is done."""

    train_tasks: int = 1200
    """Tasks that gold answers are read of; GRPO draws from all there are."""
    held_out: int = 100
    """Tasks that policies are measured on."""
    samples: int = 2
    """Attempts at each of them."""
    difficulty: tuple[int, ...] = (1,)
    """Of the tasks."""
    warm_steps: int = 600
    """Optimizer steps on gold answers; taken once, for all seeds."""
    warm_tokens: int = 1024
    """Tokens of such a step."""
    iterations: int = 20
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
        gain = f"{100 * self.gain.value:+.1f} points [{100 * self.gain.low:+.1f}, {100 * self.gain.high:+.1f}]"
        measures = ", ".join(f"{name} {before:.3f} to {after:.3f}" for name, (before, after) in self.measures.items())
        return (
            f"seed {self.seed}: warm {self.warm.percent()}, trained {self.trained.percent()}, {gain}; {measures}; "
            f"{self.answers:.1f} answers an episode; {self.seconds:.0f} s"
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
    result = train(
        TrainConfig(
            model=model,
            out=out,
            env=ENV,
            env_config=options("train", plan),
            iterations=plan.iterations,
            seed=seed,
            settings={**SETTINGS, "prompts_per_step": plan.prompts},
            checkpoint_every=0,
        ),
        on_progress=lambda step: print(
            f"seed {seed}, iteration {step.iteration}: reward {step.metrics['reward']:.3f}, "
            f"{step.metrics['step_time']:.0f} s (sampling {step.metrics['time/sample']:.0f} s)",
            flush=True,
        ),
    )
    return result.policy


def _evaluate(policy: Path, plan: Plan) -> Evaluation:
    config = EvalConfig(
        policy=f"checkpoint:{policy}",
        env=ENV,
        env_options=options("heldout", plan),
        samples=plan.samples,
        limit=plan.held_out,
        sampling=Sampling(max_new_tokens=int(SETTINGS["max_new_tokens"])),
        batch=256,
        threads=4,
    )
    return evaluate(config)


def main() -> None:
    """Runs it as a program, with sizes of one's own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the warm start and the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="default: 0 1 2")
    for name, default in asdict(Plan()).items():
        nargs = "+" if isinstance(default, tuple) else None
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, nargs=nargs, default=default, help=f"default: {default}"
        )
    given = vars(parser.parse_args())
    sizes: dict[str, Any] = {name: given[name] for name in asdict(Plan())}
    plan = Plan(**{**sizes, "difficulty": tuple(sizes["difficulty"])})
    outcomes = measure(given["out"], given["seeds"], plan)
    report = {"plan": asdict(plan), "settings": dict(SETTINGS), "seeds": [asdict(one) for one in outcomes]}
    (given["out"] / "tool_training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
