"""Commands of a real Redis server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from bai.envs.tools.redis import RedisSource
from bai.envs.tools.registry import make_source
from bai.envs.tools.servers import RedisServer
from bai.errors import ConfigError, InfraError, ToolFault

SETUP = {
    "color": "red",
    "queue": ["a", "b", "a"],
    "user": {"hash": {"name": "Ann", "age": "3"}},
    "tags": {"set": ["x", "y"]},
    "score": {"zset": {"Ann": 1.5, "Bob": 2.0}},
}
Fault = Callable[..., tuple[str, str]]


def source(url: str, setup: Any = None, **settings: Any) -> RedisSource:
    made = make_source("redis", {"url": url, **settings})
    assert isinstance(made, RedisSource)
    made.begin(SETUP if setup is None else setup)
    return made


def ask(made: RedisSource, command: str) -> str:
    return made.call("redis", {"command": command})


@pytest.fixture
def keys(redis_url: str) -> Any:
    """A source with a key of each kind."""
    made = source(redis_url)
    yield made
    made.close()


def test_commands_and_what_they_say(keys: RedisSource) -> None:
    """Answers as text, lists numbered; the end state has the setup's forms."""
    assert keys.end_state() == {"keys": SETUP}
    assert ask(keys, "GET color") == "red" and ask(keys, "get nothing") == "(nil)"
    assert ask(keys, "LRANGE queue 0 1") == "1) a\n2) b" and ask(keys, "LRANGE none 0 1") == "(empty)"
    assert ask(keys, """SET 'two words' "a \\"b\\" c" """) == "OK"
    assert ask(keys, "EXPIRE color 1000") == "1"
    state = keys.end_state()["keys"]
    assert state["two words"] == 'a "b" c' and state["color"] == {"expires": "red"}


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "flushdb ASYNC",
        "BLPOP none 0",
        "BRPOPLPUSH a b 0",
        "XREAD BLOCK 0 STREAMS s 0",
        "WAIT 1 0",
        "WAITAOF 0 1 0",
        "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
        "BLMPOP 0 1 none LEFT",
        "BZPOPMIN none 0",
        "SUBSCRIBE x",
        "MONITOR",
        "MULTI",
        "EVAL 'while true do end' 0",
        "FUNCTION LIST",
        "CONFIG SET maxmemory 0",
        "SHUTDOWN NOSAVE",
        "DEBUG SLEEP 100",
        "CLIENT PAUSE 100000",
        "ACL SETUSER x on",
        "SAVE",
        "SELECT 0",
        "MOVE color 0",
        "COPY color other DB 0",
        "SWAPDB 0 1",
        "MIGRATE localhost 1 color 0 100",
        "RESTORE a 0 b",
        "AUTH default x",
        "HELLO 3",
        "RESET",
        "QUIT",
        "SRANDMEMBER tags -2000000000",
        "XADD s * f v",
        "xadd s NOMKSTREAM MAXLEN ~ 10 LIMIT 5 * f v",
        "XADD s MINID 1-1 * f v",
        "XGROUP CREATECONSUMER s g c",
    ],
)
def test_what_is_refused(keys: RedisSource, command: str, fault_of: Fault) -> None:
    """Whatever blocks, empties, reconfigures, leaves the database or runs for ever is named; nothing changes."""
    kind, reason = fault_of(keys, "redis", command=command)
    assert kind == "refused" or command.startswith(("DEBUG", "WAITAOF")), reason  # unknown to some versions
    assert keys.end_state() == {"keys": SETUP}
    assert ask(keys, "PING") == "PONG"


def test_what_goes_wrong_is_bounded(keys: RedisSource, fault_of: Fault) -> None:
    """Giant values, giant answers, and mistakes; the next command is good."""
    assert fault_of(keys, "redis", command="SETRANGE big 536870900 x")[0] == "too_large"
    assert fault_of(keys, "redis", command="SETBIT big 4294967295 1")[0] == "too_large"
    for start in range(6):
        assert ask(keys, f"SETRANGE big{start} 1000000 x") == "1000001"
    command = "MGET " + 15 * " ".join([f"big{start}" for start in range(6)] + [""])
    assert fault_of(keys, "redis", command=command)[0] == "too_large"
    for command in ("", "  ", "SET a", "nonsense", "GET \ud800", "INCR color", "LPUSH color x", "SET 'a b"):
        assert fault_of(keys, "redis", command=command)[0] == "failed"
    assert ask(keys, "GET color") == "red"


@pytest.mark.parametrize("command", ["SETRANGE k{} 100000 x", "RPUSH k {}-{text}", "ZUNIONSTORE k{} 1 many"])
def test_no_episode_fills_the_server(redis_url: str, fault_of: Fault, command: str) -> None:
    """Its keys may grow to a bound, whatever makes them grow; from there on it may read and delete."""
    many = {"zset": {f"{number:0100}": 1.0 for number in range(2_000)}}
    made, branch = source(redis_url, {"many": many}, size_mb=1), source(redis_url, {}, size_mb=1)
    with contextlib.closing(made), contextlib.closing(branch):
        with pytest.raises(ToolFault, match="more than 1 MiB") as caught:
            for number in range(60):
                ask(made, command.format(number, text="y" * 50_000))
        assert caught.value.kind == "too_large"
        branch.set_state(made.get_state())
        for one in (made, branch):
            for growing in ("SET a b", '"set" a b', "XGROUP CREATE s g $ MKSTREAM"):
                assert fault_of(one, "redis", command=growing)[0] == "too_large"
            assert ask(one, "ZCARD many") == "2000"
            assert ask(one, "DEL k " + " ".join(f"k{number}" for number in range(60))) != "0"
            assert ask(one, "SET a b") == "OK"


def test_a_server_filled_by_others_is_a_fault_of_the_machinery(redis_server: type[RedisServer]) -> None:
    """An episode that keeps to its own bound is not at fault."""
    import redis

    with redis_server(databases=3) as server, contextlib.closing(redis.Redis.from_url(server.url)) as client:
        made = source(server.url)
        client.config_set("maxmemory", "1mb")
        with pytest.raises(InfraError, match="the Redis server cannot work: command not allowed"):
            ask(made, "SET a b")
        made.close()


def test_every_episode_is_clean_and_alone(redis_url: str, keys: RedisSource) -> None:
    """Each has a database of its own, emptied when it begins and when it is closed."""
    other = source(redis_url, {})
    assert other.end_state() == {"keys": {}}
    ask(other, "SET color blue")
    assert ask(keys, "GET color") == "red"
    other.begin({"a": "1"})
    assert other.end_state() == {"keys": {"a": "1"}}
    other.close()
    other.close()


def test_branches_are_independent(redis_url: str, keys: RedisSource) -> None:
    """A state can be gone back to any number of times, times of expiry with it."""
    ask(keys, "EXPIRE color 1000")
    state, other = keys.get_state(), source(redis_url, {})
    ask(keys, "DEL color queue")
    for branch in (other, keys):
        branch.set_state(state)
        assert branch.end_state()["keys"]["color"] == {"expires": "red"}
        assert branch.end_state()["keys"]["queue"] == ["a", "b", "a"]
    ask(other, "DEL queue")
    assert "queue" in keys.end_state()["keys"]
    other.close()


def test_databases_that_hold_something_are_left_alone(redis_server: type[RedisServer]) -> None:
    """They are somebody's; where all are taken, that is said; one that was given back is there again."""
    import redis

    with redis_server(databases=3) as server, contextlib.closing(redis.Redis.from_url(server.url, db=1)) as client:
        client.set("mine", "1")
        made = source(server.url)
        with pytest.raises(InfraError, match="all 2 logical databases of the Redis server are taken"):
            source(server.url)
        made.close()
        source(server.url).close()
        assert client.get("mine") == b"1"


def test_mistakes_of_whoever_makes_it(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No address, a setup that is none, and a server that is not there are told apart."""
    monkeypatch.delenv("BAI_REDIS_URL", raising=False)
    with pytest.raises(ConfigError, match="BAI_REDIS_URL"):
        make_source("redis")
    for setup in (3, {"a": 1}, {"a": []}, {"a": {"bag": []}}):
        made = make_source("redis", {"url": redis_url})
        with pytest.raises(ConfigError):
            made.begin(setup)
        made.close()
    with pytest.raises(ConfigError, match="no address"):
        make_source("redis", {"url": "nonsense"}).begin(None)
    with pytest.raises(InfraError):
        make_source("redis", {"url": "unix:///nowhere/redis.sock"}).begin(None)


@pytest.mark.parametrize(
    "value",
    [
        {"zset": {"b": "high"}},
        {"zset": {"b": None}},
        ["b", None],
        {"hash": {"b": None}},
        {"set": [["b"]]},
        [True],
        "\ud800",
        {"hash": {"\ud800": "b"}},
        "x" * 67_108_865,
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_no_key_can_hold_is_a_mistake_of_the_setup(redis_url: str, value: object) -> None:
    """The key is named, and the server is none the worse for it."""
    with contextlib.closing(RedisSource(url=redis_url)) as made:
        with pytest.raises(ConfigError, match="key 'a': "):
            made.begin({"a": value})
        made.begin({"a": "b"})
        assert made.end_state() == {"keys": {"a": "b"}}


def test_a_server_that_went_away_is_a_fault_of_the_machinery(redis_server: type[RedisServer]) -> None:
    """And leaves no file; closing what used it is quiet."""
    with redis_server() as server:
        made, folder = source(server.url), server.folder
        ask(made, "GET color")
    assert not folder.exists()
    with pytest.raises(InfraError):
        ask(made, "GET color")
    made.close()


@pytest.mark.parametrize(
    "command", ['"AUTH default x"', '"auth default x" k', '"HELLO 3"', '"\tAUTH default x"', '"RESET "']
)
def test_a_quoted_first_word_is_one_word(redis_url: str, fault_of: Fault, command: str) -> None:
    """A command cannot be hidden in quotes: the user stays the episode's own, who may do nothing beside it."""
    made, other = RedisSource(url=redis_url), RedisSource(url=redis_url)
    try:
        made.begin({"k": "v"})
        other.begin({"k": "other"})
        assert fault_of(made, "redis", command=command)[0] in ("failed", "refused")
        assert fault_of(made, "redis", command="FLUSHALL")[0] == "refused"
        assert other.end_state() == {"keys": {"k": "other"}}
    finally:
        made.close()
        other.close()
