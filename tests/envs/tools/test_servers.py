"""Private servers end with the process that started them, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bai.envs.tools import servers
from bai.envs.tools.servers import PostgresServer, RedisServer
from bai.errors import InfraError

OWNER = """
import json, os, sys, time
from bai.envs.tools import servers
server = getattr(servers, sys.argv[1])().start()
child = os.fork() if sys.argv[2] == "forked" else 0
if child or sys.argv[2] != "forked":
    print(json.dumps({"folder": str(server.folder), "url": server.url, "child": child}), flush=True)
time.sleep(600)
"""
FORKING = """
import os
from bai.envs.tools.servers import RedisServer
with RedisServer() as server:
    folder, child = server.folder, os.fork()
    if child == 0:
        server.close()
        os._exit(0)
    os.waitpid(child, 0)
    print(folder.is_dir() and server._answers(), flush=True)
print(folder.exists())
"""
CLOSING = """
import os, signal, sys, time
from pathlib import Path
import redis
from bai.envs.tools import servers
server = servers.RedisServer().start()
folder, process = server.folder, redis.Redis.from_url(server.url).info("server")["process_id"]
stat = Path(f"/proc/{process}/stat")
child = os.fork()
if child == 0:
    signal.pause()
if sys.argv[1] == "stopped":
    servers._STOP_S = 0.1
    os.kill(server._process.pid, signal.SIGSTOP)
server.close()
deadline = time.monotonic() + 30
while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z" and time.monotonic() < deadline:
    time.sleep(0.01)
print(folder.exists(), time.monotonic() < deadline)
os.kill(child, signal.SIGKILL)
"""
Start = Callable[[str, str], tuple[subprocess.Popen[bytes], dict[str, Any]]]


def skip_without(kind: str) -> None:
    library = {"RedisServer": "redis", "PostgresServer": "psycopg"}[kind]
    pytest.importorskip(library, reason=f"needs {library}")
    if (reason := getattr(servers, kind).unavailable_reason()) is not None:
        pytest.skip(f"needs {kind}: {reason}")


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process with a server; neither it nor what it forked is left."""
    owners: list[subprocess.Popen[bytes]] = []
    children: list[int] = []

    def start_one(kind: str, how: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        skip_without(kind)
        owner = subprocess.Popen([sys.executable, "-c", OWNER, kind, how], stdout=subprocess.PIPE)
        owners.append(owner)
        assert owner.stdout is not None
        told = json.loads(owner.stdout.readline())
        children.append(told["child"])
        return owner, told

    yield start_one
    for owner in owners:
        owner.kill()
        owner.wait()
        assert owner.stdout is not None
        owner.stdout.close()
    for child in filter(None, children):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def process_of(kind: str, told: dict[str, Any]) -> int:
    if kind == "PostgresServer":
        return int(Path(told["folder"], "data", "postmaster.pid").read_text().split("\n", 1)[0])
    import redis

    with redis.Redis.from_url(told["url"]) as client:
        return int(client.info("server")["process_id"])


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("how", ["alone", "forked"])
@pytest.mark.parametrize("kind", ["RedisServer", "PostgresServer"])
def test_a_killed_owner_leaves_nothing(start: Start, kind: str, how: str) -> None:
    """Neither server nor directory, even where a child that it forked lives on."""
    owner, told = start(kind, how)
    pid, folder = process_of(kind, told), Path(told["folder"])
    assert is_there(pid) and folder.is_dir()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    deadline = time.monotonic() + 60
    while is_there(pid) or folder.exists():
        assert time.monotonic() < deadline, "it outlives its owner"
        time.sleep(0.02)


def test_a_forked_child_ends_no_server() -> None:
    """It is its parent's; the child may close its copy, and end."""
    skip_without("RedisServer")
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, check=True, timeout=300)
    assert done.stdout.split() == [b"True", b"False"]


@pytest.mark.parametrize("host", ["running", "stopped"])
def test_closing_ends_the_server_while_a_forked_child_lives(host: str) -> None:
    """At once, though the child holds what its parent held; and where what looks after the server does not answer."""
    skip_without("RedisServer")
    done = subprocess.run([sys.executable, "-c", CLOSING, host], capture_output=True, check=True, timeout=300)
    assert done.stdout.split() == [b"False", b"True"]


@pytest.mark.parametrize("databases", [2, 40, 10_000])
def test_redis_has_memory_for_all_its_databases(redis_server: type[RedisServer], databases: int) -> None:
    """An episode takes nothing from others while the machine has room for all."""
    import redis

    with redis_server(databases) as server, redis.Redis.from_url(server.url) as client:
        most = int(client.config_get("maxmemory")["maxmemory"])
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    assert min(databases * 32 * 2**20, half) <= most <= max(half, 512 * 2**20)


@pytest.mark.parametrize("kind", [RedisServer, PostgresServer])
@pytest.mark.parametrize(
    ("command", "reason"),
    [(["/nowhere/server"], "No such file"), (["/bin/sh", "-c", "echo no luck"], "no luck"), (["/bin/true"], "nothing")],
)
def test_a_server_that_does_not_start_says_why(
    kind: type[Any], command: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it cannot be run at all or ends at once; no directory is left."""
    skip_without(kind.__name__)
    folders: list[Path] = []
    monkeypatch.setattr(kind, "_prepare", lambda self, folder: folders.append(folder) or command)
    with pytest.raises(InfraError, match=f"(?s)did not start: .*{reason}"):
        kind().start()
    assert len(folders) == 1 and not folders[0].exists()
