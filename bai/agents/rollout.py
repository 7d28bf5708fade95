"""Rollouts: a policy in an environment, many episodes at a time.

Generation is batched over all live episodes; environments step in threads, for what they
wait on is a sandbox. A fault in one environment is recorded on its trajectory, that
environment is thrown away, and the others go on.

Where an episode's context has filled the policy's window, the agent can say nothing more:
the environment gets the empty answer until it ends the episode, and grades what stands.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

from bai.agents.environments import RecordingEnv
from bai.errors import BaiError, ConfigError, ContextOverflow, InfraError, PolicyError
from bai.policy import Completion, Context, Policy, Sampling
from bai.types import Message, Span, Trajectory, Turn, Verdict

__all__ = ["BoundPolicy", "Request", "RolloutEngine"]

_MASK64 = (1 << 64) - 1
_MAX_EMPTY = 64
"""Empty answers an overfull episode gives before it is left ungraded."""
_SILENCE = Completion(text="", stop_reason="length")
"""The answer of an agent whose context is full."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Episodes wanted: ``n`` attempts at one task, a group."""

    seed: int
    """Seeds the environment, and with the attempt's number its sampling."""
    n: int = 1
    """Attempts; at least 1."""
    first: int = 0
    """Number of the first attempt. Attempt ``j`` of a seed is the same whatever ``n`` and ``first`` are."""
    task_id: str | None = None
    """The task, or None to let the environment draw it from the seed."""
    group_id: str = ""
    """Unique within the run; empty for one made of the environment, the task and the seed."""


@runtime_checkable
class BoundPolicy(Protocol):
    """A policy that must be shown the environment it acts in, such as the oracle."""

    def bind(self, context: Context, env: gym.Env[str, str]) -> Context:
        """Gives the context tied to an environment that was just reset."""


@dataclass(eq=False)
class _Episode:
    """One attempt under way."""

    request: Request
    member: int
    env: gym.Env[str, str] | None = None
    context: Context | None = None
    """What the policy sees next."""
    answered: Context | None = None
    """Up to its last answer: what a learner trains on."""
    observation: str = ""
    info: dict[str, Any] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    fault: str | None = None
    detail: str = ""
    done: bool = False
    cut: bool = False

    def fail(self, error: BaseException) -> None:
        self.fault, self.detail, self.done = type(error).__name__, str(error)[:500], True


class RolloutEngine:
    """Runs episodes.

    Equal requests, sampling and weights give equal trajectories (spans of time aside), whatever
    the concurrency, up to floating-point rounding in batches of another size.

    Args:
        make_env: Makes one environment; called once for each episode that is live at a time, and again
            for one that failed. Must give environments that don't share state.
        policy: Who acts.
        env_id: For the trajectories.
        concurrency: Environments stepped at a time.
        max_live: Most episodes under way at a time.
        system: A system message before the first observation, or None.
    """

    def __init__(
        self,
        make_env: Callable[[], gym.Env[str, str]],
        policy: Policy,
        *,
        env_id: str,
        concurrency: int = 8,
        max_live: int = 256,
        system: str | None = None,
    ) -> None:
        if concurrency < 1 or max_live < 1:
            raise ConfigError(f"concurrency and max_live must be at least 1; got {concurrency} and {max_live}")
        self.policy = policy
        self._make_env = make_env
        self._env_id = env_id
        self._max_live = max_live
        self._system = (Message(role="system", content=system),) if system else ()
        self._idle: list[gym.Env[str, str]] = []
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="rollout")

    def collect(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        *,
        weights_version: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[Trajectory]:
        """Runs every requested episode to its end.

        Args:
            requests: What is wanted.
            sampling: How to draw.
            weights_version: Written on the trajectories.
            on_progress: Called with (episodes done, episodes wanted) as they finish.

        Returns:
            Trajectories in the order of the requests, attempts of a request in order.

        Raises:
            ConfigError: A request asks for nothing, or the environment refuses its configuration.
            TaskNotFound: A request names a task that is not there.
        """
        episodes = [
            _Episode(request=request, member=request.first + j)
            for request in map(_checked, requests)
            for j in range(request.n)
        ]
        trajectories: list[Trajectory] = []
        for start in range(0, len(episodes), self._max_live):
            wave = episodes[start : start + self._max_live]
            try:
                for done in self._run_wave(wave, sampling):
                    if on_progress is not None:
                        on_progress(start + done, len(episodes))
                trajectories += [self._trajectory(episode, weights_version) for episode in wave]
            finally:
                self._retire(wave)
        return trajectories

    def close(self) -> None:
        """Closes the environments and the threads; may be called twice."""
        self._threads.shutdown(wait=True)
        while self._idle:
            _close(self._idle.pop())

    def _run_wave(self, wave: list[_Episode], sampling: Sampling) -> Iterator[int]:
        """Runs a wave in lockstep of turns; yields how many episodes are done after each."""
        began = time.perf_counter()
        for episode in wave:
            episode.env = self._idle.pop() if self._idle else self._make_env()
        list(self._threads.map(self._reset, wave, itertools.repeat(began)))
        while live := [episode for episode in wave if not episode.done]:
            yield len(wave) - len(live)
            answers = self._answer(live, sampling, began)
            list(self._threads.map(self._step, live, answers, itertools.repeat(began)))
        yield len(wave)

    def _reset(self, episode: _Episode, began: float) -> None:
        request, env = episode.request, episode.env
        assert env is not None
        start = time.perf_counter()
        options = None if request.task_id is None else {"task_id": request.task_id}
        try:
            episode.observation, episode.info = env.reset(seed=request.seed, options=options)
        except InfraError as error:
            episode.fail(error)
        except BaiError:
            raise  # the caller's fault, and the same for every episode
        except Exception as error:  # a broken environment must not take the others with it
            episode.fail(error)
        else:
            self._open(episode, env)
        episode.spans.append(_span("reset", start, began))

    def _open(self, episode: _Episode, env: gym.Env[str, str]) -> None:
        context = self.policy.begin((*self._system, Message(role="user", content=episode.observation)))
        if isinstance(self.policy, BoundPolicy):
            context = self.policy.bind(context, env)
        episode.context = context

    def _answer(self, live: list[_Episode], sampling: Sampling, began: float) -> list[Completion | None]:
        """Gives each live episode's completion; None where a fault of the policy ended the episode."""
        start = time.perf_counter()
        fitting = [episode for episode in live if not episode.cut and self._fits(episode)]
        if self.policy.is_trainable:
            contexts = [episode.context for episode in fitting if episode.context is not None]
            groups = self.policy.generate(contexts, 1, sampling, [_turn_seed(e) for e in fitting])
            drawn: list[Completion | None] = [group[0] for group in groups]
        else:
            drawn = list(self._threads.map(lambda episode: self._answer_one(episode, sampling), fitting))
        by_episode = dict(zip(map(id, fitting), drawn, strict=True))
        for episode in live:
            episode.cut = episode.cut or id(episode) not in by_episode
            episode.spans.append(_span("generate", start, began))
        return [by_episode.get(id(episode), _SILENCE) for episode in live]

    def _answer_one(self, episode: _Episode, sampling: Sampling) -> Completion | None:
        assert episode.context is not None
        try:
            return self.policy.generate([episode.context], 1, sampling, [_turn_seed(episode)])[0][0]
        except ContextOverflow:  # only the endpoint knows its window
            episode.cut = True
            return _SILENCE
        except PolicyError as error:
            episode.fail(error)
            return None

    def _fits(self, episode: _Episode) -> bool:
        assert episode.context is not None
        window = self.policy.max_context
        return window is None or len(episode.context.token_ids) < window

    def _step(self, episode: _Episode, answer: Completion | None, began: float) -> None:
        if answer is None:
            return
        assert episode.env is not None and episode.context is not None
        start = time.perf_counter()
        if not episode.cut:
            episode.answered = episode.context = episode.context.append(answer)
        try:
            observation, reward, terminated, truncated, episode.info = episode.env.step(answer.text)
            if not math.isfinite(reward):
                raise ValueError(f"the environment gave the reward {reward}, which is not finite")
        except Exception as error:  # a broken environment must not take the others with it
            episode.fail(error)
            reward, observation = 0.0, ""
        else:
            episode.done = terminated or truncated
        turn = Turn(
            observation=episode.observation, action=answer.text, reward=float(reward), stop_reason=answer.stop_reason
        )
        episode.turns.append(turn)
        episode.spans.append(_span("step", start, began))
        episode.observation = observation
        if not episode.done and not episode.cut:
            episode.context = self.policy.extend(episode.context, observation)
        episode.done = episode.done or (episode.cut and len(episode.turns) >= _MAX_EMPTY)

    def _trajectory(self, episode: _Episode, weights_version: int) -> Trajectory:
        request, info = episode.request, episode.info
        task_id = str(info.get("task_id", request.task_id or ""))
        group_id = request.group_id or f"{self._env_id}:{task_id}:{request.seed}"
        error = episode.fault or info.get("error")
        verdict = Verdict.from_json(info["verdict"]) if info.get("verdict") else None
        if episode.fault:
            verdict = Verdict(status="infra_error", score=0.0, detail=f"{episode.fault}: {episode.detail}")
        task = getattr(episode.env.unwrapped, "task", None) if episode.env is not None else None
        metadata = {**getattr(task, "metadata", {}), "sample": episode.member, "policy": self.policy.name}
        if episode.cut:
            metadata["cut"] = True
        if episode.env is not None and isinstance(episode.env.unwrapped, RecordingEnv) and not error:
            metadata["record"] = dict(episode.env.unwrapped.record())
        return Trajectory(
            trajectory_id=f"{group_id}/{episode.member}",
            env_id=self._env_id,
            task_id=task_id,
            turns=tuple(episode.turns),
            reward=sum(turn.reward for turn in episode.turns),
            reward_terms=dict(info.get("reward_terms", {})),
            verdict=verdict,
            error=error,
            seed=request.seed,
            spans=tuple(episode.spans),
            group_id=group_id,
            weights_version=weights_version,
            tokens=None if episode.answered is None else episode.answered.trace(),
            metadata=metadata,
        )

    def _retire(self, wave: list[_Episode]) -> None:
        """Keeps sound environments for the next wave, closes the others."""
        for episode in wave:
            env, episode.env = episode.env, None
            if env is None:
                continue
            if episode.fault is None and episode.done:
                self._idle.append(env)
            else:
                _close(env)


def _turn_seed(episode: _Episode) -> int:
    """Gives the sampling seed of an episode's next turn, of the request's seed, the attempt and the turn alone."""
    parts = [episode.request.seed & _MASK64, episode.member, len(episode.turns)]
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


def _checked(request: Request) -> Request:
    if request.n < 1 or request.first < 0:
        raise ConfigError(f"a request asks for n >= 1 attempts from first >= 0; got {request.n} from {request.first}")
    return request


def _span(name: str, start: float, began: float) -> Span:
    return Span(name=name, start_s=start - began, duration_s=time.perf_counter() - start)


def _close(env: gym.Env[str, str]) -> None:
    """Closes an environment; if that fails it has failed already, and a second failure tells nothing new."""
    with contextlib.suppress(Exception):
        env.close()  # type: ignore[no-untyped-call]
