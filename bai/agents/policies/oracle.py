"""The oracle as a policy: it answers what the environment's own gold answer says.

A policy sees contexts alone, and the gold answer is nowhere in them. So whoever runs the
episode ties the context to the environment first (:meth:`OraclePolicy.bind`;
:class:`bai.agents.rollout.RolloutEngine` does).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from bai.agents.policies.text import TextPolicy
from bai.errors import ConfigError, PolicyError
from bai.policy import Completion, Context, Sampling

__all__ = ["OraclePolicy"]


class OraclePolicy(TextPolicy):
    """Solves what it is bound to. Text only, so never trained."""

    name = "oracle"

    def bind(self, context: Context, env: Any) -> Context:
        """Gives the context tied to an environment that was just reset.

        Args:
            context: What :meth:`begin` gave.
            env: A :class:`bai.envs.base.TextEnv`, wrapped or not.

        Raises:
            ConfigError: The environment has no oracle.
        """
        oracle = getattr(env.unwrapped, "oracle", None)
        if oracle is None:
            raise ConfigError(f"the oracle policy needs an environment with an oracle(); {env.unwrapped} has none")
        return replace(context, cache=_Script(oracle()))

    def generate(
        self, contexts: Sequence[Context], n: int, sampling: Sampling, seeds: Sequence[int]
    ) -> list[list[Completion]]:
        return [[Completion(text=self._next(context), stop_reason="eos")] * n for context in contexts]

    def _next(self, context: Context) -> str:
        if not isinstance(context.cache, _Script):
            raise ConfigError("the oracle answers bound contexts only: call bind(context, env) after begin(messages)")
        return context.cache.line(sum(message.role == "assistant" for message in context.messages))


class _Script:
    """The gold actions, drawn as they are wanted; contexts that share a past may share it."""

    def __init__(self, actions: Iterator[str]) -> None:
        self._actions = actions
        self._lines: list[str] = []
        self._lock = threading.Lock()

    def line(self, index: int) -> str:
        with self._lock:
            while len(self._lines) <= index:
                try:
                    self._lines.append(next(self._actions))
                except StopIteration:
                    raise PolicyError(f"the oracle knows {len(self._lines)} actions; the episode goes on") from None
        return self._lines[index]
