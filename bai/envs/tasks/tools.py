"""The nouns of the tool family: what a user asks for, the tools there are, and what a judge holds it against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bai.envs.tools.base import SourceSpec, Tool, ToolCall
from bai.types import JSON, Task

__all__ = ["GoldAction", "ToolTask"]

GoldAction = tuple[ToolCall, ...] | str
"""One answer of the agent: calls made at once, or text that ends its turn."""


@dataclass(frozen=True, kw_only=True)
class ToolTask(Task):
    """Something to be done with tools.

    ``prompt`` is what the user says first. The agent is shown it, ``later`` as it comes, the declared tools and
    ``metadata`` (``category`` among them, for reports); everything else stays on the host.
    """

    later: tuple[str, ...] = ()
    """What the user says after that: each when the agent has ended a turn by answering without a call."""
    system: str = ""
    """Rules that hold throughout, such as a shop's policy; shown before the prompt."""
    tools: tuple[Tool, ...] = ()
    """What is declared. Each is answered by the source that has a tool of this name; the declaration here is what is
    shown and checked. Empty: all tools of all sources. A tool that no source has is legal only where
    ``ends_at_answer`` is set: its calls are recorded and judged, and nothing is run."""
    sources: tuple[SourceSpec, ...] = ()
    """What answers calls."""
    ends_at_answer: bool = False
    """Whether the agent's first answer, calls or text, is the last (as in BFCL's single turns); then ``later`` is
    empty. Calls that a source answers are still run before the judge looks."""
    judge: str
    """A name of :data:`bai.envs.grading.tools.registry.JUDGES`."""
    expected: Any = field(default=None, repr=False)
    """What the judge compares with; a JSON value whose form the judge documents."""
    gold: tuple[GoldAction, ...] = field(default=(), repr=False)
    """Answers that solve the task, in order, over all turns; the last of each turn is text, unless the episode ends
    at the first answer."""

    def gold_turns(self) -> tuple[tuple[ToolCall, ...], ...]:
        """Gives the gold calls of each of the user's messages."""
        turns: list[list[ToolCall]] = [[]]
        for action in self.gold:
            if isinstance(action, str):
                turns.append([])
            else:
                turns[-1].extend(action)
        wanted = 1 + len(self.later)
        return tuple(tuple(calls) for calls in (turns + [[]] * wanted)[:wanted])

    def to_json(self) -> JSON:
        """Gives plain JSON values; :meth:`from_json` is its exact inverse."""
        return {
            "task_id": self.task_id,
            "prompt": self.prompt,
            "metadata": dict(self.metadata),
            "later": list(self.later),
            "system": self.system,
            "tools": [tool.to_json() for tool in self.tools],
            "sources": [
                {"source": spec.source, "key": spec.key, "settings": dict(spec.settings), "setup": spec.setup}
                for spec in self.sources
            ],
            "ends_at_answer": self.ends_at_answer,
            "judge": self.judge,
            "expected": self.expected,
            "gold": [
                action if isinstance(action, str) else [call.to_json() for call in action] for action in self.gold
            ],
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> ToolTask:
        """Rebuilds a task.

        Raises:
            KeyError: A field is missing.
            TypeError: There is one too many.
        """
        return cls(
            **{
                **row,
                "later": tuple(row["later"]),
                "tools": tuple(Tool.from_json(tool) for tool in row["tools"]),
                "sources": tuple(SourceSpec(**spec) for spec in row["sources"]),
                "gold": tuple(
                    action if isinstance(action, str) else tuple(ToolCall.from_json(call) for call in action)
                    for action in row["gold"]
                ),
            }
        )
