"""What befalls the Redis server is a fault of the machinery, never the agent's, and the next episode goes on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bai.envs.tools.redis import RedisSource
from bai.envs.tools.redis_commands import refusal
from bai.envs.tools.servers import RedisServer
from bai.errors import InfraError, ToolFault

GIANT = "MGET " + 30 * "large "
"""More than the tests' server tells."""


@pytest.fixture
def server(redis_server: type[RedisServer]) -> Iterator[RedisServer]:
    """A server of the test's own."""
    import redis

    with redis_server(databases=3) as started, contextlib.closing(redis.Redis.from_url(started.url)) as client:
        client.config_set("client-output-buffer-limit", "normal 16mb 0 0")
        yield started


@pytest.fixture
def root(server: RedisServer) -> Iterator[Any]:
    """Who may do everything there."""
    import redis

    with contextlib.closing(redis.Redis.from_url(server.url, db=0)) as client:
        yield client
        client.config_set("save", "")  # it does not end where it cannot save


@pytest.fixture
def source(server: RedisServer) -> Iterator[RedisSource]:
    """A source with a key that is large."""
    made = RedisSource(url=server.url, command_s=30.0)
    made.begin({"large": "x" * 1_000_000})
    yield made
    made.close()


def ask(made: RedisSource, command: str) -> str:
    return made.call("redis", {"command": command})


def lose_user(root: Any, server: RedisServer) -> None:
    (user,) = set(root.acl_users()) - {"default"}
    root.acl_deluser(user)


def lose_lease(root: Any, server: RedisServer) -> None:
    root.delete(*root.keys("bai:lease:*"))


def take_no_more_clients(root: Any, server: RedisServer) -> None:
    root.config_set("maxclients", root.info("clients")["connected_clients"])


def serve_another(root: Any, server: RedisServer) -> None:
    root.replicaof("127.0.0.1", "1")


def lose_disk(root: Any, server: RedisServer) -> None:
    server.folder.chmod(0o500)
    root.config_set("save", "1 1")
    root.bgsave()
    deadline = time.monotonic() + 60
    while root.info("persistence")["rdb_last_bgsave_status"] == "ok":
        assert time.monotonic() < deadline, "it saves where it may not write"
        time.sleep(0.01)


@pytest.mark.parametrize("befalls", [lose_user, lose_lease, take_no_more_clients, serve_another, lose_disk])
@pytest.mark.parametrize("command", ["SET color red", GIANT])
def test_a_fault_of_the_server_is_no_fault_of_the_call(
    source: RedisSource, root: Any, server: RedisServer, befalls: Callable[[Any, RedisServer], None], command: str
) -> None:
    """Whether the agent had called before or not, and whatever it asks for."""
    befalls(root, server)
    with pytest.raises(InfraError):
        ask(source, command)


def test_a_user_who_goes_amid_an_episode(source: RedisSource, root: Any, server: RedisServer) -> None:
    """Ends it as a fault of the machinery, and the next has a user again."""
    assert ask(source, "STRLEN large") == "1000000"
    lose_user(root, server)
    with pytest.raises(InfraError):
        ask(source, "STRLEN large")
    source.begin({"color": "red"})
    assert ask(source, "GET color") == "red"


def test_a_connection_that_was_idle_is_made_anew(source: RedisSource, root: Any) -> None:
    """A server may end it between two calls; an answer that is too large is told after as before."""
    for _ in range(2):
        assert ask(source, "STRLEN large") == "1000000"
        with pytest.raises(ToolFault, match="the answer was too large"):
            ask(source, GIANT)
        (user,) = set(root.acl_users()) - {"default"}
        root.client_kill_filter(user=user)


def test_a_server_that_is_late_is_waited_for_once(
    server: RedisServer, root: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked for the database back, which the next episode finds there."""
    monkeypatch.setattr("bai.envs.tools.redis._GRACE_S", 0.3)
    with contextlib.closing(RedisSource(url=server.url, command_s=0.2)) as made:
        made.begin({"color": "red"})
        leases = root.keys("bai:lease:*")
        root.client_pause(900, all=True)
        with pytest.raises(InfraError, match="Timeout"):
            ask(made, "GET color")
        root.client_unpause()
        made.begin({"color": "blue"})
        assert root.keys("bai:lease:*") == leases and made.end_state() == {"keys": {"color": "blue"}}


@pytest.mark.parametrize("what", [RedisSource.end_state, RedisSource.get_state, lambda made: ask(made, "GET large")])
def test_nothing_is_read_without_the_lease(
    source: RedisSource, root: Any, server: RedisServer, what: Callable[[RedisSource], Any]
) -> None:
    """The database may be another's by now, or empty after a restart; the next episode leases one again."""
    lose_lease(root, server)
    with pytest.raises(InfraError, match="ran out"):
        what(source)
    source.begin({"color": "red"})
    assert what(source) != ""
    assert source.end_state() == {"keys": {"color": "red"}}


@pytest.mark.parametrize(
    "reply", ["MISCONF Redis is configured to save RDB snapshots", "NOREPLICAS Not enough good replicas", "BUSY Redis"]
)
def test_replies_of_a_server_that_cannot_work(reply: str) -> None:
    """Between two of our questions too; what merely names them in an argument is the agent's."""
    redis = pytest.importorskip("redis", reason="needs redis")
    assert isinstance(refusal(redis.ResponseError(reply), "SET"), InfraError)
    assert isinstance(refusal(redis.ReadOnlyError("You can't write against a read only replica."), "SET"), InfraError)
    assert isinstance(refusal(redis.ResponseError(f"unknown command '{reply}'"), "SET"), ToolFault)
