"""A server of the Model Context Protocol as a source: a program of the user's, spoken to over its standard streams."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from bai.envs.tools.base import Tool, ToolSource
from bai.errors import CannotFork, ConfigError, InfraError, MissingDependency, ToolFault

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["MCPSource"]

T = TypeVar("T")

_MOST_TOOLS = 1_000
_MOST_PAGES = 100
_COMPLAINT_BYTES = 4096
_UNBOUND = re.compile(r'"patternProperties"|"\$ref": "(?!#)')
"""What a schema written as JSON holds where our check cannot bound it: patterns of names, references out of it."""
_PING_S = 5.0
"""Seconds that a server may take to say that it is there."""


class MCPSource(ToolSource):
    """The tools of one MCP server; each episode gets a process of its own, which is ended with it.

    The program is the user's own and is trusted: it runs outside any sandbox, with a few variables of this process's
    environment (``PATH`` and ``HOME`` among them) and ``env``. It is asked for its tools and called for real. What it
    holds is its own: it has no setup, no end state (None), and no fork.

    A server that does not start, or does not tell its tools, is a fault of the machinery; one that is gone before the
    episode begins is started anew. From there on nobody can tell a server that died by itself from one that died of
    what the agent sent: a call that it does not answer in time, or not at all, is a fault of that call; a server that
    died answers the episode's other calls no more, the episode is judged, and the next one starts another.

    Args:
        command: The program and its arguments.
        name: What the user calls it, for messages; its command where it is left out.
        env: Variables on top.
        start_s: Seconds for starting and telling the tools.
        call_s: Seconds for a call.

    Raises:
        ConfigError: The command is none, or a time is out of range.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        name: str = "",
        env: Mapping[str, str] | None = None,
        start_s: float = 30.0,
        call_s: float = 10.0,
    ) -> None:
        if isinstance(command, str) or not command or not all(isinstance(part, str) for part in command):
            raise ConfigError(f"the command of an MCP server is a list of texts; got {command!r:.200}")
        if not 0 < start_s <= 3600 or not 0 < call_s <= 3600:
            raise ConfigError(f"expected seconds above 0, at most an hour; got {start_s!r} and {call_s!r}")
        self._command, self._env = list(command), dict(env or {})
        self._name = name or shlex.join(self._command)
        self._start_s, self._call_s = start_s, call_s
        self._link: _Link | None = None
        self._tools: tuple[Tool, ...] | None = None

    def tools(self) -> tuple[Tool, ...]:
        if self._tools is None:
            self._tools = self._started().tools
        return self._tools

    def _started(self) -> _Link:
        if self._link is None:
            self._link = _Link(self._name, self._command, self._env, self._start_s)
        return self._link

    def begin(self, setup: Any) -> None:
        if setup is not None:
            raise ConfigError(f"an MCP server has no setup; got {setup!r:.100}")
        if self._link is not None and (self._link.used or not self._link.answers()):
            self.close()
        self._tools = self._started().tools

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        if self._link is None:
            raise InfraError("there is no MCP server: call begin() first")
        return self._link.call(name, arguments, self._call_s)

    def end_state(self) -> Any:
        return None

    def get_state(self) -> Any:
        raise CannotFork("what an MCP server holds cannot be copied: replay the actions in a fresh episode")

    def set_state(self, state: Any) -> None:
        raise CannotFork("what an MCP server holds cannot be put back: replay the actions in a fresh episode")

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


class _Link:
    """A server's process and the session with it, which live in an event loop in a thread of their own."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], start_s: float) -> None:
        try:
            from anyio.from_thread import start_blocking_portal
            from mcp import Client, StdioServerParameters, stdio_client
        except ImportError as error:
            raise MissingDependency("mcp", "pip install 'bai-rl[tools]'", "tools of MCP servers") from error
        self.used = False
        self._dead = ""
        self._stack = ExitStack()
        try:
            told = self._stack.enter_context(_Complaints())
            self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
            given = StdioServerParameters(command=command[0], args=command[1:], env=env)
            client = Client(stdio_client(given, errlog=told.file), read_timeout_seconds=start_s, cache=None)
            self._client: Any = self._stack.enter_context(self._portal.wrap_async_context_manager(client))
            self.tools = self._list(start_s)
        except Exception as error:
            self._stack.close()
            raise InfraError(f"the MCP server {name!r} did not start: {_reason(error)}{told.last()}") from error

    def _await(self, ask: Callable[[], Awaitable[T]], seconds: float) -> T:
        import anyio

        async def bounded() -> T:
            with anyio.fail_after(seconds):
                return await ask()

        return self._portal.call(bounded)

    def _list(self, seconds: float) -> tuple[Tool, ...]:
        found: list[Tool] = []
        cursor = None
        for _ in range(_MOST_PAGES):
            page = self._await(lambda cursor=cursor: self._client.list_tools(cursor=cursor), seconds)  # type: ignore[misc]
            found += [_declared(tool) for tool in page.tools]
            cursor = page.next_cursor
            if not cursor or len(found) > _MOST_TOOLS:
                return tuple(found[:_MOST_TOOLS])
        return tuple(found)

    def call(self, name: str, arguments: Mapping[str, Any], seconds: float) -> str:
        self.used = True
        if self._dead:
            raise ToolFault(self._dead, "died")
        try:
            result = self._await(lambda: self._client.call_tool(name, dict(arguments)), seconds)
        except TimeoutError:
            raise ToolFault(f"the server did not answer in {seconds:g} s", "timeout") from None
        except Exception as error:
            raise self._explained(error) from error
        text = "\n".join(_text(block) for block in result.content)
        if result.is_error:
            raise ToolFault(text or "the tool failed and does not say why")
        return text or "[no content]"

    def _explained(self, error: Exception) -> ToolFault:
        """Tells a server that refuses from one that is gone."""
        if self.answers():
            return ToolFault(_reason(error))
        self._dead = f"the server is gone: {_reason(error)}"
        return ToolFault(self._dead, "died")

    def answers(self) -> bool:
        """Whether the server is there."""
        try:
            self._await(self._client.session.send_ping, _PING_S)
        except Exception:
            return False
        return True

    def close(self) -> None:
        """Ends the session, the process with all that it started, and the thread."""
        try:
            self._stack.close()
        except Exception as error:  # a server that died tears its session down loudly
            self._dead = self._dead or _reason(error)


class _Complaints:
    """The end of what a server writes to standard error, read in a thread so that it never waits for a reader."""

    def __init__(self) -> None:
        self._end = b""

    def __enter__(self) -> _Complaints:
        reading, writing = os.pipe()
        self.file = os.fdopen(writing, "w")
        self._reader = Thread(target=self._read, args=(reading,), daemon=True)
        self._reader.start()
        return self

    def _read(self, reading: int) -> None:
        with os.fdopen(reading, "rb", buffering=0) as stream:
            while part := stream.read(_COMPLAINT_BYTES):
                self._end = (self._end + part)[-_COMPLAINT_BYTES:]

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self._reader.join(_PING_S)  # longer only where what the server started lives on

    def last(self) -> str:
        """Gives the last lines as the end of a sentence, once the server has ended; empty where it wrote none."""
        lines = [line.strip() for line in self._end.decode("utf-8", "replace").splitlines() if line.strip()]
        return f"; it said: {' / '.join(lines[-3:])}"[:600] if lines else ""


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:300]


def _declared(tool: Any) -> Tool:
    """A server's own check stands behind ours: a schema that ours cannot bound is left to it."""
    schema = dict(tool.input_schema)
    text = json.dumps(schema)
    parameters = {"type": "object"} if _UNBOUND.search(text) else schema
    return Tool(name=tool.name, description=tool.description or "", parameters={"type": "object", **parameters})


def _text(block: Any) -> str:
    if block.type == "text":
        return str(block.text)
    return f"[{block.type}]"
