"""The environment contract: text in, text out, real Gymnasium.

An observation is what the environment now says to the agent; an action is what the agent
answers. The agent keeps the transcript; the environment keeps the state. Every family of
tasks subclasses :class:`TextEnv` once and fills in five hooks::

    _task_set()          the tasks
    _begin(task)         set the state up, return the first observation
    _advance(action)     take one answer, return an Outcome
    _get_state() / _set_state(state)   all of the episode's state, as a plain value
    _solve(task)         the gold answer as actions

The base class does the rest: seeding, choice of the task, the ``info`` dictionary,
rendering, snapshots, and the rule that a fault of the machinery is never a reward.
"""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

import gymnasium as gym

from bai.envs.spaces import UnicodeText
from bai.envs.tasks.base import TaskSet
from bai.errors import CannotFork, ConfigError, InfraError
from bai.types import Task, Verdict

__all__ = ["EnvSnapshot", "Outcome", "TextEnv"]

T = TypeVar("T", bound=Task)

MAX_TEXT = 1_048_576
"""Most characters of an observation or an action: 1 Mi."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one action led to."""

    observation: str
    """What the environment says next; empty when the episode is over and nothing is left to say."""
    reward: float = 0.0
    """Reward of this step."""
    terminated: bool = False
    """Whether the task is over."""
    verdict: Verdict | None = None
    """The judge's finding, once graded."""
    reward_terms: Mapping[str, float] = field(default_factory=dict)
    """Named parts of the reward."""


@dataclass(frozen=True, kw_only=True)
class EnvSnapshot:
    """A moment of an episode; restored as often as wanted, in any environment of the same spec."""

    task_id: str
    """The task being attempted."""
    state: Any
    """The family's own state, deep-copied."""
    rng: Any
    """State of the random generator."""
    transcript: tuple[tuple[str, str], ...]
    """(speaker, text) so far."""
    info: Mapping[str, Any]
    """The last ``info``."""
    done: bool
    """Whether the episode had ended."""


class TextEnv(gym.Env[str, str], ABC, Generic[T]):
    """Base of every bai environment.

    Args:
        render_mode: None, ``ansi`` (``render`` returns the transcript) or ``human`` (it is printed).

    ``info`` has the same keys after every reset and step: ``task_id``, ``verdict`` (a dictionary, empty
    until graded: Gymnasium's vector environments cannot batch None beside a dictionary), ``reward_terms`` (name to
    value) and ``error`` (None, or the short class name of an infrastructure fault). It holds nothing that differs
    between two equal runs: seconds, process ids and the like are in :attr:`stats`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi", "human"], "render_fps": 1}  # type: ignore[misc]

    def __init__(self, *, render_mode: str | None = None) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode must be None, 'ansi' or 'human'; got {render_mode!r}")
        self.render_mode = render_mode
        self.observation_space = UnicodeText(MAX_TEXT)
        self.action_space = UnicodeText(MAX_TEXT)
        self.stats: dict[str, Any] = {}
        self.task: T | None = None
        self._transcript: list[tuple[str, str]] = []
        self._info: dict[str, Any] = {}
        self._done = True

    # What a family of tasks fills in.

    @abstractmethod
    def _task_set(self) -> TaskSet[T]:
        """Gives the tasks; may load them lazily and must be cheap to call again."""

    @abstractmethod
    def _begin(self, task: T) -> str:
        """Sets up the state for ``task`` and gives the first observation."""

    @abstractmethod
    def _advance(self, action: str) -> Outcome:
        """Takes one answer, any string at all."""

    @abstractmethod
    def _get_state(self) -> Any:
        """Gives all state of the episode as a value that can be deep-copied.

        Raises:
            CannotFork: The state cannot be copied.
        """

    @abstractmethod
    def _set_state(self, state: Any) -> None:
        """Puts back what :meth:`_get_state` gave."""

    @abstractmethod
    def _solve(self, task: T) -> Iterator[str]:
        """Gives actions that solve ``task`` from its gold answer."""

    # Gymnasium's interface.

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: Seeds the generator that tasks are drawn from; None goes on with the present one.
            options: ``{"task_id": ...}`` picks the task instead of drawing it.

        Raises:
            ConfigError: An unknown option.
            TaskNotFound: There is no such task.
            InfraError: What the episode needs could not be started.
        """
        super().reset(seed=seed)
        self.task = self._choose(options or {})
        self._transcript, self._done = [], True  # over, until what follows has started it
        self.stats = {"steps": 0}
        observation = self._clip(self._begin(self.task))
        self._done = False
        self._info = self._make_info(None, {}, None)
        self._say("environment", observation)
        return observation, copy.deepcopy(self._info)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Takes the agent's answer.

        A fault of the machinery gives reward 0.0, truncates the episode and is named in ``info["error"]``
        with a verdict of status ``infra_error``: leave the trajectory out, never score it.

        Raises:
            ConfigError: The action is no string, or the episode is over.
        """
        if not isinstance(action, str):
            raise ConfigError(f"an action is a string; got {type(action).__name__}")
        if self._done:
            raise ConfigError("the episode is over (or was never started): call reset() first")
        self._say("agent", action)
        started = time.perf_counter()
        try:
            outcome, error = self._advance(action[:MAX_TEXT]), None
        except InfraError as fault:
            detail = f"{type(fault).__name__}: {fault}"[:500]
            verdict = Verdict(status="infra_error", score=0.0, detail=type(fault).__name__)
            outcome, error = Outcome(observation="", verdict=verdict), type(fault).__name__
            self.stats["infra_error"] = detail
        self.stats["steps"] += 1
        self.stats["step_s"] = time.perf_counter() - started
        return self._finish(outcome, error)

    def _finish(self, outcome: Outcome, error: str | None) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self._done = outcome.terminated or error is not None
        self._info = self._make_info(outcome.verdict, outcome.reward_terms, error)
        observation = self._clip(outcome.observation)
        self._say("environment", observation)
        reward = 0.0 if error else float(outcome.reward)
        return observation, reward, bool(outcome.terminated), error is not None, copy.deepcopy(self._info)

    def render(self) -> str | None:  # type: ignore[override]
        """Gives the transcript (``ansi``), or nothing (``human``, where it was printed as it came)."""
        if self.render_mode != "ansi":
            return None
        return "\n".join(f"[{speaker}]\n{text}" for speaker, text in self._transcript)

    # What Gymnasium lacks: the tasks, branching and oracles.

    @property
    def tasks(self) -> TaskSet[T]:
        """The tasks that episodes are drawn from."""
        return self._task_set()

    def snapshot(self) -> EnvSnapshot:
        """Copies the present moment of the episode.

        Raises:
            CannotFork: There is no episode, or its state cannot be copied; replay the actions instead.
        """
        if self.task is None:
            raise CannotFork("there is no episode to copy: call reset() first")
        return EnvSnapshot(
            task_id=self.task.task_id,
            state=copy.deepcopy(self._get_state()),
            rng=copy.deepcopy(self.np_random.bit_generator.state),
            transcript=tuple(self._transcript),
            info=copy.deepcopy(self._info),
            done=self._done,
        )

    def restore(self, snapshot: EnvSnapshot) -> str:
        """Goes back to a moment, and gives the observation that was last said then."""
        self.task = self._task_set().get(snapshot.task_id)
        self.np_random.bit_generator.state = copy.deepcopy(snapshot.rng)
        self._transcript = list(snapshot.transcript)
        self._info = copy.deepcopy(dict(snapshot.info))
        self._done = snapshot.done
        self.stats = {"steps": sum(speaker == "agent" for speaker, _ in snapshot.transcript)}
        self._set_state(copy.deepcopy(snapshot.state))
        return next((text for speaker, text in reversed(self._transcript) if speaker == "environment"), "")

    def fork(self) -> Self:
        """Gives an independent environment at the same moment of the same episode."""
        twin = self._twin()
        twin.restore(self.snapshot())
        return twin

    def _twin(self) -> Self:
        if self.spec is None:
            raise CannotFork("only environments made by gym.make can be forked: this one has no spec to rebuild from")
        twin = gym.make(self.spec, disable_env_checker=True).unwrapped
        assert isinstance(twin, type(self))
        return twin

    def oracle(self) -> Iterator[str]:
        """Gives actions that solve the present task from its gold answer.

        Raises:
            ConfigError: There is no episode.
        """
        if self.task is None:
            raise ConfigError("there is no task yet: call reset() first")
        return self._solve(self.task)

    # Helpers.

    def _choose(self, options: Mapping[str, Any]) -> T:
        unknown = set(options) - {"task_id"}
        if unknown:
            raise ConfigError(f"reset options may hold 'task_id' only; got {', '.join(sorted(map(repr, unknown)))}")
        tasks = self._task_set()
        if "task_id" not in options:
            return tasks.sample(self.np_random)
        if not isinstance(options["task_id"], str):
            raise ConfigError(f"a task_id is a string; got {options['task_id']!r}")
        return tasks.get(options["task_id"])

    def _make_info(self, verdict: Verdict | None, terms: Mapping[str, float], error: str | None) -> dict[str, Any]:
        assert self.task is not None
        return {
            "task_id": self.task.task_id,
            "verdict": {} if verdict is None else verdict.to_json(),
            "reward_terms": dict(terms),
            "error": error,
        }

    def _clip(self, text: str) -> str:
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 32] + "\n[observation cut off here]"

    def _say(self, speaker: str, text: str) -> None:
        self._transcript.append((speaker, text))
        if self.render_mode == "human":
            # A lone surrogate, which any string may hold, cannot be printed.
            print(f"[{speaker}]\n{text}".encode("utf-8", "backslashreplace").decode("utf-8"))
