"""What the tests of simulated APIs share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bai.envs.tools.registry import make_source
from bai.envs.tools.simulated.base import SimulatedApi

Call = Callable[..., Any]


@pytest.fixture
def start() -> Callable[..., tuple[SimulatedApi, Call]]:
    """Makes an API by its name, with a setup; gives it and a function that calls a tool and reads its result."""

    def started(name: str, setup: Any = None) -> tuple[SimulatedApi, Call]:
        source = make_source(name)
        assert isinstance(source, SimulatedApi)
        source.begin(setup)
        return source, lambda tool, **arguments: json.loads(source.call(tool, arguments))

    return started
