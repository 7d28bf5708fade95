"""One Ray session and one tiny model for all tests of agents."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Ray's workers inherit the variable, this process the path: both find the toy environment.
_SUPPORT = str(Path(__file__).parent / "support")
sys.path.insert(0, _SUPPORT)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (_SUPPORT, os.environ.get("PYTHONPATH", ""))))


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """A Ray session with CPUs for four workers, shared because starting one takes seconds."""
    from bai.agents.grpo.startup import start_ray, stop_ray

    start_ray(num_cpus=6)
    yield
    stop_ray()


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama of random weights, and a tokenizer of single characters."""
    import bai_toy

    return bai_toy.make_model_dir(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def toy_config(toy_model: Path) -> Callable[..., Any]:
    """Makes configurations of quick runs in the toy environment."""
    import bai_toy

    from bai.agents.grpo.config import GRPOConfig

    def make(*, seed: int = 1, env_config: dict[str, Any] | None = None, **settings: Any) -> GRPOConfig:
        chosen = {
            "model_dir": str(toy_model),
            "group_size": 4,
            "prompts_per_step": 6,
            "max_new_tokens": 5,
            "lr": 3e-3,
            "torch_threads": 1,
        }
        return (
            GRPOConfig()
            .environment(bai_toy.ENV_ID, env_config=env_config or {})
            .training(**{**chosen, **settings})
            .debugging(seed=seed)
        )

    return make


@pytest.fixture
def build(ray_session: None) -> Iterator[Callable[[Any], Any]]:
    """Builds algorithms, and stops them after the test."""
    built: list[Any] = []

    def make(config: Any) -> Any:
        built.append(config.build_algo())
        return built[-1]

    yield make
    for algorithm in built:
        algorithm.stop()
