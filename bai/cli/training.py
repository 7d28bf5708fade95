"""``bai train``, ``bai demo`` and ``bai bench``."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import bai
from bai.cli.output import (
    Difficulty,
    EnvironmentArguments,
    assignments,
    difficulties,
    env_id,
    env_options,
    out,
    phases,
    print_json,
    progress,
)
from bai.errors import ConfigError

if TYPE_CHECKING:
    from bai.agents.train import TrainResult

__all__ = ["bench", "demo", "model_directory", "train"]


def model_directory(name_or_path: Path) -> Path:
    """Gives the directory of the model that ships with bai for ``nano``, unless there is one of that name here."""
    if str(name_or_path) != "nano" or name_or_path.exists():
        return name_or_path
    from bai.evals.demo import warm_start

    return warm_start()


def train(
    model: Annotated[
        Path, typer.Option(help="Directory of a causal language model and its tokenizer, or nano: the one of bai.")
    ],
    folder: Annotated[Path, typer.Option("--out", help="Directory of the run.")],
    task_set: Annotated[
        str | None,
        typer.Option(
            help="A name (see `bai tasks list`) or a file of rows; if left out, micro, or another --env's default."
        ),
    ] = None,
    env: Annotated[str | None, typer.Option(help="Gymnasium id; the one the task set is for if left out.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of the task set; `train` for micro.")] = None,
    difficulty: Difficulty = None,
    option: EnvironmentArguments = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of a GRPO setting (docs/training.md); may be repeated."),
    ] = None,
    iterations: Annotated[int, typer.Option(help="Iterations of the whole run.")] = 100,
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
    env_runners: Annotated[int, typer.Option(help="Sampling processes; 0 samples in this one.")] = 0,
    learners: Annotated[int, typer.Option(help="Learning processes; 0 learns in this one.")] = 0,
    gpus_per_learner: Annotated[float, typer.Option(help="GPUs of each learner.")] = 0,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster: auto or HOST:PORT; one is started here if left out.")
    ] = None,
    checkpoint_every: Annotated[int, typer.Option(help="Iterations between checkpoints.")] = 10,
    save_trajectories: Annotated[int, typer.Option(help="Trajectories of each iteration to keep.")] = 16,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Trains a model with GRPO through RLlib; a run that was killed goes on with --resume."""
    levels = difficulties(difficulty or ()) or None
    chosen = env_id(env, task_set)  # refuses a set that is not there, before what takes seconds to import

    from bai.agents.train import Progress, TrainConfig
    from bai.agents.train import train as run

    config = TrainConfig(
        model=model_directory(model),
        out=folder,
        env=chosen,
        env_config=env_options(chosen, option or [], task_set=task_set, split=split, difficulty=levels),
        iterations=iterations,
        seed=seed,
        settings=assignments(setting or []),
        num_env_runners=env_runners,
        num_learners=learners,
        num_gpus_per_learner=gpus_per_learner,
        ray_address=ray_address,
        checkpoint_every=checkpoint_every,
        save_trajectories=save_trajectories,
        resume=resume,
    )
    with progress("training") as listen:

        def hear(step: Progress) -> None:
            listen(step.iteration, step.iterations, f"reward {step.metrics.get('reward', float('nan')):.3f}")

        result = run(config, on_progress=hear)
    _tell(result, as_json=as_json)


def _tell(result: TrainResult, *, as_json: bool) -> None:
    if as_json:
        print_json({name: str(v) if isinstance(v, Path) else v for name, v in asdict(result).items()})
        return
    reward = f", reward {result.metrics['reward']:.3f}" if "reward" in result.metrics else ""
    out.print(f"{result.iterations} iterations in {result.seconds:.0f} s{reward}", markup=False)
    out.print(f"policy: {result.policy} (bai eval --policy checkpoint:{result.policy})", markup=False)
    out.print(f"metrics: {result.metrics_file}", markup=False)


def demo(
    seed: Annotated[int, typer.Option(help="Seeds training and evaluation.")] = 1,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder of the run; runs/demo-SEED if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the last line only: one JSON object.")] = False,
) -> None:
    """Trains the shipped warm start with GRPO and shows, on held-out tasks, that it got better.

    The last line is one JSON object: base, trained, ci_low, ci_high (of the gain), seconds and report.
    """
    from bai.evals.demo import DemoConfig, run_demo

    config = DemoConfig(seed=seed, out=folder or Path("runs") / f"demo-{seed}")
    with phases() as listen:
        result = run_demo(config, on_progress=listen)
    if not as_json:
        out.print(f"base     pass@1 {result.base.percent()}   {100 * result.parsing:.1f} % parse", markup=False)
        out.print(f"trained  pass@1 {result.trained.percent()}", markup=False)
        points = [f"{100 * value:+.1f}" for value in (result.gain.value, result.gain.low, result.gain.high)]
        out.print(f"gain     {points[0]} points [{points[1]}, {points[2]}] in {result.seconds:.0f} s", markup=False)
        out.print(f"report   {result.report}", markup=False)
    print(json.dumps(result.to_json()))


def bench(context: typer.Context) -> None:
    """Runs the benchmarks of a checkout, side by side with their peers; arguments are passed on."""
    root = Path(bai.__file__).resolve().parent.parent
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise ConfigError(f"the benchmarks are part of a checkout, not of an installed package; {root} holds none")
    done = subprocess.run([sys.executable, "-m", "benchmarks", *context.args], cwd=root, check=False)
    raise typer.Exit(done.returncode)
