"""The base of policies of text: their contexts hold messages and no tokens, so that no learner can use them."""

from __future__ import annotations

from collections.abc import Sequence

from bai.policy import Context, Policy
from bai.types import Message

__all__ = ["TextPolicy"]


class TextPolicy(Policy):
    """A policy that reads a conversation as text. A subclass gives ``name`` and :meth:`generate`."""

    def begin(self, messages: Sequence[Message]) -> Context:
        return Context(messages=tuple(messages))

    def extend(self, context: Context, observation: str) -> Context:
        return context.observe(Message(role="user", content=observation), ())
