"""GRPO as an RLlib algorithm: confirm weights, sample groups, compare, update.

RLlib owns the workers, the learners, the checkpoints and Tune; this class owns the order of
things. One iteration is one step::

    weights, acknowledged  ->  prompts of (seed, iteration)  ->  trajectories, checked
    ->  fault budget  ->  advantages within groups  ->  one padded batch  ->  update

Every wait has an end, and every fault is counted in the result under ``grpo/faults``.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME

from bai.agents.grpo.advantages import EQUAL_REWARDS, Advantages, trajectory_advantages
from bai.agents.grpo.batch import TrainBatch, build_batch
from bai.agents.grpo.checkpoint import atomic_directory, check_checkpoint, write_manifest
from bai.agents.grpo.collect import Collector
from bai.agents.grpo.config import GRPOConfig
from bai.agents.grpo.control import shuffle_rewards
from bai.agents.grpo.faults import ErrorBudget, Faults
from bai.agents.grpo.metrics import batch_metrics, comparison_metrics, sampling_metrics
from bai.agents.grpo.mixing import parts_of_step, parts_to_replace
from bai.agents.grpo.plan import derive_seed, plan_prompts
from bai.agents.grpo.runner import TextEnvRunner
from bai.agents.grpo.startup import needed_cpus, needed_gpus, own_cpus, start_ray
from bai.agents.grpo.update import check_learners, update_learners
from bai.agents.grpo.weights import WeightSync
from bai.agents.grpo.workers import dismiss
from bai.errors import CheckpointError, EmptyBatch, WorkerFailure
from bai.types import Trajectory

__all__ = ["GRPO"]

_FAREWELL_S = 10.0
"""Seconds a runner has to close its environments when the run ends."""
_SHUFFLE, _UPDATE, _CONTROL = 1_000_000, 1_000_001, 1_000_002
"""Places within an iteration that draw; rounds of sampling take the low numbers."""


class GRPO(Algorithm):
    """Group-relative policy optimisation of a language model in text environments.

    Built by :meth:`GRPOConfig.build_algo`; then ``train()``, ``save_to(path)``, ``restore_from(path)``, ``stop()``.
    """

    last_trajectories: Sequence[Trajectory] = ()
    """What the last iteration sampled, replaced groups and lost trajectories included."""

    @classmethod
    def get_default_config(cls) -> GRPOConfig:
        return GRPOConfig()

    def setup(self, config: Any) -> None:
        """Builds runners and learners.

        Raises:
            ConfigError: Ray cannot work here, or lacks CPUs or GPUs for the actors.
        """
        try:
            self._set_up(config)
        except BaseException:  # nobody has what would be cleaned up
            self._remove_logdir()
            raise

    def _set_up(self, config: Any) -> None:
        start_ray(cpus_needed=needed_cpus(self.config), gpus_needed=needed_gpus(self.config))
        try:
            super().setup(config)
        except IndexError as error:  # what RLlib makes of runners that never came up
            raise WorkerFailure(
                "no env runner could be constructed: bai and the environment's module must be importable in Ray's "
                "workers (install them, or set PYTHONPATH before Ray starts)"
            ) from error
        self._settings = self.config.settings
        self._weights = WeightSync(self.env_runner_group, self.learner_group, timeout_s=self._settings.sync_timeout_s)
        self._collector = Collector(
            self.env_runner_group,
            self._weights,
            timeout_s=self.config.sample_timeout_s,
            vocab_size=self._model_config().vocab_size,
        )
        self._budget = ErrorBudget(
            window=self._settings.fault_window,
            max_lost_fraction=self._settings.max_lost_fraction,
            max_runner_deaths=self._settings.max_runner_deaths,
        )
        self._report: dict[str, Any] = {}
        self._skipped = 0
        if not (self.config.num_env_runners and self.config.num_learners):
            _use_threads(self._settings.torch_threads or own_cpus())
        if self.config.runs_in_one_process:
            self.env_runner.share(self.learner_group._learner)

    def step(self) -> dict[str, Any]:
        """Runs one iteration; its own numbers are under ``grpo``, the learners' under ``learners``."""
        result = super().step()
        result["grpo"] = dict(self._report)
        return dict(result)

    def training_step(self) -> None:
        """Confirms weights, samples, compares, updates.

        Raises:
            EmptyBatch: Nothing that was sampled can be trained on.
            ErrorBudgetExceeded: Too much was lost to faults.
            StaleWeights: A runner cannot be brought to the learner's weights.
            WorkerFailure: A worker did not answer in time, a learner died, or every runner did.
        """
        self._report = {"faults": {}, "time": {}}
        faults = Faults()
        with self._timed("sync"):
            self._collector.sync(faults)
        with self._timed("sample"):
            chosen, sampled, requested = self._sample(faults)
        self.last_trajectories = sampled
        self._report |= {**sampling_metrics(sampled), "faults": faults.counts(), "requested": requested}
        self._budget.charge(requested, faults)
        if self._settings.shuffle_rewards:
            chosen = shuffle_rewards(chosen, seed=derive_seed(self.config.seed, self.iteration, _CONTROL))
        advantages = trajectory_advantages(chosen, self._settings.published.advantage)
        self._report |= comparison_metrics(advantages.stats)
        batch = self._build_batch(chosen, advantages)
        if batch is not None:
            self._report |= batch_metrics(batch.stats)
            self._update(batch)
        self._report["weights_version"] = self._weights.version()
        self._count_tokens(sampled)

    def _sample(self, faults: Faults) -> tuple[list[Trajectory], list[Trajectory], int]:
        """Gives the trajectories to train on, all that were sampled, and how many were asked for."""
        settings = self._settings
        chosen: list[Trajectory] = []
        sampled: list[Trajectory] = []
        requested, missing = 0, settings.prompts_per_step
        parts = parts_of_step(settings.parts, seed=self.config.seed, iteration=self.iteration, prompts=missing)
        for round_index in range(1 + settings.dynamic_sampling_rounds):
            requests = plan_prompts(
                seed=self.config.seed,
                iteration=self.iteration,
                round_index=round_index,
                prompts=missing,
                group_size=settings.group_size,
                parts=parts,
            )
            fresh = self._collector.collect(requests, faults)
            sampled += fresh
            requested += missing * settings.group_size
            if not settings.dynamic_sampling_rounds:
                return sampled, sampled, requested
            informative = _informative(fresh)
            chosen += [trajectory for trajectory in fresh if trajectory.group_id in informative]
            parts = parts_to_replace(requests, informative)
            missing -= len(informative)
            if missing == 0:
                break
        return chosen or sampled, sampled, requested

    def _build_batch(self, trajectories: Sequence[Trajectory], advantages: Advantages) -> TrainBatch | None:
        """Gives the batch, or None where every group's rewards are equal and the method leaves such groups out."""
        try:
            batch = build_batch(
                trajectories,
                advantages,
                self._settings.published.batch,
                num_learners=max(1, self.config.num_learners),
                seed=derive_seed(self.config.seed, self.iteration, _SHUFFLE),
                replay_routes=_have_routes(trajectories),
            )
        except EmptyBatch:
            self._skipped += 1
            self._report["skipped_updates"] = self._skipped
            if not advantages.stats.dropped or self._skipped >= self._settings.fault_window:
                raise
            return None
        self._skipped = 0
        self._report["skipped_updates"] = 0
        return batch

    def _update(self, batch: TrainBatch) -> None:
        with self._timed("update"):
            results = update_learners(
                self.learner_group,
                batch,
                num_epochs=self._settings.num_epochs,
                seed=derive_seed(self.config.seed, self.iteration, _UPDATE),
                timeout_s=self._settings.update_timeout_s,
            )
        self.metrics.aggregate(results, key=LEARNER_RESULTS)
        self._weights.invalidate()

    def _count_tokens(self, trajectories: Sequence[Trajectory]) -> None:
        written = sum(int(item.tokens.loss_mask.sum()) for item in trajectories if item.tokens is not None)
        total = (ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME)
        self.metrics.log_value(total, written, reduce="lifetime_sum")
        self._report["num_tokens"] = float(self.metrics.peek(total))
        self._report["tokens_per_s"] = written / max(1e-9, self._report["time"]["sample"])

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._report["time"][name] = time.perf_counter() - start

    def cleanup(self) -> None:
        """Ends all workers; one that hangs is not waited for."""
        if self.env_runner_group is not None:
            dismiss(self.env_runner_group._worker_manager, _stop, timeout_s=_FAREWELL_S)
        super().cleanup()
        self._remove_logdir()

    def _setup_logdir(self) -> None:
        """Keeps what a run outside of Tune would leave in the home directory out of it."""
        if self._storage is None:
            self._logdir = tempfile.mkdtemp(prefix="bai-grpo-")
        else:
            super()._setup_logdir()

    def _remove_logdir(self) -> None:
        if self._storage is None:
            shutil.rmtree(self._logdir, ignore_errors=True)

    # What RLlib calls between steps.

    def restore_env_runners(self, env_runner_group: Any) -> list[int]:
        """Asks whether dead runners are back; those that are hold no weights until they confirm some."""
        restored = list(env_runner_group.probe_unhealthy_env_runners())
        for runner in restored:
            self._weights.forget(runner)
        return restored

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Writes a sealed checkpoint into a directory that exists; :meth:`save_to` makes it appear at once."""
        check_learners(self.learner_group, timeout_s=self._settings.sync_timeout_s)
        super().save_checkpoint(checkpoint_dir)
        self.export_policy(Path(checkpoint_dir) / "policy")
        facts = {"iteration": self.iteration, "weights_version": self._weights.version(), "model": self._signature()}
        write_manifest(Path(checkpoint_dir), facts)

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Loads a checkpoint after making sure that it is whole and of this model.

        Raises:
            CheckpointError: It is absent, damaged, of another kind or of another model.
        """
        manifest = check_checkpoint(Path(checkpoint_dir))
        if manifest.get("model") != self._signature():
            raise CheckpointError(
                f"{checkpoint_dir} holds {manifest.get('model')}, and this run trains {self._signature()}"
            )
        super().load_checkpoint(checkpoint_dir)

    def restore_from_path(self, path: Any, *args: Any, **kwargs: Any) -> None:
        super().restore_from_path(path, *args, **kwargs)
        self._weights.invalidate()

    def save_to(self, path: Path | str) -> Path:
        """Writes a checkpoint that appears at ``path`` whole, or not at all.

        Args:
            path: Directory to make; one that is there is replaced.
        """
        target = Path(path).absolute()
        with atomic_directory(target) as partial:
            self.save_checkpoint(str(partial))
        return target

    def restore_from(self, path: Path | str) -> None:
        """Goes back to a checkpoint, whatever was trained since.

        Args:
            path: Directory that :meth:`save_to` wrote.

        Raises:
            CheckpointError: It is absent, damaged, of another kind or of another model.
        """
        self.load_checkpoint(str(Path(path).absolute()))

    def export_policy(self, path: Path | str) -> Path:
        """Writes the policy as a plain transformers directory, tokenizer included.

        Args:
            path: Directory to write to; made if absent.
        """
        target = Path(path)
        target.mkdir(parents=True, exist_ok=True)
        self._policy_module().model.save_pretrained(target)
        self.config.load_tokenizer().save_pretrained(target)
        return target

    def _policy_module(self) -> Any:
        """A module in this process with the learner's weights."""
        if self.learner_group.is_local:
            return self.learner_group._learner.module[DEFAULT_MODULE_ID]
        return self.env_runner.module_with(*self._weights.current())

    def _model_config(self) -> Any:
        from transformers import AutoConfig

        import bai.models  # noqa: F401 - registers our model types

        return AutoConfig.from_pretrained(self.config.model_dir, local_files_only=True).get_text_config()

    def _signature(self) -> str:
        """Names the kind of model by its configuration."""
        config = self._model_config()
        names = ("vocab_size", "hidden_size", "num_hidden_layers")
        sizes = ", ".join(f"{name} {getattr(config, name, '?')}" for name in names)
        return f"a {config.model_type} of {sizes}"


def _informative(trajectories: Sequence[Trajectory]) -> set[str]:
    """Groups whose trainable members differ in reward."""
    rewards: dict[str, list[float]] = {}
    for trajectory in trajectories:
        if trajectory.is_trainable:
            rewards.setdefault(trajectory.group_id, []).append(trajectory.reward)
    return {group for group, values in rewards.items() if max(values) - min(values) > EQUAL_REWARDS}


def _have_routes(trajectories: Sequence[Trajectory]) -> bool:
    traces = [trajectory.tokens for trajectory in trajectories if trajectory.is_trainable]
    return bool(traces) and all(trace is not None and trace.routes is not None for trace in traces)


def _stop(runner: TextEnvRunner) -> None:
    runner.stop()


def _use_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)
