"""GRPO on repairs of one function: what the reward teaches, beside what shuffled rewards do, over three seeds.

The shipped `nano` model first reads gold answers of micro repairs until it writes diffs. This warm start is trained
with GRPO in bai/SWEBench-v0 (`mode="patch"`), for each seed once with its rewards and once with each iteration's
rewards dealt out at random. All three policies answer the same held-out tasks, whose functions behave like none in
training, with the same seeds.

The folder keeps what is done: run again, it goes on with the rows, the warm start and the seeds that are there.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bai.agents.imitation import imitate
from bai.agents.sft import SFTConfig, SFTStep
from bai.envs.tasks.micro_repair import make_micro_repairs
from bai.evals.demo import warm_start
from bai.evals.metrics import Estimate
from bai.evals.run import Evaluation
from bai.evals.summary import compare
from benchmarks._measure import Figure
from benchmarks._training import SEEDS, main, points, run_grpo, run_held_out

ENV = "bai/SWEBench-v0"
MAX_NEW_TOKENS = 128
"""Of an answer."""
LR = 6e-4
"""Learning rate: steps are fewer here than in the other measurements, for every answer that applies is run."""
_MOST_ANSWERS = 32
"""Gold answers that 2048 tokens may hold, with their prompts."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is done."""

    train_tasks: int = 4000
    """Tasks that gold answers are read of, and that GRPO draws from."""
    held_out: int = 100
    """Tasks that policies are measured on."""
    samples: int = 2
    """Answers to each of them."""
    difficulty: tuple[int, ...] = (1, 2, 3)
    """Operations of a function."""
    warm_steps: int = 1000
    """Optimizer steps on gold answers, of 2048 tokens; taken once, for all seeds."""
    iterations: int = 24
    """Iterations of GRPO."""
    prompts: int = 32
    """Tasks of an iteration, each answered eight times."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one seed."""

    seed: int
    warm: Estimate
    """pass@1 of the warm start on held-out tasks."""
    trained: Estimate
    """After GRPO."""
    shuffled: Estimate
    """After GRPO with shuffled rewards."""
    gain: Estimate
    """Of GRPO, in pass@1; paired by task."""
    shuffled_gain: Estimate
    """Of GRPO with shuffled rewards."""
    seconds: float
    """Of training and measuring, without the tasks and the warm start."""

    def __str__(self) -> str:
        gains = [points(self.gain), points(self.shuffled_gain)]
        return (
            f"seed {self.seed}: warm {self.warm.percent()}; trained {self.trained.percent()}, {gains[0]}; "
            f"shuffled {self.shuffled.percent()}, {gains[1]}; {self.seconds:.0f} s"
        )


def run() -> dict[str, Figure]:
    """Runs three seeds in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bai-repair-training-") as folder:
        outcomes = measure(Path(folder), SEEDS, Plan())
    return {
        f"{name}, seed {one.seed}": Figure(value=100 * gain.value, unit="points", note=str(one))
        for one in outcomes
        for name, gain in (("gain", one.gain), ("gain with shuffled rewards", one.shuffled_gain))
    }


def measure(folder: Path, seeds: Sequence[int], plan: Plan) -> list[Outcome]:
    """Makes the tasks and the warm start, and runs every seed; prints each as it is done."""
    began = time.perf_counter()
    train_rows = _rows(folder / "rows", "train", plan.train_tasks, plan)
    held_out_rows = _rows(folder / "rows", "heldout", plan.held_out, plan)
    print(f"{plan.train_tasks} + {plan.held_out} tasks in {time.perf_counter() - began:.0f} s", flush=True)
    given, held_out = options(train_rows), options(held_out_rows)
    warm = _read_answers(folder / "warm", given, plan)
    outcomes = []
    for seed in seeds:
        found = _run_seed(folder / f"seed-{seed}", warm, seed, plan, given, held_out)
        print(found, flush=True)
        outcomes.append(found)
    return outcomes


def _rows(folder: Path, split: Literal["train", "heldout"], size: int, plan: Plan) -> Path:
    made = folder / f"{split}.jsonl"
    return made if made.exists() else make_micro_repairs(folder, split, size, difficulty=plan.difficulty)


def options(rows: Path) -> dict[str, Any]:
    """Arguments of the environment."""
    return {"task_set": str(rows), "mode": "patch", "prompt": "short"}


def _read_answers(out: Path, given: dict[str, Any], plan: Plan) -> Path:
    """Makes the warm start, unless it is there."""
    if (out / "config.json").exists():
        return out
    epochs = 1 + _MOST_ANSWERS * plan.warm_steps // plan.train_tasks
    config = SFTConfig(epochs=epochs, max_steps=plan.warm_steps, batch_tokens=2048, learning_rate=2e-3)

    def show(step: SFTStep) -> None:
        if step.step % 50 == 0 or step.step == step.total_steps:
            print(f"gold answers: step {step.step}, loss {step.loss:.3f}, {step.seconds:.0f} s", flush=True)

    imitate(warm_start(), out, ENV, given, config=config, on_step=show)
    return out


def _run_seed(out: Path, warm: Path, seed: int, plan: Plan, given: dict[str, Any], held_out: dict[str, Any]) -> Outcome:
    began = time.perf_counter()
    arms: dict[str, dict[str, Any]] = {"trained": {}, "shuffled": {"shuffle_rewards": True}}
    trained = {name: _train(out / name, warm, given, seed, plan, more) for name, more in arms.items()}
    found = {name: _evaluate(policy, held_out, seed, plan) for name, policy in {"warm": warm, **trained}.items()}
    gains = {name: compare(found["warm"].trajectories, found[name].trajectories, seed=seed) for name in arms}
    return Outcome(
        seed=seed,
        **{name: one.summary.pass_at[1] for name, one in found.items()},
        gain=gains["trained"],
        shuffled_gain=gains["shuffled"],
        seconds=time.perf_counter() - began,
    )


def _train(out: Path, warm: Path, given: dict[str, Any], seed: int, plan: Plan, more: Mapping[str, Any]) -> Path:
    return run_grpo(
        out,
        warm,
        ENV,
        given,
        seed=seed,
        iterations=plan.iterations,
        prompts_per_step=plan.prompts,
        max_new_tokens=MAX_NEW_TOKENS,
        lr=LR,
        **more,
    )


def _evaluate(policy: Path, held_out: dict[str, Any], seed: int, plan: Plan) -> Evaluation:
    return run_held_out(
        policy,
        ENV,
        held_out,
        samples=plan.samples,
        limit=plan.held_out,
        max_new_tokens=MAX_NEW_TOKENS,
        seed=seed,
    )


if __name__ == "__main__":
    main(__doc__ or "", Plan, measure)
