"""Logical databases of a Redis server, lent to one episode's source at a time, and a user who can reach nothing else.

What holds the server's own rights is in this file alone. The leases are keys of database 0, ``bai:lease:N``, which
expire after a day; a database that holds anything when it is lent is somebody's, and is passed over.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import weakref
from collections.abc import Iterator
from typing import Any

from bai.envs.sandbox.base import MIB
from bai.errors import ConfigError, InfraError, MissingDependency

__all__ = [
    "LogicalDatabase",
    "ended_by_size",
    "import_redis",
    "keys_of",
    "largest_argument",
    "server_faults",
    "size_of",
]

_LEASE_S = 86_400
_DEFAULT_DATABASES = 16
_DEFAULT_ARGUMENT = 512 * MIB
_AT_ONCE = 256
"""Names of keys that are asked for at once."""
_RULES = """
-@all +@read +@write -@dangerous -@blocking -@scripting -@pubsub -@transaction -@admin -@connection
+keys +ping -move -copy -randomkey -srandmember -hrandfield -zrandmember -spop -xgroup -xclaim -xautoclaim
""".split()  # noqa: SIM905 - so many words read better so
"""What an episode may do: read and write keys, at once, in its database; nothing that chance decides, or that keeps the
time (groups of a stream do)."""


def import_redis() -> Any:
    """Gives the library. Raises MissingDependency where it is absent."""
    try:
        import redis
    except ImportError as error:
        raise MissingDependency("redis", "pip install 'bai-rl[tools]'", "tools on Redis") from error
    return redis


@contextlib.contextmanager
def server_faults() -> Iterator[None]:
    """Turns the library's errors into InfraError: for what we ask of a server ourselves."""
    redis = import_redis()
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise InfraError(f"Redis failed: {error}") from error


def keys_of(admin: Any) -> list[bytes]:
    """Names of the keys of a client's database, in order; asked for in small pieces."""
    return sorted(set(admin.scan_iter(count=_AT_ONCE)))


def size_of(admin: Any) -> int:
    """Bytes that the keys of a client's database take, all that they hold counted."""
    with admin.pipeline(transaction=False) as asked:
        for key in keys_of(admin):
            asked.memory_usage(key, samples=0)
        return sum(size or 0 for size in asked.execute())  # None of a key that has gone by itself meanwhile


def largest_argument(admin: Any) -> int:
    """Bytes that an argument of a command may hold, as far as the server tells."""
    try:
        return int(admin.config_get("proto-max-bulk-len").get("proto-max-bulk-len", _DEFAULT_ARGUMENT))
    except import_redis().ResponseError:  # not allowed to everybody
        return _DEFAULT_ARGUMENT


@contextlib.contextmanager
def ended_by_size(admin: Any, refusal: Exception) -> Iterator[None]:
    """Raises ``refusal`` where a server ends our connection, but answers: what we asked for was too large."""
    try:
        yield
    except import_redis().ConnectionError:
        admin.ping()
        raise refusal from None


class LogicalDatabase:
    """One numbered database of a server; emptied and given back when it is closed, or nothing refers to it any more.

    Args:
        url: The server, as a user who may do everything.
        timeout_s: Seconds that the server may take for anything.

    Raises:
        ConfigError: The address is none.
        InfraError: The server cannot be reached, or all its databases are taken.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._owner = os.getpid()
        self._growing: set[str] | None = None  # asked for once: the answer is long
        self._token = secrets.token_hex(8)
        self.user = f"bai-{self._token}"
        self.password = secrets.token_hex(16)
        with server_faults():
            self.number = self._lease()
            self.admin, self._root = self._client(self.number), self._client(0)
            self._close = weakref.finalize(
                self, _give_back, self._owner, self._root, self.admin, self.number, self._token
            )
            rules = ["reset", "on", f">{self.password}", "~*", "resetchannels", *_RULES, f"+select|{self.number}"]
            self.admin.execute_command("ACL", "SETUSER", self.user, *rules)

    @property
    def is_ours(self) -> bool:
        """Whether this process leased it, not one that it was forked from."""
        return os.getpid() == self._owner

    def _client(self, number: int, **changes: Any) -> Any:
        redis = import_redis()
        try:
            return redis.Redis.from_url(
                self._url, db=number, socket_timeout=self._timeout_s, socket_connect_timeout=10.0, **changes
            )
        except ValueError as error:
            raise ConfigError(f"{self._url!r:.200} is no address of a Redis server: {error}") from error

    def connection(self) -> Any:
        """Gives a connection as the episode's user, in this database; the caller disconnects it."""
        with server_faults():
            client = self._client(self.number, username=self.user, password=self.password, protocol=2)
            return client.connection_pool.get_connection()

    def may_grow(self, name: str) -> bool:
        """Whether a server would refuse a command where its memory is full; of one with subcommands, some may be."""
        if self._growing is None:
            known = self.admin.command().items()
            self._growing = {name for name, told in known if "denyoom" in told["flags"] or told.get("subcommands")}
        return name.lower() in self._growing

    def _lease(self) -> int:
        with contextlib.closing(self._client(0)) as root:
            try:
                count = int(root.config_get("databases").get("databases", _DEFAULT_DATABASES))
            except import_redis().ResponseError:  # not allowed to everybody
                count = _DEFAULT_DATABASES
            first = secrets.randbelow(count)
            for step in range(count):
                number = (first + step) % count
                if number and self._take(root, number):
                    return number
        raise InfraError(f"all {count - 1} logical databases of the Redis server are taken")

    def _take(self, root: Any, number: int) -> bool:
        if not root.set(_lease_key(number), self._token, nx=True, ex=_LEASE_S):
            return False
        with contextlib.closing(self._client(number)) as client:
            if client.dbsize() == 0:
                return True
        root.delete(_lease_key(number))
        return False

    def renew(self) -> None:
        """Holds the lease for another day.

        Raises:
            InfraError: It ran out, so that another may have the database by now.
        """
        key = _lease_key(self.number)
        with server_faults():
            if self._root.get(key) != self._token.encode():
                raise InfraError(f"the lease of Redis's logical database {self.number} ran out")
            self._root.expire(key, _LEASE_S)

    def close(self) -> None:
        """Empties it and gives it back; may be called twice."""
        self._close()


def _lease_key(number: int) -> str:
    return f"bai:lease:{number}"


def _give_back(owner: int, root: Any, admin: Any, number: int, token: str) -> None:
    if os.getpid() != owner:
        return  # a forked child: it is its parent's
    with contextlib.suppress(import_redis().RedisError, OSError):
        root.execute_command("ACL", "DELUSER", f"bai-{token}")
        if root.get(_lease_key(number)) == token.encode():
            admin.flushdb()
            root.delete(_lease_key(number))
    with contextlib.suppress(import_redis().RedisError, OSError):
        root.close()
        admin.close()
