"""The demonstration: a warm start, GRPO, and what it gained on tasks held out from training.

One seed drives everything: which prompts are trained on, what is sampled, and the bootstrap.
The two evaluations see the same held-out tasks and draw with the same seeds, so the difference
is paired; its interval resamples tasks, not samples.
"""

from __future__ import annotations

import ast
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from bai.agents.train import Progress, TrainConfig, train
from bai.envs.grading.answers import extract_code
from bai.errors import CheckpointError
from bai.evals.curves import read_curve
from bai.evals.metrics import Estimate
from bai.evals.report import Condition, Curve, write_report
from bai.evals.run import EvalConfig, Evaluation, evaluate
from bai.evals.summary import compare
from bai.policy import Sampling
from bai.types import Trajectory

__all__ = ["TASKS", "TRAINING", "DemoConfig", "DemoResult", "run_demo", "warm_start"]

TASKS: Mapping[str, Any] = {"task_set": "micro", "difficulty": [1, 2, 3]}
"""What the demonstration trains on and is measured on; the splits differ."""

ITERATIONS = 60
"""Iterations of GRPO."""

TRAINING: Mapping[str, Any] = {
    "prompts_per_step": 32,
    "group_size": 8,
    "max_new_tokens": 96,
    "env_concurrency": 16,
    "method": "dapo",
    "steps_per_batch": 4,
    "lr": 6e-4,
    "beta2": 0.98,
    "lr_schedule": "cosine",
    "warmup_steps": 5,
    "total_steps": 4 * ITERATIONS,
    "final_fraction": 0.1,
}
"""Settings of GRPO (:class:`bai.agents.grpo.settings.GRPOSettings`)."""


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """What to run."""

    seed: int = 1
    """Drives training, evaluation and the bootstrap."""
    out: Path
    """Folder of the run; must not hold one yet."""
    tasks: int = 256
    """Held-out programs, pairwise of different behaviour."""
    samples: int = 4
    """Answers to each."""
    iterations: int = ITERATIONS
    """Iterations of GRPO."""
    settings: Mapping[str, Any] = field(default_factory=lambda: dict(TRAINING))
    """Settings of GRPO."""
    model: Path | None = None
    """Directory of the model to start from; None for the warm start that ships with the package."""


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What came of it."""

    base: Estimate
    """pass@1 of the warm start on held-out tasks."""
    trained: Estimate
    """pass@1 after GRPO."""
    gain: Estimate
    """Trained minus base; paired bootstrap clustered by task."""
    parsing: float
    """Share of the warm start's answers that are Python."""
    seconds: float
    """Wall-clock time of the whole."""
    report: Path
    """The report."""

    def to_json(self) -> dict[str, Any]:
        """Gives the object that ``make demo`` prints last."""
        return {
            "base": round(self.base.value, 4),
            "trained": round(self.trained.value, 4),
            "ci_low": round(self.gain.low, 4),
            "ci_high": round(self.gain.high, 4),
            "seconds": round(self.seconds, 1),
            "report": str(self.report),
        }


def warm_start() -> Path:
    """Gives the directory of the warm start that ships with the package.

    Raises:
        CheckpointError: The package was built without it.
    """
    folder = Path(str(files("bai"))) / "assets" / "nano"
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"the warm start is missing from {folder}; examples/make_warm_start.py makes it")
    return folder


def run_demo(config: DemoConfig, *, on_progress: Callable[[str, int, int, str], None] = lambda *_: None) -> DemoResult:
    """Evaluates the warm start, trains it, evaluates again and writes the report.

    Args:
        config: What to run.
        on_progress: Called with (phase, done, total, note); phases are ``base``, ``training`` and ``trained``.

    Raises:
        ConfigError: ``config.out`` holds a run already.
        CheckpointError: There is no model to start from.
        TrainingError: Training could not go on.
    """
    began = time.perf_counter()
    start = config.model or warm_start()
    base = _evaluate(config, start, "base", on_progress)

    def hear(progress: Progress) -> None:
        note = f"reward {progress.metrics.get('reward', float('nan')):.2f}"
        on_progress("training", progress.iteration, progress.iterations, note)

    run = train(_training(config, start), on_progress=hear)
    trained = _evaluate(config, run.policy, "trained", on_progress)
    report = _report(config, base, trained, read_curve(run.metrics_file))
    return DemoResult(
        base=base.summary.pass_at[1],
        trained=trained.summary.pass_at[1],
        gain=compare(base.trajectories, trained.trajectories, seed=config.seed),
        parsing=parsing_share(base.trajectories),
        seconds=time.perf_counter() - began,
        report=report,
    )


def _training(config: DemoConfig, start: Path) -> TrainConfig:
    return TrainConfig(
        model=start,
        out=config.out / "train",
        env_config={**TASKS, "split": "train"},
        iterations=config.iterations,
        seed=config.seed,
        settings=config.settings,
        checkpoint_every=0,
        save_trajectories=16,
    )


def _evaluate(
    config: DemoConfig, model: Path, name: str, on_progress: Callable[[str, int, int, str], None]
) -> Evaluation:
    evaluation = EvalConfig(
        policy=f"checkpoint:{model}",
        env_options={**TASKS, "split": "heldout"},
        samples=config.samples,
        limit=config.tasks,
        sampling=Sampling(max_new_tokens=int(config.settings["max_new_tokens"])),
        seed=config.seed,
        batch=512,
    )
    return evaluate(
        evaluation, out=config.out / name, on_progress=lambda done, total: on_progress(name, done, total, "")
    )


def _report(config: DemoConfig, base: Evaluation, trained: Evaluation, curve: Curve) -> Path:
    facts = {
        "tasks": f"{config.tasks} held-out programs of micro, difficulty 1 to 3",
        "samples a task": config.samples,
        "iterations": config.iterations,
        **config.settings,
        "seed": config.seed,
    }
    conditions = [
        Condition(name="base", trajectories=base.trajectories),
        Condition(name="trained", trajectories=trained.trajectories),
    ]
    title = "GRPO on bai/Coding-v0"
    return write_report(
        config.out / "report.html", conditions, title=title, training=[curve], facts=facts, seed=config.seed
    )


def parsing_share(trajectories: Iterable[Trajectory]) -> float:
    """Share of the answers that are syntactically valid Python and hold something; NaN if there is none."""
    answers = [turn.action for trajectory in trajectories for turn in trajectory.turns]
    return sum(map(_parses, answers)) / len(answers) if answers else float("nan")


def _parses(answer: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return bool(ast.parse(extract_code(answer)).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
