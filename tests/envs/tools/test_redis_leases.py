"""Leases of a Redis server's logical databases: renewed while they are used, given back, and told when they ran out."""

from __future__ import annotations

import contextlib
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bai.envs.tools.redis import RedisSource
from bai.envs.tools.servers import RedisServer
from bai.errors import InfraError

DAY_S = 86_400
FORKING = """
import json, os, sys
from bai.envs.tools.redis import RedisSource
from bai.errors import BaiError
source = RedisSource(url=sys.argv[1])
source.begin({"color": "red"})
state = source.get_state()
source.call("redis", {"command": "SET size 1"})
if (child := os.fork()) == 0:
    try:
        {"begin": lambda: source.begin({}), "set_state": lambda: source.set_state(state)}.get(sys.argv[2], int)()
        source.call("redis", {"command": "SET size 2"})
        print(json.dumps(source.end_state()))
    except BaiError as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
    source.close()
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
print(json.dumps([source.call("redis", {"command": "GET size"}), source.end_state()]))
"""


@pytest.fixture
def server(redis_server: type[RedisServer]) -> Iterator[RedisServer]:
    """A server of the test's own, with one database to lend."""
    with redis_server(databases=2) as started:
        yield started


@pytest.fixture
def root(server: RedisServer) -> Iterator[Any]:
    """Where the leases are kept."""
    import redis

    with contextlib.closing(redis.Redis.from_url(server.url, db=0)) as client:
        yield client


@pytest.fixture
def source(server: RedisServer) -> Iterator[RedisSource]:
    """A source that holds the one database, with a key in it."""
    made = RedisSource(url=server.url)
    made.begin({"color": "red"})
    yield made
    made.close()


def lease(root: Any) -> str:
    (key,) = root.keys("bai:lease:*")
    return str(key.decode())


@pytest.mark.parametrize("goes_on", ["with an episode", "with a branch"])
def test_each_episode_renews_the_lease(goes_on: str, source: RedisSource, root: Any) -> None:
    """Whoever plays for longer than a day keeps the database, as long as an episode or a branch begins each day."""
    token, state = root.get(lease(root)), source.get_state()
    root.expire(lease(root), 60)
    if goes_on == "with an episode":
        source.begin({"color": "red"})
    else:
        source.set_state(state)
    assert DAY_S - 60 < root.ttl(lease(root)) <= DAY_S and root.get(lease(root)) == token
    assert source.end_state() == {"keys": {"color": "red"}}


def test_closing_gives_the_database_back_empty(source: RedisSource, server: RedisServer, root: Any) -> None:
    """No lease, no key and no user stay behind, and another source can have it."""
    assert len(root.acl_users()) == 2
    with pytest.raises(InfraError, match="are taken"):
        RedisSource(url=server.url).begin(None)
    source.close()
    assert root.keys("bai:lease:*") == [] and root.acl_users() == ["default"]
    other = RedisSource(url=server.url)
    other.begin(None)
    assert other.end_state() == {"keys": {}}
    other.close()


def test_a_lease_that_ran_out_is_not_played_on(source: RedisSource, server: RedisServer, root: Any) -> None:
    """Its holder is told, as a fault of the machinery; the database is another's, and closing leaves it alone."""
    source.call("redis", {"command": "DEL color"})
    root.pexpire(lease(root), 0)
    assert root.keys("bai:lease:*") == []
    other = RedisSource(url=server.url)
    other.begin({"mine": "1"})
    with pytest.raises(InfraError, match="the lease of Redis's logical database 1 ran out"):
        source.begin({"color": "blue"})
    assert other.end_state() == {"keys": {"mine": "1"}} and root.keys("bai:lease:*")
    other.close()


def test_a_source_that_lost_its_lease_takes_another(source: RedisSource, root: Any) -> None:
    """At the episode after the one that was told."""
    root.pexpire(lease(root), 0)
    with pytest.raises(InfraError, match="ran out"):
        source.begin({"color": "blue"})
    root.flushall()  # what it held without a lease is somebody's
    source.begin({"color": "blue"})
    assert root.keys("bai:lease:*") and source.end_state() == {"keys": {"color": "blue"}}


def test_a_holder_that_is_forgotten_gives_its_lease_back(server: RedisServer, root: Any) -> None:
    """A source that nothing refers to any more need not have been closed."""
    made = RedisSource(url=server.url)
    made.begin({"color": "red"})
    assert root.keys("bai:lease:*")
    del made
    gc.collect()
    assert root.keys("bai:lease:*") == []


@pytest.mark.parametrize(
    ("goes_on", "child"),
    [
        ("begin", {"keys": {"size": "2"}}),
        ("set_state", {"keys": {"color": "red", "size": "2"}}),
        ("call", "InfraError: the Redis database is the parent process's: call begin() first"),
    ],
)
def test_a_forked_child_leaves_its_parents_database_alone(redis_url: str, goes_on: str, child: object) -> None:
    """It leases its own with an episode or a branch, and is told where it goes on without; closing is its own too."""
    run = [sys.executable, "-c", FORKING, redis_url, goes_on]
    told = subprocess.run(run, capture_output=True, check=True, timeout=300).stdout
    mine, parents = map(json.loads, told.splitlines())
    assert mine == child and parents == ["1", {"keys": {"color": "red", "size": "1"}}]
