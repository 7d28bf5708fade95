"""Commands of a Redis server, in a logical database of the episode's own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from bai.envs.sandbox.base import MIB
from bai.envs.tools.base import Tool, ToolSource
from bai.envs.tools.redis_databases import LogicalDatabase, ended_by_size, import_redis, keys_of, server_faults, size_of
from bai.envs.tools.redis_values import forms_of, put, text_of
from bai.errors import CannotFork, ConfigError, InfraError, ToolFault

__all__ = ["RedisSource"]

_ANYBODYS = frozenset({"auth", "hello", "quit", "reset"})
"""Commands that no rule of the server's can keep from a user; they end or change who that is."""
_MOST_KEYS = 10_000
"""Keys that an episode may have beside those of its setup."""


class RedisSource(ToolSource):
    """Keys of a Redis server; the tool is ``redis``, with a ``command`` that may hold quotes.

    The setup is an object of keys: a text; a list of texts, for a list; or ``{"hash": {...}}``, ``{"set": [...]}``,
    ``{"zset": {member: score}}``. The end state is ``{"keys": {...}}`` of the same forms, with ``{"expires": form}``
    around a key that will go by itself. A user of the server's who may read and write keys of this database alone runs
    the commands: none that blocks, empties or moves to other databases, configures, subscribes, runs scripts or
    transactions, or draws by chance.

    Args:
        url: The server, as a user who may do everything; None for the variable ``BAI_REDIS_URL``.
        command_s: Seconds a command may take.
        shown: Elements of an answer that the agent sees.
        size_mb: Mebibytes that the keys may grow to, over what the setup takes. From there on, as in a server that is
            full, what could add to them is a fault; one command may go beyond it.

    Raises:
        ConfigError: There is no address, or a limit is out of range.
    """

    def __init__(self, *, url: str | None = None, command_s: float = 2.0, shown: int = 100, size_mb: int = 16) -> None:
        self._url = url or os.environ.get("BAI_REDIS_URL", "")
        if not self._url:
            raise ConfigError("Redis needs a server: give redis_url, or set BAI_REDIS_URL")
        if not 0 < command_s <= 3600 or shown < 1 or size_mb < 1:
            given = f"{command_s!r}, {shown!r} and {size_mb!r}"
            raise ConfigError(f"expected seconds of at most an hour, elements and mebibytes; got {given}")
        self._command_s, self._shown, self._size = command_s, shown, size_mb * MIB
        self._first = (0, 0)  # keys of the setup, and the bytes that they take
        self._database: LogicalDatabase | None = None
        self._connection: Any = None

    def tools(self) -> tuple[Tool, ...]:
        return (
            Tool(
                name="redis",
                description="Run one Redis command.",
                parameters={
                    "type": "object",
                    "properties": {"command": {"type": "string", "description": "Such as: SET color red"}},
                    "required": ["command"],
                },
            ),
        )

    def begin(self, setup: Any) -> None:
        if setup is not None and not isinstance(setup, dict):
            raise ConfigError(f"expected an object of keys, or None, as the setup; got {setup!r:.200}")
        admin = self._emptied()
        with server_faults():
            for key, value in (setup or {}).items():
                put(admin, key, value)
            self._first = (admin.dbsize(), size_of(admin))

    def _emptied(self) -> Any:
        self._disconnect()
        if self._database is None:
            self._database = LogicalDatabase(self._url, self._command_s + 10.0)
        self._database.renew()
        with server_faults():
            self._database.admin.flushdb()
        return self._database.admin

    def _admin(self) -> Any:
        if self._database is None:
            raise InfraError("there is no database: call begin() first")
        return self._database.admin

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        parts = _split(arguments["command"])
        redis = import_redis()
        self._expect_room(parts[0])
        try:
            connection = self._connected()
            connection.send_command(*parts)
            return self._told(connection.read_response(timeout=self._command_s))
        except redis.OutOfMemoryError as error:  # not by this database, whose size is bounded
            raise InfraError(f"the Redis server is full: {error}") from error
        except redis.ResponseError as error:
            raise _refusal(error, parts[0]) from None
        except redis.TimeoutError:
            self._disconnect()
            raise ToolFault(f"the command took more than {self._command_s:g} s", "timeout") from None
        except (redis.RedisError, OSError) as error:
            self._disconnect()
            self._expect_server(error)
            raise ToolFault("the server ended the connection: the answer was too large", "too_large") from None

    def _expect_room(self, name: str) -> None:
        """Refuses what could add to keys that are too large: a server's own bound counts all its databases together."""
        admin = self._admin()
        with server_faults():
            if self._database is not None and self._database.may_grow(name):
                self._expect_size(admin, self._size)

    def _expect_size(self, admin: Any, most: int) -> None:
        """Raises ToolFault where the keys are too many, or take more than ``most`` bytes over those of the setup."""
        keys, size = self._first
        if admin.dbsize() > keys + _MOST_KEYS:  # first, since each key is asked for its size
            raise ToolFault(f"there are more than {_MOST_KEYS} new keys; delete some", "too_large")
        if size_of(admin) > size + most:
            raise ToolFault(f"the keys hold more than {most // MIB} MiB; delete some", "too_large")

    def _connected(self) -> Any:
        if self._connection is None:
            assert self._database is not None
            self._connection = self._database.connection()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def _expect_server(self, cause: Exception) -> None:
        """Tells a server that ended a connection from one that is gone. Raises InfraError."""
        try:
            self._admin().ping()
        except (import_redis().RedisError, OSError):
            raise InfraError(f"the Redis server is gone: {cause}") from cause

    def _told(self, answer: Any) -> str:
        if isinstance(answer, list):
            lines = [f"{number}) {self._told(item)}" for number, item in enumerate(answer[: self._shown], start=1)]
            more = len(answer) - self._shown
            return "\n".join([*lines, *([f"[{more} more not shown]"] if more > 0 else [])]) or "(empty)"
        return "(nil)" if answer is None else text_of(answer)

    def end_state(self) -> Any:
        admin = self._admin()
        with server_faults(), ended_by_size(admin, ToolFault("the keys hold too much to be read", "too_large")):
            self._expect_size(admin, 2 * self._size)  # the last command may have gone beyond the bound
            return {"keys": forms_of(admin)}

    def get_state(self) -> Any:
        if self._database is None:
            raise CannotFork("there is no database to branch: call begin() first")
        admin = self._admin()
        with server_faults():
            kept = [(key, admin.dump(key), max(0, admin.pexpiretime(key))) for key in keys_of(admin)]
        return self._first, kept

    def set_state(self, state: Any) -> None:
        self._first, kept = state
        admin = self._emptied()
        with server_faults():
            for key, data, expiry in kept:
                if data is not None:  # it went by itself between two of our questions
                    admin.restore(key, expiry, data, absttl=expiry > 0)

    def close(self) -> None:
        self._disconnect()
        if self._database is not None:
            self._database.close()
            self._database = None


_WORD = re.compile(r"""\s*((?:[^\s"']|"(?:[^"\\]|\\.)*"|'[^']*')+)(?=\s|$)""", re.DOTALL)
_PIECE = re.compile(r"""([^"']+)|"((?:[^"\\]|\\.)*)"|'([^']*)'""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _split(command: str) -> list[str]:
    """Splits a command into words; quotes hold words together, and a backslash takes what follows in double ones."""
    parts, at = [], 0
    command = command.strip()
    while at < len(command):
        word = _WORD.match(command, at)
        if word is None:
            raise ToolFault("the command cannot be read: a quote is not closed", "failed")
        pieces = _PIECE.findall(word[1])
        parts.append("".join(bare + _ESCAPED.sub(r"\1", double) + single for bare, double, single in pieces))
        at = word.end()
    if not parts:
        raise ToolFault("expected a command, such as SET color red; got nothing", "failed")
    if re.search(r"\s", parts[0]):  # the client's library would take it for several words
        raise ToolFault(f"there is no command {parts[0]!r:.80}: put quotes around arguments alone", "failed")
    if parts[0].lower() in _ANYBODYS:
        raise ToolFault(f"not allowed here: {parts[0].upper()}", "refused")
    return parts


def _refusal(error: Exception, name: str) -> ToolFault:
    text = str(error)
    if "no permissions" in text or "NOPERM" in text:
        return ToolFault(f"not allowed here: {name.upper():.50}", "refused")
    is_size = any(sign in text for sign in ("maximum allowed size", "offset is not an integer"))
    kind = "too_large" if is_size else "failed"
    return ToolFault(text[:300], kind)
