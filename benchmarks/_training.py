"""What measurements of GRPO share: its settings, a run, an evaluation on held-out tasks, and a command line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from bai.agents.train import TrainConfig, train
from bai.evals.metrics import Estimate
from bai.evals.run import EvalConfig, Evaluation, evaluate
from bai.policy import Sampling

SEEDS = (0, 1, 2)
SETTINGS: Mapping[str, Any] = {
    "group_size": 8,
    "env_concurrency": 4,
    "method": "dapo",
    "steps_per_batch": 1,
    "lr": 3e-4,
    "beta2": 0.98,
    "lr_schedule": "cosine",
    "warmup_steps": 4,
    "final_fraction": 0.1,
}
"""Settings of GRPO. One optimizer step an iteration: in more than half of the groups all attempts end alike, so that a
quarter of a batch would rest on some twenty episodes, and four steps of that were seen to unlearn."""

P = TypeVar("P")


def run_grpo(
    out: Path, model: Path, env: str, options: Mapping[str, Any], *, seed: int, iterations: int, **settings: Any
) -> Path:
    """Trains, or goes on where a run in ``out`` stopped; prints each iteration, and gives the policy's folder."""
    given = {**SETTINGS, **settings}
    given["total_steps"] = given["steps_per_batch"] * iterations
    config = TrainConfig(
        model=model,
        out=out,
        env=env,
        env_config=options,
        iterations=iterations,
        seed=seed,
        settings=given,
        resume=True,
        checkpoint_every=4,
    )
    return train(
        config,
        on_progress=lambda step: print(
            f"{out.parent.name}/{out.name}, iteration {step.iteration}: reward {step.metrics['reward']:.3f}, "
            f"{step.metrics['step_time']:.0f} s (sampling {step.metrics['time/sample']:.0f} s)",
            flush=True,
        ),
    ).policy


def run_held_out(
    policy: Path,
    env: str,
    options: Mapping[str, Any],
    *,
    samples: int,
    limit: int,
    max_new_tokens: int,
    seed: int = 0,
) -> Evaluation:
    """Has a policy answer tasks that it never saw."""
    config = EvalConfig(
        policy=f"checkpoint:{policy}",
        env=env,
        env_options=options,
        samples=samples,
        limit=limit,
        sampling=Sampling(max_new_tokens=max_new_tokens),
        seed=seed,
        batch=256,
        threads=4,
    )
    return evaluate(config)


def points(gain: Estimate) -> str:
    """Writes a gain in points, with its interval."""
    return f"{100 * gain.value:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def main(description: str, plan_type: type[P], measure: Callable[[Path, Sequence[int], P], list[Any]]) -> None:
    """Runs a measurement as a program, with sizes of one's own, and writes ``report.json`` into its folder.

    Settings of GRPO stand in the ``config.json`` of each run.

    Args:
        description: For ``--help``.
        plan_type: A dataclass whose fields all have defaults: each becomes an option.
        measure: Takes the folder, the seeds and the plan; gives dataclasses.
    """
    parser = argparse.ArgumentParser(description=description.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for tasks, the warm start and runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="default: 0 1 2")
    defaults: dict[str, Any] = asdict(plan_type())  # type: ignore[call-overload]
    for name, default in defaults.items():
        nargs = "+" if isinstance(default, tuple) else None
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, nargs=nargs, default=default, help=f"default: {default}"
        )
    given = vars(parser.parse_args())
    sizes = {name: tuple(given[name]) if isinstance(given[name], list) else given[name] for name in defaults}
    outcomes = measure(given["out"], given["seeds"], plan_type(**sizes))
    report = {"plan": sizes, "seeds": [asdict(one) for one in outcomes]}
    (given["out"] / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
