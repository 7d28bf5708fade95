"""What an agent makes too large on Redis is the agent's, and never a fault of the machinery."""

from __future__ import annotations

import contextlib
import pickle
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bai.envs.tools.redis import RedisSource
from bai.envs.tools.servers import RedisServer
from bai.errors import CannotFork, ToolFault

Fault = Callable[..., tuple[str, str]]
OUTPUT = "client-output-buffer-limit"
TEXT = "y" * 57_300


@pytest.fixture(scope="module")
def server(redis_server: type[RedisServer]) -> Iterator[RedisServer]:
    """A server of the tests' own."""
    with redis_server(databases=4) as started:
        yield started


@pytest.fixture
def root(server: RedisServer) -> Iterator[Any]:
    """Who may do everything there; what is configured is put back."""
    import redis

    with contextlib.closing(redis.Redis.from_url(server.url, db=0)) as client:
        before = {name: client.config_get(name)[name] for name in (OUTPUT, "proto-max-bulk-len")}
        yield client
        for name, value in before.items():
            client.config_set(name, value)


@pytest.fixture
def source(server: RedisServer) -> Iterator[RedisSource]:
    """A source with no keys."""
    made = RedisSource(url=server.url, command_s=30.0)
    made.begin(None)
    yield made
    made.close()


def ask(made: RedisSource, command: str) -> str:
    return made.call("redis", {"command": command})


def fill(made: RedisSource, command: str) -> int:
    """Asks with growing numbers until there is no more room; tells how often it went well."""
    for number in range(1_000):
        try:
            ask(made, command.format(number, text=TEXT))
        except ToolFault as fault:
            assert fault.kind == "too_large"
            return number
    raise AssertionError("there is always room")


@pytest.mark.parametrize(
    "command", ["RPUSH k {text}", "SADD k {}-{text}", "HSET k {} {text}", "ZADD k 1 {}-{text}", "APPEND k {text}"]
)
def test_a_full_database_is_judged(source: RedisSource, root: Any, command: str) -> None:
    """It is read in pieces, and so whatever a server lets one answer hold: 16 MiB here."""
    root.config_set(OUTPUT, "normal 16mb 0 0")
    times = fill(source, command)
    (held,) = source.end_state()["keys"].values()
    assert times > 200 and len(str(held)) >= times * len(TEXT)
    assert ask(source, "DEL k") == "1" and source.end_state() == {"keys": {}}


def test_what_a_server_will_not_tell_is_the_agents(source: RedisSource, root: Any) -> None:
    """Where it ends our connection and answers the next, what the keys hold is too large."""
    for number in range(40):
        ask(source, f"RPUSH k {number}{TEXT}")
    root.config_set(OUTPUT, "normal 1mb 0 0")
    with pytest.raises(ToolFault, match="too much to be read") as caught:
        source.end_state()
    assert caught.value.kind == "too_large"
    root.config_set(OUTPUT, "normal 64mb 0 0")
    assert len(source.end_state()["keys"]["k"]) == 40


def test_one_command_beyond_the_bound_is_not_looked_at(server: RedisServer) -> None:
    """What it leaves is the agent's failure, told as such."""
    many = {f"many{number}": {"set": [f"{number}-{member:050}" for member in range(8_000)]} for number in range(4)}
    with contextlib.closing(RedisSource(url=server.url, size_mb=1)) as made:
        made.begin(many)
        assert ask(made, "SUNIONSTORE k " + " ".join(many)) == "32000"
        with pytest.raises(ToolFault, match="more than 2 MiB") as caught:
            made.end_state()
        assert caught.value.kind == "too_large"


def test_keys_are_counted(source: RedisSource, fault_of: Fault) -> None:
    """Ten thousand beside those of the setup; from there on some go before others come, and reading costs nothing."""
    first = {f"first{number}": "" for number in range(30)}
    source.begin(first)
    for start in range(0, 12_000, 4_000):
        ask(source, "MSET " + " ".join(f"k{number} v" for number in range(start, start + 4_000)))
    assert fault_of(source, "redis", command="SET a b") == (
        "too_large",
        "there are more than 10000 new keys; delete some",
    )
    assert ask(source, "GET k1") == "v"
    with pytest.raises(ToolFault, match="more than 10000 new keys"):
        source.end_state()
    ask(source, "DEL " + " ".join(f"k{number}" for number in range(11_900)))
    assert len(source.end_state()["keys"]) == 100 + len(first)
    assert ask(source, "SET k1 b") == "OK"


def test_large_keys_are_branched(source: RedisSource, server: RedisServer) -> None:
    """Whatever an episode may hold, the largest value of each kind too, can be put back, after a pickle as well."""
    fill(source, "RPUSH k {}-{text}")
    assert ask(source, "LTRIM k 40 -1") == "OK"
    ask(source, "SETRANGE text 1048576 x")
    held = source.end_state()
    with contextlib.closing(RedisSource(url=server.url)) as branch:
        branch.set_state(pickle.loads(pickle.dumps(source.get_state())))
        assert branch.end_state() == held
    source.set_state(source.get_state())
    assert source.end_state() == held


def test_a_server_that_takes_too_little_is_told_at_the_fork(source: RedisSource, root: Any) -> None:
    """Where a key cannot be put back, nor is it taken along."""
    draws = random.Random(0)  # a server would pack a text that repeats itself
    for _ in range(20):
        ask(source, f"APPEND k {draws.randbytes(50_000).hex()}")
    root.config_set("proto-max-bulk-len", "1mb")
    with pytest.raises(CannotFork, match="proto-max-bulk-len"):
        source.get_state()
    root.config_set("proto-max-bulk-len", "64mb")
    root.config_set(OUTPUT, "normal 1mb 0 0")
    with pytest.raises(CannotFork, match="larger than the server's answers"):
        source.get_state()


@pytest.mark.parametrize(
    "command",
    [
        "SETRANGE k 1048577 x",
        "SETBIT k 8388616 1",
        "BITFIELD k SET u8 8388616 1",
        "BITFIELD k GET u8 0 INCRBY i16 #900000 1",
        "SET k " + "x" * 1_048_577,
    ],
)
def test_one_command_makes_no_giant(source: RedisSource, fault_of: Fault, command: str) -> None:
    """A mebibyte is the most that it brings, by its arguments or by where it writes, whatever the server takes."""
    assert fault_of(source, "redis", command=command)[0] == "too_large"
    assert source.end_state() == {"keys": {}}


@pytest.mark.parametrize(
    ("command", "again", "times"),
    [
        ("SUNION", " set", 10_000),
        ("SINTERCARD 10000", " set", 10_000),
        ("ZUNIONSTORE d 2000", " zset", 2_000),
        ("MGET", " text", 100),
        ("HMGET hash", " f", 100),
        ("BITOP AND d text", " none", 100),
        ("sscan set 0 MATCH *[", "b", 50_000),
        ("SCAN 0 COUNT 10000 MATCH ", "[b", 1_000),
    ],
)
def test_no_command_keeps_the_server_from_others(
    source: RedisSource, fault_of: Fault, command: str, again: str, times: int
) -> None:
    """What reads keys together names them a bounded number of times, more often where they are small."""
    many = [f"member{number}" for number in range(1_000)]
    setup = {"set": {"set": many}, "zset": {"zset": dict.fromkeys(many, 1.0)}, "text": "x" * 1_000_000}
    fields = dict.fromkeys(many, "x") | {"f": "x" * 1_000_000}
    source.begin(setup | {"hash": {"hash": fields}, "small": {"set": ["a"]}})
    assert fault_of(source, "redis", command=command + times * again)[0] == "too_large"
    assert ask(source, command.replace(str(times), "2") + 2 * again)
    assert ask(source, "SUNION" + 10_000 * " small") == "1) a"
