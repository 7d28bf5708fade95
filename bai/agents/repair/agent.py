"""The repair pipeline as an agent of bai/SWEBench-v0.

As the oracle, it answers an episode that it is bound to (:meth:`RepairAgent.bind`), because it works on files and not
on the words of a prompt; unlike the oracle it sees nothing but what an agent may see
(:mod:`bai.agents.repair.environment`). What it tries, it tries in a sandbox of its own, and its time there is no part
of the episode's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bai.agents.policies.text import TextPolicy
from bai.agents.repair.environment import Surroundings, surroundings_of
from bai.agents.repair.pipeline import RepairConfig, RepairPipeline
from bai.envs.repository.dialogue import writing
from bai.envs.repository.patch import make_patch
from bai.envs.repository.tree import Entry, Tree
from bai.errors import ConfigError
from bai.policy import Completion, Context, Policy, Sampling

__all__ = ["RepairAgent", "answers"]

_SUBMIT = "```submit\n```"


class RepairAgent(TextPolicy):
    """Hands in the best candidate of a :class:`~bai.agents.repair.pipeline.RepairPipeline`. Text only.

    Args:
        config: How much is tried.
        policy: Who proposes patches besides the templates; None for the templates alone.
        name: For reports.
    """

    def __init__(
        self, config: RepairConfig | None = None, policy: Policy | None = None, *, name: str = "repair"
    ) -> None:
        self.name = name
        self._pipeline = RepairPipeline(config, policy)

    def bind(self, context: Context, env: Any) -> Context:
        """Gives the context tied to an environment that was just reset.

        Raises:
            ConfigError: The environment is no bai/SWEBench-v0.
        """
        return replace(context, cache=_Bound(surroundings_of(env)))

    def generate(
        self, contexts: Sequence[Context], n: int, sampling: Sampling, seeds: Sequence[int]
    ) -> list[list[Completion]]:
        found = []
        for context, seed in zip(contexts, seeds, strict=True):
            text = self._next(context, seed)
            found.append([Completion(text=text, stop_reason="eos")] * n)
        return found

    def _next(self, context: Context, seed: int) -> str:
        bound = context.cache
        if not isinstance(bound, _Bound):
            raise ConfigError("the repair agent answers bound contexts only: call bind(context, env) after begin()")
        if bound.answers is None:
            seen = bound.surroundings
            found = self._pipeline.repair(seen.tree, seen.machine, seen.statement, seed=seed % (1 << 32))
            bound.answers = answers(seen, found[0].changes if found else {})
        turn = sum(message.role == "assistant" for message in context.messages)
        return bound.answers[min(turn, len(bound.answers) - 1)]

    def close(self) -> None:
        if self._pipeline.policy is not None:
            self._pipeline.policy.close()


@dataclass
class _Bound:
    surroundings: Surroundings
    answers: tuple[str, ...] | None = None


def answers(seen: Surroundings, changes: Mapping[str, str]) -> tuple[str, ...]:
    """Gives the actions that hand in a change: one diff, or a script that writes the files, and ``submit``.

    Args:
        seen: What the episode is about.
        changes: New texts by path.
    """
    entries = {
        path: Entry(
            data=text.encode("utf-8", "surrogateescape"),
            executable=path in seen.tree and seen.tree[path].executable,
        )
        for path, text in changes.items()
    }
    changed: Tree = seen.tree.changed(entries)
    if seen.mode == "patch":
        return (make_patch(seen.tree, changed).text,)  # bare: in a block, a line of the diff could close it
    return (writing(seen.tree.changes_to(changed)), _SUBMIT) if entries else (_SUBMIT,)
