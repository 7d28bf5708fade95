"""The policy that has nothing to say: what it earns, no task set should give."""

from __future__ import annotations

from collections.abc import Sequence

from bai.agents.policies.text import TextPolicy
from bai.policy import Completion, Context, Sampling

__all__ = ["EmptyPolicy"]


class EmptyPolicy(TextPolicy):
    """Gives the empty answer, always. Text only, so never trained."""

    name = "empty"

    def generate(
        self, contexts: Sequence[Context], n: int, sampling: Sampling, seeds: Sequence[int]
    ) -> list[list[Completion]]:
        return [[Completion(text="", stop_reason="eos")] * n for _ in contexts]
