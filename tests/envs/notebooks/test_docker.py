"""Notebooks in Docker's sandboxes: the same live shells, over a layer with the packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bai.envs.notebook import NotebookEnv

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_an_episode_and_its_fork(
    docker_engine: str, monkeypatch: pytest.MonkeyPatch, make_env: Callable[..., NotebookEnv], notebook_cache: Path
) -> None:
    """The oracle earns all, a fork goes on with the variables it had, and neither disturbs the other."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine)
    env = make_env(sandbox="docker", packages=[])
    env.reset(seed=3)
    *_, last = [env.step(action) for action in env.oracle()]
    assert last[1] == 1.0

    def cell(source: str) -> str:
        return f"<step><action>python_executor</action><action_input>{source}</action_input></step>"

    env.reset(seed=4)
    env.step(cell("x = [1]"))
    fork = env.fork()
    assert "[1, 2]" in fork.step(cell("x.append(2); print(x)"))[0]
    assert "[1]" in env.step(cell("print(x)"))[0]
    assert fork.stats["revived"] == "live"
    fork.close()
