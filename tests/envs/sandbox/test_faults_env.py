"""What a fault of the machine becomes in an environment: an exception of ``reset``, a marked step, never a score."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import bai
from bai.envs.coding import CodingEnv
from bai.envs.grading import grader
from bai.envs.sandbox import SANDBOXES, bubblewrap, layout, make_sandbox
from bai.envs.sandbox.docker_engine import forget_engines
from bai.envs.sandbox.pool import close_shared_pools
from bai.errors import ConfigError, InfraError, SandboxUnavailable

assert bai.__version__

RIGHT = "def double(x):\n    return 2 * x"
WRONG = "def double(x):\n    return 1"


@pytest.fixture
def env(backend: str, row_of: Callable[..., dict[str, Any]], write_rows: Callable[..., Path]) -> Iterator[CodingEnv]:
    """One task in three attempts, in pools that no other test has warmed."""
    close_shared_pools()
    grader._proven.clear()
    path = write_rows(row_of())
    env = gym.make("bai/Coding-v0", task_set=str(path), sandbox=backend, wall_s=20.0, max_turns=3).unwrapped
    assert isinstance(env, CodingEnv)
    yield env
    env.close()
    close_shared_pools()


def _without_interpreter(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(layout, "interpreter", lambda: "/nowhere/python")


def _without_threads(patch: pytest.MonkeyPatch) -> None:
    from bai.envs.sandbox import channel

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    patch.setattr(channel, "_launcher", None)
    patch.setattr(threading.Thread, "start", refuse)


def _with_a_runner_that_dies(patch: pytest.MonkeyPatch) -> None:
    for name in ("bubblewrap", "process"):
        patch.setattr(f"bai.envs.sandbox.{name}.BOOTSTRAP", "raise SystemExit('it is broken')")


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "no interpreter": (_without_interpreter, "nowhere"),
    "no threads": (_without_threads, "can't start new thread"),
    "a broken runner": (_with_a_runner_that_dies, "it is broken"),
}


LOCAL = ["process", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)]
"""Backends whose runner is this process's child."""


@pytest.mark.parametrize("backend", LOCAL, indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_before_the_episode_is_raised_by_reset(
    env: CodingEnv, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no sandbox starts there is no episode; once one does, there is."""
    breaking, cause = FAULTS[fault]
    with monkeypatch.context() as patch:
        breaking(patch)
        for _ in range(2):
            with pytest.raises(InfraError, match=cause):
                env.reset(seed=0)
    env.reset(seed=0)
    assert env.step(RIGHT)[1] == 1.0


@pytest.mark.parametrize("backend", LOCAL, indirect=True)
@pytest.mark.parametrize("answer", [RIGHT, WRONG])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.slow
def test_a_fault_within_the_episode_is_marked(
    env: CodingEnv, fault: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right or wrong, an answer that could not be judged has no score: truncated, named, and told in full aside."""
    breaking, cause = FAULTS[fault]
    env.reset(seed=0)
    env.step(WRONG)
    close_shared_pools()
    with monkeypatch.context() as patch:
        breaking(patch)
        observation, reward, terminated, truncated, info = env.step(answer)
    assert (observation, reward, terminated, truncated) == ("", 0.0, False, True)
    assert info["error"] in ("InfraError", "SandboxDied")
    assert info["verdict"] == {"status": "infra_error", "score": 0.0, "detail": info["error"]}
    assert info["reward_terms"] == {}
    assert cause in env.stats["infra_error"]
    with pytest.raises(ConfigError, match="reset"):
        env.step(answer)
    env.reset(seed=0)
    assert env.step(RIGHT)[4]["verdict"]["status"] == "passed"


@pytest.mark.bubblewrap
@pytest.mark.parametrize("backend", ["bubblewrap"], indirect=True)
def test_bwrap_gone_within_an_episode_is_marked(env: CodingEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that made sandboxes is gone: a fault, not a wrong answer, and not a weaker sandbox either."""
    env.reset(seed=0)
    close_shared_pools()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        assert env.step(RIGHT)[4]["error"] == "SandboxDied"
        assert "bwrap" in env.stats["infra_error"]
        bubblewrap.probe.cache_clear()
        with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"):
            env.reset(seed=0)
    bubblewrap.probe.cache_clear()
    env.reset(seed=0)


@pytest.mark.parametrize("backend", [pytest.param("docker", marks=pytest.mark.docker)], indirect=True)
def test_an_engine_that_is_gone_is_marked_and_raised(env: CodingEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker going away within an episode is a fault of the step; before the next one, of ``reset``."""
    env.reset(seed=0)
    close_shared_pools()
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        forget_engines()
        _, reward, _, truncated, info = env.step(RIGHT)
        assert (reward, truncated, info["error"]) == (0.0, True, "SandboxUnavailable")
        assert "no Docker engine answers at unix:///nowhere/docker.sock" in env.stats["infra_error"]
        with pytest.raises(SandboxUnavailable, match=r"no Docker engine answers .*; here works: "):
            env.reset(seed=0)
    forget_engines()
    env.reset(seed=0)
    assert env.step(RIGHT)[1] == 1.0


@pytest.mark.docker
@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("image", "bai-no-such-image:1", "has no image bai-no-such-image:1; run: docker pull bai-no-such-image:1"),
        ("runtime", "no-such-runtime", "has no runtime 'no-such-runtime'"),
        ("url", "unix:///nowhere", "no Docker engine answers at unix:///nowhere"),
    ],
)
def test_what_docker_lacks_is_said(docker_engine: str, option: str, value: str, told: str) -> None:
    """An image, a runtime or an engine that is not there is named; nothing weaker takes its place."""
    sandbox = make_sandbox("docker", **{"url": docker_engine, option: value})
    with pytest.raises(SandboxUnavailable, match=re.escape(told)):
        sandbox.start()
    assert not sandbox.alive
    sandbox.close()


@pytest.mark.parametrize(
    "hostile",
    [
        "import os, signal\ndef double(x): os.kill(os.getppid(), signal.SIGKILL)",
        "import os\ndef double(x): os.killpg(0, 9)",
        "import os\nos.chmod('.', 0)\ndef double(x): os._exit(1)",
        "import os\nos.closerange(0, 100)\ndef double(x): return x",
        "import os\nos.kill(os.getpid(), 19)\ndef double(x): return x",
        "class InfraError(Exception): pass\ndef double(x): raise InfraError('SandboxDied')",
        "raise MemoryError",
    ],
)
@pytest.mark.slow
def test_no_program_earns_a_fault(env: CodingEnv, hostile: str) -> None:
    """Whatever an answer does to itself and to what runs it, it is judged, and the floor is its score."""
    env._limits = type(env._limits)(wall_s=1.0, memory_bytes=env._limits.memory_bytes)
    env._max_turns = 1
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(hostile)
    assert (reward, terminated, truncated, info["error"]) == (0.0, True, False, None)
    assert info["verdict"]["status"] in ("failed", "timeout", "crashed", "memory", "tampered")


def test_a_backend_that_is_not_there_is_never_another(row_of: Any, write_rows: Any) -> None:
    """A backend that was asked for by name and cannot work is a fault of ``reset``; ``auto`` takes the next one."""
    path = str(write_rows(row_of()))
    for name, backend in SANDBOXES.items():
        if (reason := backend.unavailable_reason()) is None:
            continue
        env = gym.make("bai/Coding-v0", task_set=path, sandbox=name)
        with pytest.raises(SandboxUnavailable) as caught:
            env.reset(seed=0)
        assert reason in str(caught.value) and "here works" in str(caught.value)
    if any(backend.unavailable_reason() is None for backend in SANDBOXES.values()):
        env = gym.make("bai/Coding-v0", task_set=path, sandbox="auto")
        env.reset(seed=0)
        assert env.step(RIGHT)[1] == 1.0


def test_an_unknown_backend_is_the_callers_mistake(row_of: Any, write_rows: Any) -> None:
    """The error names every backend, those that work here, and what the others need."""
    with pytest.raises(ConfigError, match="unknown sandbox 'chroot'; expected auto, ") as caught:
        gym.make("bai/Coding-v0", task_set=str(write_rows(row_of())), sandbox="chroot")
    for name, backend in SANDBOXES.items():
        reason = backend.unavailable_reason()
        assert (f"{name} does not: {reason}" if reason else name) in str(caught.value)
