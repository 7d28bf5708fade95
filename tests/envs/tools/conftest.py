"""Private servers, started once for the tests of a process, and calls that may fail."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bai.envs.tools.base import ToolSource
from bai.envs.tools.postgres import PostgresSource
from bai.envs.tools.servers import PostgresServer, RedisServer
from bai.errors import ToolFault


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Address of a PostgreSQL server of the tests' own; skips the test where it cannot be started."""
    pytest.importorskip("psycopg", reason="needs psycopg")
    if (reason := PostgresServer.unavailable_reason()) is not None:
        pytest.skip(f"needs PostgreSQL: {reason}")
    with PostgresServer() as server:
        yield server.url


@pytest.fixture
def maker_url(postgres_url: str) -> Iterator[str]:
    """Address of the same server for a role that may make databases and roles, and is no superuser."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE maker LOGIN CREATEDB CREATEROLE")
        yield postgres_url.replace("bai@", "maker@")
        gc.collect()
        admin.execute("DROP ROLE maker")


@pytest.fixture
def begun(postgres_url: str) -> Callable[..., PostgresSource]:
    """Makes sources on the tests' PostgreSQL server, of a mebibyte each, and sets them up by a script."""

    def make(script: str = "", **settings: Any) -> PostgresSource:
        made = PostgresSource(**{"url": postgres_url, "statement_s": 10.0, "size_mb": 1, **settings})
        made.begin({"script": script})
        return made

    return make


@pytest.fixture(scope="session")
def ask() -> Callable[[PostgresSource, str], str]:
    """Asks a source a statement."""
    return lambda source, query: source.call("sql", {"query": query})


@pytest.fixture(scope="session")
def redis_server() -> type[RedisServer]:
    """What starts a Redis server of the test's own; skips the test where it cannot be started."""
    pytest.importorskip("redis", reason="needs redis")
    if (reason := RedisServer.unavailable_reason()) is not None:
        pytest.skip(f"needs Redis: {reason}")
    return RedisServer


@pytest.fixture(scope="session")
def redis_url(redis_server: type[RedisServer]) -> Iterator[str]:
    """Address of a Redis server that the tests share."""
    with redis_server() as server:
        yield server.url


@pytest.fixture
def fault_of() -> Callable[..., tuple[str, str]]:
    """Gives the kind and the reason of the fault that a call meets."""

    def ask(source: ToolSource, name: str, **arguments: object) -> tuple[str, str]:
        with pytest.raises(ToolFault) as caught:
            source.call(name, arguments)
        assert len(caught.value.reason) < 2_000
        return caught.value.kind, caught.value.reason

    return ask
