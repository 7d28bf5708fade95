"""Commands of a Redis server, in a logical database of the episode's own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from bai.envs.sandbox.base import MIB
from bai.envs.tools.base import Tool, ToolSource
from bai.envs.tools.redis_commands import expect_little_work, refusal, split
from bai.envs.tools.redis_databases import (
    LogicalDatabase,
    ended_by_size,
    import_redis,
    keys_of,
    largest_argument,
    server_faults,
    size_of,
)
from bai.envs.tools.redis_values import forms_of, put, text_of
from bai.errors import CannotFork, ConfigError, InfraError, ToolFault

__all__ = ["RedisSource"]

_MOST_KEYS = 10_000
"""Keys that an episode may have beside those of its setup."""
_GRACE_S = 10.0
"""Seconds beyond those of a command that the server may take for anything."""


class RedisSource(ToolSource):
    r"""Keys of a Redis server; the tool is ``redis``, with a ``command`` that may hold quotes.

    The setup is an object of keys: a text; a list of texts, for a list; or ``{"hash": {...}}``, ``{"set": [...]}``,
    ``{"zset": {member: score}}``. The end state is ``{"keys": {...}}`` of the same forms, with ``{"expires": form}``
    around a key that will go by itself, ``"inf"`` for an infinite score, and ``\x`` with hexadecimal digits for bytes
    that are no UTF-8 (and for a text that begins with ``\x``). A user of the server's who may read and write keys of
    this database alone runs the commands: none that blocks, empties or moves to other databases, configures,
    subscribes, runs scripts or transactions, draws by chance, or keeps what the clock says (``XADD *``, groups of a
    stream).

    Args:
        url: The server, as a user who may do everything; None for the variable ``BAI_REDIS_URL``.
        command_s: Seconds a command may take.
        shown: Elements of an answer that the agent sees.
        size_mb: Mebibytes that the keys may grow to, over what the setup takes, and of which there may be 10,000 beside
            it. From there on, as in a server that is full, what could add to them is a fault; one command may go beyond
            it, and an end state of twice the bound is not looked at.

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
        with self._machinery():
            admin = self._emptied()
            most = largest_argument(admin)
            for key, value in (setup or {}).items():
                put(admin, key, value, most)
            self._first = (admin.dbsize(), size_of(admin))

    @contextlib.contextmanager
    def _machinery(self) -> Iterator[None]:
        """Turns what the server does not do into InfraError; after one the next episode has another database.

        Not where it is late: it would be as late when asked to take this one back.
        """
        try:
            with server_faults():
                yield
        except InfraError as error:
            if isinstance(error.__cause__, import_redis().TimeoutError):
                self._disconnect()
            else:
                self.close()
            raise

    def _emptied(self) -> Any:
        self._disconnect()
        if self._database is None or not self._database.is_ours:
            self._database = LogicalDatabase(self._url, self._command_s + _GRACE_S)
        admin = self._held().admin
        admin.flushdb()
        return admin

    def _held(self) -> LogicalDatabase:
        """The database, which is still this source's."""
        if self._database is None:
            raise InfraError("there is no database: call begin() first")
        if not self._database.is_ours:
            raise InfraError("the Redis database is the parent process's: call begin() first")
        self._database.renew()
        return self._database

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        parts = split(arguments["command"])
        with self._machinery():
            database = self._held()
            if database.may_grow(parts[0]):  # a server's own bound counts all its databases together
                self._expect_size(database.admin, self._size)
            expect_little_work(database.admin, parts)
            return self._answer(database, parts)

    def _answer(self, database: LogicalDatabase, parts: list[str]) -> str:
        redis, connection = import_redis(), self._connected(database)
        try:
            connection.send_command(*parts)
            return self._told(connection.read_response(timeout=self._command_s))
        except redis.ResponseError as error:
            raise refusal(error, parts[0]) from None
        except redis.TimeoutError:
            self._disconnect()
            raise ToolFault(f"the command took more than {self._command_s:g} s", "timeout") from None
        except (redis.RedisError, OSError):
            self._disconnect()
            self._connected(database)  # where that cannot be, the command is not what ended the connection
            raise ToolFault("the server ended the connection: the answer was too large", "too_large") from None

    def _expect_size(self, admin: Any, most: int) -> None:
        """Raises ToolFault where the keys are too many, or take more than ``most`` bytes over those of the setup."""
        keys, size = self._first
        if admin.dbsize() > keys + _MOST_KEYS:  # first, since each key is asked for its size
            raise ToolFault(f"there are more than {_MOST_KEYS} new keys; delete some", "too_large")
        if size_of(admin) > size + most:
            raise ToolFault(f"the keys hold more than {most // MIB} MiB; delete some", "too_large")

    def _connected(self, database: LogicalDatabase) -> Any:
        """A connection as the episode's user that the server answers; one that it ended meanwhile is made anew."""
        redis = import_redis()
        if self._connection is not None:
            try:
                self._connection.send_command("PING")
                self._connection.read_response()
            except (redis.RedisError, OSError):
                self._disconnect()
        if self._connection is None:
            self._connection = database.connection()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def _told(self, answer: Any) -> str:
        if isinstance(answer, list):
            lines = [f"{number}) {self._told(item)}" for number, item in enumerate(answer[: self._shown], start=1)]
            more = len(answer) - self._shown
            return "\n".join([*lines, *([f"[{more} more not shown]"] if more > 0 else [])]) or "(empty)"
        return "(nil)" if answer is None else text_of(answer)

    def end_state(self) -> Any:
        with self._machinery():
            admin = self._held().admin
            with ended_by_size(admin, ToolFault("the keys hold too much to be read", "too_large")):
                self._expect_size(admin, 2 * self._size)  # the last command may have gone beyond the bound
                return {"keys": forms_of(admin)}

    def get_state(self) -> Any:
        if self._database is None:
            raise CannotFork("there is no database to branch: call begin() first")
        with self._machinery():
            admin = self._held().admin
            with ended_by_size(admin, CannotFork("a key is larger than the server's answers may be")):
                kept = [(key, admin.dump(key), max(0, admin.pexpiretime(key))) for key in keys_of(admin)]
            most = largest_argument(admin)
        largest = max((len(data or b"") for _, data, _ in kept), default=0)
        if largest > most:
            raise CannotFork(f"a key takes {largest} bytes, and the server {most} at most (proto-max-bulk-len)")
        return self._first, kept

    def set_state(self, state: Any) -> None:
        self._first, kept = state
        with self._machinery():
            admin = self._emptied()
            for key, data, expiry in kept:
                if data is not None:  # it went by itself between two of our questions
                    admin.restore(key, expiry, data, absttl=expiry > 0)

    def close(self) -> None:
        self._disconnect()
        if self._database is not None:
            self._database.close()
            self._database = None
