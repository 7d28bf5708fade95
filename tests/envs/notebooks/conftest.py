"""One machine for all tests of notebooks, and a nursery of shells on it for each file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from bai.envs.notebook import NotebookEnv
from bai.envs.notebooks.packages import notebook_machine
from bai.envs.notebooks.shell import Nursery, Shell
from bai.envs.sandbox import SANDBOXES
from bai.envs.sandbox.base import MIB, Limits

MakeEnv = Callable[..., NotebookEnv]
LIMITS = Limits(wall_s=60.0, memory_bytes=640 * MIB, processes=64)
"""The time limit is generous, so that a slow machine never meets it."""


@pytest.fixture(scope="session")
def notebook_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the machine, which several workers share."""
    root = tmp_path_factory.getbasetemp()
    return ((root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "notebooks").resolve()


@pytest.fixture(scope="module")
def make_nursery(notebook_cache: Path) -> Iterator[Callable[[str], Nursery]]:
    """Makes nurseries of shells on a backend, if it works here."""
    made: list[Nursery] = []

    def make(backend: str) -> Nursery:
        if (reason := SANDBOXES[backend].unavailable_reason()) is not None:
            pytest.skip(f"the {backend} sandbox cannot work here: {reason}")
        made.append(Nursery(notebook_machine(backend, (), str(notebook_cache)), LIMITS))
        return made[-1]

    yield make
    for nursery in made:
        nursery.close()


@pytest.fixture(scope="module")
def nursery(fast_backend: str, make_nursery: Callable[[str], Nursery]) -> Nursery:
    """One on the quickest backend."""
    return make_nursery(fast_backend)


@pytest.fixture
def shell(nursery: Nursery) -> Iterator[Shell]:
    """A fresh shell; whatever a test does to it, the next one is as good."""
    opened = nursery.open({"t.csv": b"a,b\n1,2\n3,4\n"})
    yield opened
    opened.close()
    after = nursery.open({})
    assert after.run("import os; print(os.listdir(), len(get_ipython().user_ns.get('Out')))", 1).outputs == (
        {"output_type": "stream", "name": "stdout", "text": "[] 0\n"},
    )
    after.close()


@pytest.fixture(scope="module")
def env_options(fast_backend: str, notebook_cache: Path) -> dict[str, Any]:
    """Arguments of the environments under test."""
    return {"sandbox": fast_backend, "cache_dir": str(notebook_cache), "packages": ()}


@pytest.fixture(scope="module")
def env(env_options: dict[str, Any]) -> Iterator[NotebookEnv]:
    """An environment that a file's tests share."""
    made = gym.make("bai/Notebook-v0", disable_env_checker=True, **env_options).unwrapped
    assert isinstance(made, NotebookEnv)
    yield made
    made.close()


@pytest.fixture
def make_env(env_options: dict[str, Any]) -> Iterator[MakeEnv]:
    """Makes environments, and closes them."""
    made: list[NotebookEnv] = []

    def make(**options: Any) -> NotebookEnv:
        found = gym.make("bai/Notebook-v0", disable_env_checker=True, **{**env_options, **options}).unwrapped
        assert isinstance(found, NotebookEnv)
        made.append(found)
        return found

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def cell() -> Callable[[str], str]:
    """Makes the action that runs a cell."""
    return lambda code: (
        f"<step><thought>Look.</thought><action>python_executor</action><action_input>\n{code}\n</action_input></step>"
    )
