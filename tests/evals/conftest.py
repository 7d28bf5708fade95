"""Trajectories as an evaluation writes them, and a small environment of bai that needs no sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import pytest

from bai.agents.policies.text import TextPolicy
from bai.envs.base import Outcome, TextEnv
from bai.envs.tasks.finite import FiniteTaskSet
from bai.errors import SandboxDied
from bai.policy import Completion, Context, Sampling
from bai.types import Task, Trajectory, Turn, Verdict

Make = Callable[..., Trajectory]
ECHO = "tests/Echo-v0"


@pytest.fixture(scope="session")
def make() -> Make:
    """Makes a graded trajectory; ``status=None`` leaves it ungraded."""

    def trajectory(task_id: str = "t/0", status: str | None = "passed", **fields: object) -> Trajectory:
        score = float(status == "passed")
        verdict = None if status is None else Verdict(status=status, score=score, detail=f"it {status}")  # type: ignore[arg-type]
        defaults: dict[str, object] = {
            "trajectory_id": f"{task_id}#0",
            "env_id": "bai/Coding-v0",
            "task_id": task_id,
            "turns": (Turn(observation="Write add(a, b).", action="def add(a, b): return a + b", reward=score),),
            "reward": score,
            "verdict": verdict,
        }
        return Trajectory(**{**defaults, **fields})  # type: ignore[arg-type]

    return trajectory


class EchoEnv(TextEnv[Task]):
    """Say the word of the prompt.

    Args:
        size: Tasks.
        broken: Tasks whose sandbox dies while grading.
        renamed: Whether tasks are reported under other names than they are asked for by.
    """

    def __init__(
        self, *, size: int = 6, broken: Sequence[str] = (), renamed: bool = False, render_mode: str | None = None
    ) -> None:
        super().__init__(render_mode=render_mode)
        self._renamed = renamed
        self._broken = tuple(broken)
        rows = [
            Task(task_id=f"echo/{i}", prompt=f"Say word{i}", metadata={"difficulty": 1 + i % 3}) for i in range(size)
        ]
        self._set = FiniteTaskSet("echo", rows)

    def _task_set(self) -> FiniteTaskSet[Task]:
        return self._set

    def _begin(self, task: Task) -> str:
        if self._renamed:
            self.task = replace(task, task_id=f"other/{task.task_id}")
        return task.prompt

    def _advance(self, action: str) -> Outcome:
        assert self.task is not None
        if self.task.task_id in self._broken:
            raise SandboxDied("the runner is gone")
        won = action == self.task.prompt.split()[-1]
        verdict = Verdict(status="passed" if won else "failed", score=float(won))
        return Outcome(
            observation="", reward=float(won), terminated=True, verdict=verdict, reward_terms={"echo": float(won)}
        )

    def _get_state(self) -> Any:
        return None

    def _set_state(self, state: Any) -> None:
        assert state is None

    def _solve(self, task: Task) -> Iterator[str]:
        yield task.prompt.split()[-1]


class DicePolicy(TextPolicy):
    """Says the right word in half of all cases, as its seed decides; counts what it was asked."""

    name = "dice"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def generate(
        self, contexts: Sequence[Context], n: int, sampling: Sampling, seeds: Sequence[int]
    ) -> list[list[Completion]]:
        return [[self._say(context, seed + j) for j in range(n)] for context, seed in zip(contexts, seeds, strict=True)]

    def _say(self, context: Context, seed: int) -> Completion:
        prompt = context.messages[-1].content
        self.asked.append(prompt)
        word = prompt.split()[-1] if seed % 2 else "nothing"
        return Completion(text=word, stop_reason="eos")


@pytest.fixture(autouse=True)
def _register() -> Iterator[None]:
    gym.register(id=ECHO, entry_point=EchoEnv)
    yield
    del gym.registry[ECHO]


@pytest.fixture
def dice() -> DicePolicy:
    """A policy that passes by chance."""
    return DicePolicy()
