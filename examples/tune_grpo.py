"""Searches over the learning rate with Ray Tune: two trials, three iterations each.

python examples/tune_grpo.py [MODEL_DIR]
"""

from __future__ import annotations

import sys
from pathlib import Path

from ray import tune

from bai.agents.grpo import GRPO, GRPOConfig
from bai.agents.grpo.startup import start_ray
from bai.evals.demo import warm_start


def main(model: str | None = None) -> None:
    space = (
        GRPOConfig()
        .environment("bai/Coding-v0", env_config={"task_set": "micro", "split": "train", "difficulty": [1]})
        .training(
            model_dir=str(Path(model or warm_start()).absolute()),
            group_size=8,
            prompts_per_step=8,
            max_new_tokens=64,
            lr=tune.grid_search([1e-4, 3e-4]),
        )
    )
    start_ray(num_cpus=2)
    stop = {"training_iteration": 3}
    results = tune.Tuner(GRPO, param_space=space, run_config=tune.RunConfig(stop=stop, verbose=1)).fit()
    for result in results:
        rate = result.metrics["learners"]["default_policy"]["learning_rate"]
        print(f"learning rate {rate:g}: reward {result.metrics['grpo']['reward']:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
