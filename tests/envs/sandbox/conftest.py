"""A started sandbox of each backend, shared by a module's tests and emptied between them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from bai.envs.sandbox import SANDBOXES, Limits, Sandbox, make_sandbox

MIB = 1024 * 1024
LIMITS = Limits(
    wall_s=20.0, memory_bytes=192 * MIB, processes=24, output_bytes=64 * 1024, disk_bytes=16 * MIB, open_files=128
)
"""Small, so that bombs go off quickly; the time limit is generous, so that a slow machine never meets it."""

BACKENDS = [
    pytest.param("process"),
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
]


def require(name: str) -> None:
    reason = SANDBOXES[name].unavailable_reason()
    if reason is not None:
        pytest.skip(f"the {name} sandbox cannot work here: {reason}")


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Name of a backend that works here."""
    require(request.param)
    return str(request.param)


@pytest.fixture(scope="module")
def _warm(backend: str) -> Iterator[Sandbox]:
    with make_sandbox(backend, LIMITS) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_warm: Sandbox) -> Iterator[Sandbox]:
    """A started, empty sandbox with small limits; whatever a test does, it must serve the next one."""
    yield _warm
    assert _warm.run_python("print('still here')").stdout == b"still here\n"
    _warm.reset()


@pytest.fixture
def as_root() -> None:
    """Skips where the test does not run as root."""
    if os.geteuid() != 0:
        pytest.skip("needs to run as root")
