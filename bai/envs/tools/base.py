"""The contract of tools: what is declared, what is called, what came of it, and what answers.

A :class:`Tool` is what the agent is told: a name, a sentence, a JSON Schema. A :class:`ToolCall` is
what the agent wants. A :class:`ToolSource` answers calls: a database, a sandbox, a server, a simulated
API. It is named in :data:`bai.envs.tools.registry.SOURCES` and made from plain JSON settings, so that a
task that wants one is a value that can be written to a file. One source serves episode after episode::

    source = make_source("sqlite", {})
    source.begin(setup)                                     # a clean state of this episode's own
    source.call("sql", {"query": "SELECT 1"})               # text for the agent, or ToolFault
    source.end_state()                                      # a JSON value for the judge
    branch = source.get_state(); source.set_state(branch)   # forks
    source.close()

What goes wrong by the fault of a call is a :class:`~bai.errors.ToolFault`, whose text the agent reads
and which costs nothing but the call; what goes wrong by the machinery's is an
:class:`~bai.errors.InfraError`, which no episode is scored by.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from bai.types import JSON

__all__ = ["FAULTS", "MadeCall", "SourceSpec", "Tool", "ToolCall", "ToolSource"]

FAULTS = (
    "unreadable",
    "unknown_tool",
    "bad_arguments",
    "refused",
    "failed",
    "timeout",
    "too_large",
    "died",
)
"""What can be wrong with a call: it is no JSON or no call; it names no tool; its arguments break the schema; what it
asks for is not allowed; the tool tried and could not; it took too long; it, or what it leads to, is too big; it ended
what was to answer it."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What the agent is told of a tool."""

    name: str
    """What calls name; unique within a task."""
    description: str = ""
    """What it does, in words."""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON Schema (draft 2020-12) of the arguments: an object."""

    def to_json(self) -> JSON:
        """Gives the declaration that chat interfaces have: name, description and parameters."""
        return {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        return cls(name=row["name"], description=row["description"], parameters=row["parameters"])


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """What the agent wants done."""

    name: str
    """The tool."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """By name; JSON values."""

    def to_json(self) -> JSON:
        return {"name": self.name, "arguments": dict(self.arguments)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        return cls(name=row["name"], arguments=row["arguments"])


@dataclass(frozen=True, kw_only=True)
class MadeCall:
    """One call that the agent made, and what came of it."""

    call: ToolCall | None
    """The call; None where none could be read."""
    fault: str | None = None
    """One of :data:`FAULTS`, or None where it was answered."""
    result: str = ""
    """What the agent was told."""


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """A tool source and the state that a task finds it in."""

    source: str
    """A name of :data:`bai.envs.tools.registry.SOURCES`."""
    key: str = ""
    """What the end state is filed under, for a judge; empty for the source's name. Unique within a task."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the source is made with; JSON values. Episodes that want the same settings share a source."""
    setup: Any = None
    """What :meth:`ToolSource.begin` is given; a JSON value."""

    def __post_init__(self) -> None:
        if not self.key:
            object.__setattr__(self, "key", self.source)


class ToolSource(ABC):
    """What answers calls, with the state of one episode at a time.

    Its constructor takes settings as keyword arguments with JSON values (see :func:`make_source`), and starts nothing:
    what it needs is started by :meth:`begin`. Not safe for use from several threads at once.
    """

    @abstractmethod
    def tools(self) -> tuple[Tool, ...]:
        """Declares what can be called; the same all through an episode. May be asked before :meth:`begin`."""

    @abstractmethod
    def begin(self, setup: Any) -> None:
        """Starts an episode in a state of its own, made from a JSON value; whatever was before is gone.

        Raises:
            ConfigError: The setup is none that this source knows.
            MissingDependency: A library or a program is absent.
            InfraError: What the source needs could not be started.
        """

    @abstractmethod
    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Answers one call, whose arguments the tool's schema allows.

        Returns:
            Text for the agent; bounded.

        Raises:
            ToolFault: It cannot be done; the state is whole, and whatever else is allowed can be called.
            InfraError: The machinery failed.
        """

    @abstractmethod
    def end_state(self) -> Any:
        """Gives what a judge looks at: a JSON value, equal for equal states.

        Raises:
            ToolFault: The agent left behind what cannot be looked at (too large, unreadable).
            InfraError: The machinery failed.
        """

    @abstractmethod
    def get_state(self) -> Any:
        """Gives the whole state of the episode as a value that can be deep-copied and put back any number of times.

        Raises:
            CannotFork: It cannot be copied.
            InfraError: The machinery failed.
        """

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Goes to a state that :meth:`get_state` gave, here or in another source of the same settings."""

    def close(self) -> None:  # noqa: B027 - most sources hold nothing
        """Ends what was started; may be called twice, and before :meth:`begin`."""
