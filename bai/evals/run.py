"""Evaluating a policy: n samples of every task, whatever interrupts it.

A sample is named by its task and its number, and drawn with a seed made of these and the
evaluation's own. So an evaluation that was cut off, widened to more tasks or more samples,
or spread over processes gives the very samples that an undisturbed one gives.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import bai
from bai.agents.environments import make_env
from bai.agents.policies.factory import model_folder
from bai.agents.rollout import Request
from bai.envs.base import TextEnv
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.repair import RepairTask
from bai.errors import ConfigError
from bai.evals.predictions import holds_patches, write_predictions
from bai.evals.report import Condition, Curve, write_report
from bai.evals.store import Key, Store
from bai.evals.summary import Summary, summarise
from bai.evals.workers import Collector, Recipe, local_collector, process_collector
from bai.policy import Policy, Sampling
from bai.types import Task, Trajectory

__all__ = ["EvalConfig", "Evaluation", "choose_tasks", "evaluate", "publish"]


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """What to evaluate, and how."""

    policy: str
    """Such as ``checkpoint:runs/demo``, ``hf:DIR``, ``openai:URL#MODEL`` or ``oracle``."""
    policy_options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the policy's constructor, such as ``{"device": "cuda"}`` or ``{"api_key_env": "KEY"}``; JSON
    values."""
    env: str = "bai/Coding-v0"
    """Gymnasium id."""
    env_options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of ``gym.make``, such as ``{"task_set": "humaneval"}``; JSON values."""
    samples: int = 1
    """Samples of each task; at least 1."""
    limit: int | None = None
    """Evaluate only the first so many tasks; None takes all of a finite set. An unlimited set needs a number."""
    sampling: Sampling = field(default_factory=Sampling)
    """How completions are drawn."""
    seed: int = 0
    """Seeds every sample, and the bootstrap."""
    batch: int = 64
    """Samples drawn together; what a run that is cut off may lose."""
    threads: int = 8
    """Environments stepped at a time, in each process."""
    workers: int = 0
    """Processes to spread over; 0 evaluates in this one."""
    keep_tokens: bool = False
    """Keep token ids and log-probabilities of each sample; files grow by some 50 bytes a token."""

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("samples", "batch", "threads", "workers", "seed", "limit")}
        for name, value in counts.items():
            if value is not None and not isinstance(value, int):
                raise ConfigError(f"{name} must be a whole number; got {value!r}")
        for name in ("samples", "batch", "threads"):
            if counts[name] < 1:
                raise ConfigError(f"{name} must be at least 1; got {counts[name]}")
        if self.workers < 0 or self.seed < 0:
            raise ConfigError(f"workers and seed must be at least 0; got {self.workers} and {self.seed}")
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"limit must be at least 1, or None for all tasks; got {self.limit}")

    def identity(self) -> dict[str, Any]:
        """What makes samples comparable: not how many there are, nor how they are spread.

        A model on disk is named by its content too, for a path may hold other weights tomorrow.
        """
        folder = model_folder(self.policy)
        return {
            "policy": self.policy,
            **({} if folder is None else {"weights": _digest(_contents(folder))}),
            "policy_options": dict(self.policy_options),
            "env": self.env,
            "env_options": dict(self.env_options),
            "sampling": asdict(self.sampling),
            "seed": self.seed,
        }


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came of it."""

    config: EvalConfig
    """What was asked for."""
    trajectories: tuple[Trajectory, ...]
    """In the order of the tasks, samples in order."""
    summary: Summary
    """The figures."""


@runtime_checkable
class _Distinct(Protocol):
    """An unlimited set that can list tasks without repeating itself."""

    def distinct(self, n: int) -> Sequence[Task]: ...


def evaluate(
    config: EvalConfig,
    *,
    out: Path | None = None,
    policy: Policy | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Draws the samples that are not finished yet, and computes the figures of all.

    Args:
        config: What to evaluate.
        out: Folder for ``evaluation.json`` and ``trajectories.jsonl``; samples found there are not drawn again.
            None keeps everything in memory.
        policy: A live policy to use instead of loading ``config.policy``, which then only names it. The caller
            closes it.
        on_progress: Called with (samples finished, samples wanted).

    Raises:
        ConfigError: An argument is wrong, or ``out`` holds another evaluation.
        TaskSetNotFound: The task set is not on this machine.
        WorkerFailure: A worker process died; run again to go on.
    """
    if policy is not None and config.workers:
        raise ConfigError("a live policy cannot be spread over processes: name it by a string, or set workers to 0")
    tasks = choose_tasks(config)
    wanted = [(task.task_id, sample) for task in tasks for sample in range(config.samples)]
    with Store(out, config.identity()) as store:
        pending = _plan(wanted, store.finished(), config.seed)
        meter = _Meter(len(wanted), len(wanted) - sum(request.n for request in pending), on_progress)
        if pending:
            with _collector(config, policy) as collector:
                _draw(collector, pending, config, store, meter)
        rows = store.rows()
    trajectories = tuple(rows[key] for key in wanted if key in rows)
    return Evaluation(
        config=config,
        trajectories=trajectories,
        summary=summarise(trajectories, name=config.policy, seed=config.seed),
    )


def choose_tasks(config: EvalConfig) -> list[Task]:
    """Gives the tasks to evaluate: all of a finite set, or the first ``limit``, without repetition.

    Raises:
        ConfigError: The set is unlimited and there is no limit, or the environment names no tasks.
    """
    with closing(make_env(config.env, config.env_options)) as env:
        if not isinstance(env.unwrapped, TextEnv):
            raise ConfigError(f"an evaluation needs an environment of bai; {config.env} is none")
        return _first(env.unwrapped.tasks, config.limit)


def _first(tasks: TaskSet[Any], limit: int | None) -> list[Task]:
    if isinstance(tasks, _Distinct):
        if limit is None:
            raise ConfigError(f"task set {tasks.name!r} is unlimited: say how many tasks to evaluate (limit)")
        return list(tasks.distinct(limit))
    return list(itertools.islice(tasks, limit))


def _plan(wanted: Sequence[Key], finished: set[Key], seed: int) -> list[Request]:
    """Requests for the samples that are missing; neighbours of one task share a request."""
    requests: list[Request] = []
    for task_id, sample in wanted:
        if (task_id, sample) in finished:
            continue
        last = requests[-1] if requests else None
        if last is not None and last.task_id == task_id and last.first + last.n == sample:
            requests[-1] = replace(last, n=last.n + 1)
        else:
            made = Request(
                seed=_task_seed(seed, task_id), n=1, first=sample, task_id=task_id, group_id=f"{seed}/{task_id}"
            )
            requests.append(made)
    return requests


def _contents(folder: Path) -> tuple[tuple[Path, int, int], ...]:
    """The files of a model, each with its size and its time of change."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".json", ".jinja"))
    return tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files)


@lru_cache(maxsize=8)
def _digest(contents: tuple[tuple[Path, int, int], ...]) -> str:
    """Names what the files hold; read once as long as they don't change."""
    digest = hashlib.blake2b(digest_size=8)
    for path, size, _ in contents:
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _task_seed(seed: int, task_id: str) -> int:
    """31 bits of the evaluation's seed and the task, so that one task's samples don't depend on the others."""
    digest = hashlib.blake2b(json.dumps([seed, task_id]).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def _batches(requests: Sequence[Request], size: int) -> Iterator[list[Request]]:
    """Groups requests into batches of about ``size`` samples; a request is never split."""
    batch: list[Request] = []
    for request in requests:
        if batch and sum(one.n for one in batch) + request.n > size:
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def _collector(config: EvalConfig, policy: Policy | None) -> Collector:
    recipe = Recipe(
        policy=config.policy,
        policy_options=config.policy_options,
        env=config.env,
        env_options=config.env_options,
        threads=config.threads,
    )
    return process_collector(recipe, config.workers) if config.workers else local_collector(recipe, policy)


class _Meter:
    """Tells a listener how many samples are finished."""

    def __init__(self, total: int, done: int, listener: Callable[[int, int], None] | None) -> None:
        self._total, self._done, self._listener = total, 0, listener
        self.advance(done)

    def advance(self, count: int) -> None:
        """A batch of ``count`` samples was stored."""
        self._done += count
        self.within(0)

    def within(self, count: int) -> None:
        """Of the batch under way, ``count`` samples are drawn."""
        if self._listener is not None:
            self._listener(self._done + count, self._total)


def _draw(collector: Collector, pending: Sequence[Request], config: EvalConfig, store: Store, meter: _Meter) -> None:
    """Runs the pending requests batch by batch, and stores each batch as it comes."""
    asked = {request.task_id for request in pending}
    for rows in collector.run(list(_batches(pending, config.batch)), config.sampling, meter.within):
        _check_tasks(rows, asked, config.env)
        store.append(row if config.keep_tokens else _slim(row) for row in rows)
        meter.advance(len(rows))


def _check_tasks(rows: Sequence[Trajectory], asked: Set[str | None], env: str) -> None:
    """An environment that serves another task than it was asked for would leave holes in the figures."""
    strange = next((row.task_id for row in rows if row.task_id not in asked), None)
    if strange is not None:
        raise ConfigError(f"{env} was asked for a task by its id and served {strange!r}, which nobody asked for")


def _slim(trajectory: Trajectory) -> Trajectory:
    """Puts a few figures in the place of the token columns."""
    if trajectory.tokens is None or not trajectory.tokens.loss_mask.any():
        return replace(trajectory, tokens=None)
    mask = trajectory.tokens.loss_mask
    figures = {
        "sampled_tokens": int(mask.sum()),
        "mean_logprob": round(float(trajectory.tokens.logprobs[mask].mean()), 4),
        "mean_entropy": round(float(trajectory.tokens.entropies[mask].mean()), 4),
    }
    return replace(trajectory, tokens=None, metadata={**trajectory.metadata, **figures})


def publish(evaluation: Evaluation, out: Path, *, training: Sequence[Curve] = ()) -> Path:
    """Writes ``summary.json`` and ``report.html`` into a folder, and gives the report's path.

    Where the episodes handed in patches, SWE-bench's predictions and reports are written too
    (:mod:`bai.evals.predictions`).
    """
    config = evaluation.config
    out.mkdir(parents=True, exist_ok=True)
    if holds_patches(evaluation.trajectories):
        tasks = [task for task in choose_tasks(config) if isinstance(task, RepairTask)]
        write_predictions(out, tasks, evaluation.trajectories, model=config.policy, run_id=out.resolve().name)
    text = json.dumps({**config.identity(), **evaluation.summary.to_json()}, indent=2)
    (out / "summary.json").write_text(text + "\n", encoding="utf-8")
    facts = {
        "environment": config.env,
        **config.env_options,
        "samples a task": config.samples,
        "temperature": config.sampling.temperature,
        "seed": config.seed,
        "bai": bai.__version__,
    }
    condition = Condition(name=config.policy, trajectories=evaluation.trajectories)
    title = f"{config.env} {config.env_options.get('task_set', '')}".strip()
    return write_report(out / "report.html", [condition], title=title, training=training, facts=facts, seed=config.seed)
