"""A training run in a directory: started, watched, killed, resumed.

    result = train(TrainConfig(model="runs/warm", out="runs/first", env_config={"task_set": "micro"}))

The directory of a run::

    config.json          what was asked for
    metrics.jsonl        one object an iteration, the names of docs/training.md
    tensorboard/         the same as event files
    trajectories/        000007.jsonl: some of what iteration 7 sampled
    checkpoints/         000010/: whole, sealed, resumable
    policy/              the trained policy, a plain transformers directory

Killed at any moment, a run goes on from its last checkpoint with ``resume=True``, and ends with
the weights it would have had. While a process trains in a directory, no other one can.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bai.agents.environments import check_arguments
from bai.agents.lock import directory_lock
from bai.agents.policies.factory import expect_model
from bai.agents.run_log import RunLog
from bai.errors import ConfigError
from bai.types import write_trajectories

if TYPE_CHECKING:
    from bai.agents.grpo.algorithm import GRPO
    from bai.agents.grpo.config import GRPOConfig

__all__ = ["Progress", "TrainConfig", "TrainResult", "train"]

_MAY_CHANGE = {
    "out",
    "iterations",
    "resume",
    "checkpoint_every",
    "keep_checkpoints",
    "save_trajectories",
    "tensorboard",
    "ray_address",
}
"""Fields that a resumed run may change; any other would make it another run."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A run of GRPO."""

    model: str | Path
    """Directory of a transformers causal language model and its tokenizer."""
    out: str | Path
    """Directory of the run; made if absent."""
    env: str = "bai/Coding-v0"
    """Gymnasium id; ``module:id`` imports the module first."""
    env_config: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``gym.make``; JSON values."""
    iterations: int = 100
    """Iterations of the whole run, those before a resume included; at least 1."""
    seed: int = 0
    """Everything drawn at random derives from it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of :class:`~bai.agents.grpo.settings.GRPOSettings`, such as ``{"group_size": 16, "lr": 2e-4}``; among them
    ``mixture``, which mixes environments in exact shares (:mod:`bai.agents.grpo.mixing`)."""
    num_env_runners: int = 0
    """Sampling processes; 0 samples in this one."""
    num_learners: int = 0
    """Learning processes; 0 learns in this one."""
    num_gpus_per_learner: float = 0
    """GPUs of each learner."""
    ray_address: str | None = None
    """A running Ray cluster's, such as ``auto`` or ``HOST:6379``, whose machines all see ``model`` and ``out``. None
    takes this process's session, or starts one on this machine."""
    checkpoint_every: int = 10
    """Iterations between checkpoints; the last iteration always makes one; 0 for no other."""
    keep_checkpoints: int = 2
    """Newest checkpoints kept; at least 1."""
    save_trajectories: int = 0
    """Trajectories of each iteration written out, whole groups first; 0 for none."""
    tensorboard: bool = True
    """Whether to write event files."""
    resume: bool = False
    """Whether to go on from the last checkpoint in ``out``; without one the run starts from the beginning."""

    def __post_init__(self) -> None:
        least_of = {"iterations": 1, "checkpoint_every": 0, "keep_checkpoints": 1, "save_trajectories": 0}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least}; got {getattr(self, name)}")
        if "model_dir" in self.settings:
            raise ConfigError("give the model by TrainConfig.model, not by settings['model_dir']")

    def to_json(self) -> dict[str, Any]:
        """Gives plain JSON values."""
        return {**asdict(self), "model": str(self.model), "out": str(self.out)}

    def algorithm_config(self) -> GRPOConfig:
        """Gives RLlib's configuration of this run.

        Raises:
            ConfigError: There is no such setting.
        """
        from bai.agents.grpo.config import GRPOConfig

        config: GRPOConfig = (
            GRPOConfig()
            .environment(env=self.env, env_config=dict(self.env_config))
            .training(model_dir=str(Path(self.model).absolute()), **self.settings)
            .env_runners(num_env_runners=self.num_env_runners)
            .learners(num_learners=self.num_learners, num_gpus_per_learner=self.num_gpus_per_learner)
            .debugging(seed=self.seed)
        )
        return config


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is told after each iteration."""

    iteration: int
    """Iterations finished."""
    iterations: int
    """Iterations wanted."""
    metrics: Mapping[str, float]
    """Of the iteration, by the names of docs/training.md."""


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a run leaves behind."""

    policy: Path
    """The trained policy: give ``checkpoint:DIR`` to ``bai eval``."""
    checkpoint: Path
    """The last checkpoint."""
    metrics_file: Path
    """JSON lines."""
    metrics: Mapping[str, float]
    """Of the last iteration; empty if none was left to run."""
    iterations: int
    """Iterations finished in all."""
    seconds: float
    """Wall-clock time of this call."""


def train(config: TrainConfig, *, on_progress: Callable[[Progress], None] | None = None) -> TrainResult:
    """Runs GRPO until the wanted iterations are done.

    Args:
        config: The run.
        on_progress: Called after every iteration.

    Raises:
        ConfigError: A setting or an argument of the environment is wrong, ``out`` holds another run, or another
            process is training there.
        CheckpointError: The checkpoint to resume from is damaged or another model's.
        TrainingError: The run cannot go on; it can be resumed.
    """
    run = _RunDirectory(Path(config.out))
    _expect_possible(config, run)
    algorithm_config = config.algorithm_config()
    algorithm_config.validate()
    for part in algorithm_config.settings.parts or ("",):
        check_arguments(*algorithm_config.environment_of(part))
    with directory_lock(run.root, "training in"):
        run.claim(config)
        try:
            return _run(config, algorithm_config, run, on_progress)
        except BaseException:
            run.abandon()
            raise


def _expect_possible(config: TrainConfig, run: _RunDirectory) -> None:
    """Refuses what can be told to be wrong before Ray is imported, which takes seconds."""
    from bai.agents.grpo.names import expect_settings
    from bai.agents.grpo.settings import GRPOSettings

    run.expect_free_for(config)
    expect_settings(config.settings)
    if not GRPOSettings(**config.settings).parts:  # a mixture's are merged with those of its parts first
        check_arguments(config.env, config.env_config)
    expect_model(Path(config.model))


def _run(
    config: TrainConfig,
    algorithm_config: GRPOConfig,
    run: _RunDirectory,
    on_progress: Callable[[Progress], None] | None,
) -> TrainResult:
    from bai.agents.grpo.checkpoint import latest_checkpoint
    from bai.agents.grpo.startup import needed_cpus, needed_gpus, start_ray, stop_ray

    began = time.perf_counter()
    started_ray = start_ray(
        cpus_needed=needed_cpus(algorithm_config),
        gpus_needed=needed_gpus(algorithm_config),
        address=config.ray_address,
    )
    try:
        algorithm = algorithm_config.build_algo()
        try:
            checkpoint = latest_checkpoint(run.checkpoints)
            if checkpoint is not None:
                algorithm.restore_from(checkpoint)
            metrics = _iterate(algorithm, config, run, on_progress)
            checkpoint = latest_checkpoint(run.checkpoints)
            assert checkpoint is not None
            run.publish(checkpoint)
            return TrainResult(
                policy=run.policy,
                checkpoint=checkpoint,
                metrics_file=run.metrics,
                metrics=metrics,
                iterations=algorithm.iteration,
                seconds=time.perf_counter() - began,
            )
        finally:
            algorithm.stop()
    finally:
        if started_ray:
            stop_ray()


def _iterate(
    algorithm: GRPO, config: TrainConfig, run: _RunDirectory, on_progress: Callable[[Progress], None] | None
) -> dict[str, float]:
    """Runs the iterations that are left; gives the metrics of the last."""
    from bai.agents.grpo.metrics import flatten_result

    metrics: dict[str, float] = {}
    events = run.tensorboard if config.tensorboard else None
    with RunLog(run.metrics, algorithm.iteration, events=events) as log:
        while algorithm.iteration < config.iterations:
            metrics = flatten_result(algorithm.train())
            iteration = algorithm.iteration
            log.write(iteration, metrics)
            run.write_trajectories(iteration, algorithm.last_trajectories[: config.save_trajectories])
            if iteration == config.iterations or (config.checkpoint_every and iteration % config.checkpoint_every == 0):
                algorithm.save_to(run.checkpoints / f"{iteration:06d}")
                run.prune(config.keep_checkpoints)
            if on_progress is not None:
                on_progress(Progress(iteration=iteration, iterations=config.iterations, metrics=metrics))
    return metrics


class _RunDirectory:
    """Names and care of a run's files."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.config = self.root / "config.json"
        self.metrics = self.root / "metrics.jsonl"
        self.tensorboard = self.root / "tensorboard"
        self.trajectories = self.root / "trajectories"
        self.checkpoints = self.root / "checkpoints"
        self.policy = self.root / "policy"
        self._is_new = False

    def claim(self, config: TrainConfig) -> None:
        """Makes the directory this run's.

        Raises:
            ConfigError: It holds a run already, or, when resuming, one of other settings.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self._is_new = not self.config.exists()
        self.expect_free_for(config)
        wanted = _plain(config)
        scratch = self.config.with_suffix(".partial")
        scratch.write_text(json.dumps(wanted, indent=1, sort_keys=True), encoding="utf-8")
        scratch.replace(self.config)

    def expect_free_for(self, config: TrainConfig) -> None:
        """Refuses a run that this directory cannot become.

        Raises:
            ConfigError: It holds a run already, or, when resuming, one of other settings.
        """
        if not self.config.exists():
            return
        if not config.resume:
            raise ConfigError(f"{self.root} holds a run already: resume it, or choose another directory")
        present, wanted = self._read_config(), _plain(config)
        differing = sorted(name for name in wanted if name not in _MAY_CHANGE and wanted[name] != present.get(name))
        if differing:
            raise ConfigError(
                f"{self.root} was started with other values of {', '.join(differing)}; resume with the same ones"
            )

    def _read_config(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.config.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{self.config} cannot be read as the settings of a run: {error}") from error

    def abandon(self) -> None:
        """Gives the directory up if this claim was its first and no iteration ended: any run may take it then."""
        has_begun = self.checkpoints.exists() or (self.metrics.exists() and self.metrics.stat().st_size > 0)
        if self._is_new and not has_begun:
            self.config.unlink(missing_ok=True)

    def write_trajectories(self, iteration: int, trajectories: Any) -> None:
        """Writes some trajectories of an iteration, over those of a run that was cut off there."""
        if not trajectories:
            return
        self.trajectories.mkdir(exist_ok=True)
        file = self.trajectories / f"{iteration:06d}.jsonl"
        file.unlink(missing_ok=True)
        write_trajectories(file, trajectories)

    def prune(self, keep: int) -> None:
        """Removes all but the newest checkpoints."""
        entries = sorted(entry for entry in self.checkpoints.iterdir() if not entry.name.startswith("."))
        for entry in entries[:-keep]:
            shutil.rmtree(entry)

    def publish(self, checkpoint: Path) -> None:
        """Copies the policy out of a checkpoint, whole or not at all."""
        from bai.agents.grpo.checkpoint import atomic_directory

        with atomic_directory(self.policy) as partial:
            shutil.copytree(checkpoint / "policy", partial, dirs_exist_ok=True)


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The settings as a file gives them back."""
    return dict(json.loads(json.dumps(config.to_json())))
