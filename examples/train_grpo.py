"""Trains a model with GRPO through RLlib, and goes on where it stopped when it is run again.

    python examples/train_grpo.py MODEL_DIR [OUT_DIR]

MODEL_DIR is any transformers causal language model with its tokenizer; the warm start that ships
with bai is the default. Ten iterations of it take about two minutes on two CPU cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bai.agents.train import Progress, TrainConfig, train
from bai.evals.demo import warm_start


def show(step: Progress) -> None:
    reward, seconds = step.metrics["reward"], step.metrics["step_time"]
    print(f"iteration {step.iteration:3d}/{step.iterations}  reward {reward:.3f}  {seconds:.1f} s")


def main(model: str | None = None, out: str = "runs/train_grpo") -> None:
    result = train(
        TrainConfig(
            model=model or warm_start(),
            out=Path(out),
            env_config={"task_set": "micro", "split": "train", "difficulty": [1, 2]},
            iterations=10,
            settings={"group_size": 16, "prompts_per_step": 16, "max_new_tokens": 96, "lr": 2e-4},
            checkpoint_every=5,
            resume=True,
        ),
        on_progress=show,
    )
    print(f"trained policy: {result.policy}\nevaluate it with: bai eval --policy checkpoint:{result.policy}")


if __name__ == "__main__":
    main(*sys.argv[1:])
