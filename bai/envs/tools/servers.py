"""Private database servers: started for tests, examples and training runs on one machine, and stopped with them.

    with PostgresServer() as postgres, RedisServer() as redis:
        env = gym.make("bai/ToolUse-v0", uses=["postgres", "redis"], postgres_url=postgres.url, redis_url=redis.url)

Each has a data directory of its own and listens on a Unix socket in it alone: there is no port, and nobody but its
owner may enter. Where this process is root, the server runs as an unprivileged user. Durability is switched off.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from bai.envs.sandbox.base import MIB
from bai.envs.tools.postgres_sessions import import_psycopg
from bai.envs.tools.redis_databases import import_redis
from bai.errors import InfraError, MissingDependency

__all__ = ["PostgresServer", "RedisServer"]

_START_S = 60.0
_STOP_S = 20.0
_POSTGRES_KIB = 512 * 1024
"""Kibibytes of address space that each process of PostgreSQL may have."""
_REDIS_LARGEST = "64mb"
"""Most that an argument or an answer of Redis may hold: a key is copied whole, and an episode's may take 16 MiB."""
_REDIS_EACH = 32 * MIB
"""Bytes of memory for each logical database: an episode's bound, with one command beyond it."""
_REDIS_LEAST = 512 * MIB
"""Bytes of memory that a server may take at least; answers that are being told count too."""


class _Server(ABC):
    """A server's process and its directory; not started by being made. It ends with the block, or with this process.

    Another process runs the server and looks after this one, so that nothing is left even where this one is killed.

    Raises:
        MissingDependency: Its programs, or the library that speaks with it, are not installed.
        InfraError: It did not start; the message holds the end of its log.
    """

    users: ClassVar[tuple[str, ...]]
    """Who it may run as where this process is root, best first."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner_pid = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """What the environment's argument takes."""

    @abstractmethod
    def _prepare(self, folder: Path) -> list[str]:
        """Lays out the directory; gives the command."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server can be used."""

    @property
    def folder(self) -> Path:
        """Where its data are. Raises InfraError where it does not run."""
        if self._folder is None:
            raise InfraError("the server does not run: call start() first")
        return self._folder

    def start(self) -> Self:
        """Starts it and waits until it answers; does nothing where it runs."""
        if self._process is not None:
            return self
        self._owner_pid = os.getpid()
        # The path of a socket may have some 100 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="bai-", dir="/tmp"))
        atexit.register(self.close)
        try:
            self._folder.chmod(0o700)
            if owner := self._owner():
                os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            command = self._prepare(self._folder)
            self._process = self._host(command)
            self._wait()
        except BaseException:
            self.close()
            raise
        return self

    def _host(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Starts the process that runs the server, and ends it when this one is gone, however that came."""
        asked = {
            "command": command,
            "folder": str(self.folder),
            "owner": os.getpid(),
            "stop_s": _STOP_S,
            "surroundings": self._surroundings() | {"start_new_session": False},  # it has one with the server in it
        }
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("server_host.py")), json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={},
            start_new_session=True,
        )

    def _owner(self) -> pwd.struct_passwd | None:
        """Who it runs as, where that is not who runs this."""
        if os.geteuid() != 0:
            return None
        for name in (*self.users, "nobody"):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise InfraError("a database server does not run as root, and there is no user 'nobody'")

    def _surroundings(self) -> dict[str, Any]:
        """Arguments of every process that is started."""
        variables = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(self.folder)}
        common: dict[str, Any] = {"env": variables, "cwd": str(self.folder), "start_new_session": True}
        if owner := self._owner():
            common |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        return common

    def _wait(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        deadline = time.monotonic() + _START_S
        while not self._answers():
            has_ended = bool(select.select([self._process.stdout], [], [], 0.02)[0])
            if has_ended or time.monotonic() > deadline:
                raise InfraError(f"{type(self).__name__} did not start: {self._log()[-1000:] or 'it says nothing'}")

    def _log(self) -> str:
        """What the server said, or why it could not be run."""
        assert self._process is not None and self._process.stdout is not None
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "log").read_text("utf-8", "replace")
        return self._process.stdout.read().decode("utf-8", "replace")

    def close(self) -> None:
        """Stops it and removes its data; may be called twice. A forked child lets go of it: it is its parent's."""
        atexit.unregister(self.close)
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        is_ours = os.getpid() == self._owner_pid
        if process is not None:
            _end(process, is_ours=is_ours)
        if folder is not None and is_ours:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _end(process: subprocess.Popen[bytes], *, is_ours: bool) -> None:
    assert process.stdin is not None and process.stdout is not None
    if is_ours:
        with contextlib.suppress(OSError):  # it has ended
            os.write(process.stdin.fileno(), b"\n")  # a forked child may hold its input open for as long as it lives
    else:
        process.returncode = 0
    process.stdin.close()
    try:
        process.wait(2 * _STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the server with it
        process.wait()
    process.stdout.close()


class PostgresServer(_Server):
    """PostgreSQL, from the programs of the system's package."""

    users = ("postgres",)

    @staticmethod
    def unavailable_reason() -> str | None:
        """Why it cannot be started here, or None."""
        return None if _postgres_programs() else "the programs of PostgreSQL are not installed"

    @property
    def url(self) -> str:
        return f"postgresql://bai@/postgres?host={self.folder}"

    def _prepare(self, folder: Path) -> list[str]:
        programs = _postgres_programs()
        if programs is None:
            raise MissingDependency("PostgreSQL", "apt-get install postgresql", "tools on PostgreSQL")
        data = folder / "data"
        made = subprocess.run(
            [
                programs / "initdb",
                "-D",
                data,
                "-U",
                "bai",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ],
            capture_output=True,
            check=False,
            **self._surroundings(),
        )
        if made.returncode != 0:
            raise InfraError(f"initdb failed: {made.stderr.decode('utf-8', 'replace')[-1000:]}")
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "shared_buffers": "32MB",
            "max_connections": "100",
            "autovacuum": "off",
            "max_wal_size": "256MB",
            # What a statement may write to the log, or take of the server's one table of locks, is not bounded.
            "log_min_messages": "fatal",
            "log_min_error_statement": "panic",
            "max_locks_per_transaction": "512",
            "client_connection_check_interval": "1s",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        # A value of a gigabyte would be built there, sent here and held here before anybody could say no.
        bounded = ["/bin/sh", "-c", f'ulimit -v {_POSTGRES_KIB}; exec "$@"', "sh"]
        return [*bounded, str(programs / "postgres"), "-D", str(data), *options]

    def _answers(self) -> bool:
        psycopg = import_psycopg()
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def _postgres_programs() -> Path | None:
    """The directory of the newest version's programs; Debian keeps it out of the path."""
    if found := shutil.which("postgres"):
        return Path(found).parent
    folders = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "postgres").exists()]
    return max(folders, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0), default=None)


class RedisServer(_Server):
    """Redis.

    It may take 32 MiB of memory for each database, so that episodes that fill theirs take nothing from the others; but
    half of the machine's at most, and 512 MiB at least.

    Args:
        databases: Logical databases; one of them keeps the leases of the others.
    """

    users = ("redis",)

    def __init__(self, databases: int = 256) -> None:
        super().__init__()
        self._databases = databases

    @staticmethod
    def unavailable_reason() -> str | None:
        """Why it cannot be started here, or None."""
        return None if shutil.which("redis-server") else "redis-server is not installed"

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/redis.sock"

    def _prepare(self, folder: Path) -> list[str]:
        program = shutil.which("redis-server")
        if program is None:
            raise MissingDependency("redis-server", "apt-get install redis-server", "tools on Redis")
        half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        settings = {
            "port": "0",
            "unixsocket": f"{folder}/redis.sock",
            "unixsocketperm": "700",
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "databases": str(self._databases),
            "maxmemory": str(max(_REDIS_LEAST, min(self._databases * _REDIS_EACH, half))),
            "maxmemory-policy": "noeviction",
            "proto-max-bulk-len": _REDIS_LARGEST,
            "client-output-buffer-limit": f"normal {_REDIS_LARGEST} 0 0",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", *value.split(" "))]
        return [program, *options]

    def _answers(self) -> bool:
        redis = import_redis()
        with contextlib.closing(redis.Redis.from_url(self.url, socket_timeout=5)) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
