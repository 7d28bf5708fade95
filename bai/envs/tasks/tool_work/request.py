"""One thing that a user may ask for: in words, as gold calls, and as what it does to the world."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from bai.envs.tasks.tool_work.world import Letter, World
from bai.envs.tools.base import ToolCall

__all__ = ["Kind", "Request", "command", "file_call", "query"]

Calls = tuple[ToolCall, ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for."""

    text: str
    """A sentence without its full stop, beginning small."""
    actions: tuple[Calls, ...]
    """Gold answers that call, in order."""
    answer: str = "done"
    """The gold answer that ends the turn."""
    said: str = ""
    """What the agent's last answer must hold; empty for nothing."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of request."""

    needs: str
    """Letters of what it works on; ``d`` for any database of SQL."""
    level: int
    """1: one call; 2: what one call gives is needed for the next, or the answer; 3: a computation over a table;
    4: over two tables."""
    draw: Callable[[random.Random, World], Request]
    """Draws one, and changes the world as its gold calls do."""

    def letters(self, uses: str) -> set[Letter] | None:
        """Gives which of the letters in ``uses`` it takes; None where one is missing."""
        taken: set[Letter] = set()
        for letter in self.needs:
            found = next((one for one in uses if one == letter or (letter == "d" and one in "sp")), None)
            if found is None:
                return None
            taken.add(found)
        return taken

    def has_room(self, world: World) -> bool:
        """Whether there is something left for it to work on."""
        return bool(world.stock or "d" not in self.needs) and bool(world.files or "f" not in self.needs)


def query(statement: str, **values: object) -> ToolCall:
    """The call of a statement, with values, which are words and whole numbers, put in the braces that name them."""
    return ToolCall(name="sql", arguments={"query": statement.format(**values)})


def command(text: str) -> ToolCall:
    """The call of a command of the key-value server."""
    return ToolCall(name="redis", arguments={"command": text})


def file_call(name: str, **arguments: str) -> ToolCall:
    """The call of a tool of files."""
    return ToolCall(name=name, arguments=arguments)
