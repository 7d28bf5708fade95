"""Learning from an environment's own gold answers: a warm start for reinforcement learning."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from bai.agents.environments import make_env
from bai.agents.policies.local import LocalPolicy
from bai.agents.sft import SFTConfig, SFTResult, SFTStep, train_sft
from bai.envs.base import TextEnv
from bai.errors import ConfigError
from bai.types import Message

__all__ = ["demonstrations", "imitate"]


def demonstrations(env_id: str, options: Mapping[str, Any], *, limit: int | None = None) -> Iterator[list[Message]]:
    """Gives conversations in which the gold answer is given, one for each task, in the order of the set.

    Args:
        env_id: Gymnasium id of an environment of bai.
        options: Arguments of ``gym.make``.
        limit: Only the first so many tasks; an unlimited set needs a number.

    Raises:
        ConfigError: The environment is none of bai, or refuses the options.
        InfraError: What an episode needs could not be started.
    """
    with closing(make_env(env_id, options)) as env:
        inner = env.unwrapped
        if not isinstance(inner, TextEnv):
            raise ConfigError(f"gold answers are those of environments of bai; {env_id} is none")
        for task in itertools.islice(inner.tasks, limit):
            observation, _ = env.reset(options={"task_id": task.task_id})
            yield _conversation(inner, observation)


def _conversation(env: TextEnv[Any], observation: str) -> list[Message]:
    """Plays the gold actions; nothing is said after the last, which is not played."""
    messages: list[Message] = []
    answers = list(env.oracle())
    for answer in answers:
        messages += [Message(role="user", content=observation), Message(role="assistant", content=answer)]
        if len(messages) < 2 * len(answers):
            observation = env.step(answer)[0]
    return messages


def imitate(
    model: str | Path,
    out: str | Path,
    env_id: str,
    options: Mapping[str, Any],
    *,
    limit: int | None = None,
    config: SFTConfig | None = None,
    on_step: Callable[[SFTStep], None] | None = None,
) -> SFTResult:
    """Trains a model on an environment's gold answers and writes it, with its tokenizer, to a directory.

    Args:
        model: Directory of a transformers causal language model and its tokenizer.
        out: Directory of the trained one.
        env_id: As for :func:`demonstrations`.
        options: As for :func:`demonstrations`.
        limit: As for :func:`demonstrations`.
        config: How to train; None for the defaults.
        on_step: Called after every step.

    Raises:
        CheckpointError: There is no model that can be read.
        ConfigError: As :func:`demonstrations` and :func:`~bai.agents.sft.train_sft`.
        TrainingError: A gradient is not finite.
    """
    policy = LocalPolicy.from_directory(model)
    result = train_sft(
        policy.model, policy.tokenizer, demonstrations(env_id, options, limit=limit), config, on_step=on_step
    )
    policy.model.save_pretrained(out)
    policy.tokenizer.save_pretrained(out)
    return result
