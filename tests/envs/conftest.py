"""Small tasks, and graders on each sandbox that works here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bai.envs.grading.grader import Grader
from bai.envs.sandbox import SANDBOXES, Limits
from bai.envs.sandbox.pool import shared_pool
from bai.envs.tasks.coding import Case, CaseTests, CodingTask

MIB = 1024 * 1024
WALL_S = 20.0
"""Generous, so that a slow machine never meets it."""


def _skip_unless_it_works(name: str) -> None:
    reason = SANDBOXES[name].unavailable_reason()
    if reason is not None:
        pytest.skip(f"the {name} sandbox cannot work here: {reason}")


@pytest.fixture(params=["process", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)])
def backend(request: pytest.FixtureRequest) -> str:
    """Name of a sandbox backend that works here."""
    _skip_unless_it_works(request.param)
    return str(request.param)


@pytest.fixture
def grader(backend: str) -> Grader:
    """A grader with a generous time limit, on each backend."""
    return Grader(shared_pool(backend, Limits(wall_s=WALL_S, memory_bytes=256 * MIB)), wall_s=WALL_S)


@pytest.fixture
def hasty(backend: str) -> Grader:
    """A grader that waits one second, for code that never ends."""
    return Grader(shared_pool(backend, Limits(wall_s=WALL_S, memory_bytes=256 * MIB)), wall_s=1.0)


def make_task(**changes: Any) -> CodingTask:
    fields: dict[str, Any] = {
        "task_id": "double",
        "prompt": "Write double(x): twice x.",
        "entry_point": "double",
        "public": (Case(args=(1,), expected=2),),
        "hidden": CaseTests(cases=tuple(Case(args=(n,), expected=2 * n) for n in (1, 7, -3, 0))),
        "reference": "def double(x):\n    return 2 * x\n",
    }
    return CodingTask(**{**fields, **changes})


@pytest.fixture
def task_of() -> Callable[..., CodingTask]:
    """Makes the task "double a number", with any fields changed."""
    return make_task


def _row(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "task_id": "double",
        "prompt": "Write double(x): twice x.",
        "entry_point": "double",
        "public": [{"args": [1], "expected": 2}],
        "cases": [{"args": [n], "expected": 2 * n} for n in (1, 7, -3, 0)],
        "reference": "def double(x):\n    return 2 * x\n",
    }
    return {key: value for key, value in {**row, **changes}.items() if value is not None}


@pytest.fixture
def row_of() -> Callable[..., dict[str, Any]]:
    """Makes a row of the documented format, with fields changed, or left out where None."""
    return _row


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows to a JSON lines file."""

    def write(*rows: Any, name: str = "tasks.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write
