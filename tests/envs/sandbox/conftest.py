"""A started sandbox of each backend, shared by a module's tests and emptied between them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bai.envs.sandbox import SANDBOXES, DockerSandbox, Limits, Sandbox, make_sandbox
from bai.envs.sandbox.docker_engine import connect

MIB = 1024 * 1024
LIMITS = Limits(
    wall_s=20.0, memory_bytes=192 * MIB, processes=24, output_bytes=64 * 1024, disk_bytes=16 * MIB, open_files=128
)
"""Small, so that bombs go off quickly; the time limit is generous, so that a slow machine never meets it."""

BACKENDS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("process"),
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
]


def require(name: str) -> None:
    reason = SANDBOXES[name].unavailable_reason()
    if reason is not None:
        pytest.skip(f"the {name} sandbox cannot work here: {reason}")


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name of a backend that works here; while it is ``docker``, the environment names the tests' engine."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "docker":
            patch.setenv("DOCKER_HOST", request.getfixturevalue("docker_engine"))
        require(request.param)
        yield str(request.param)


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


class Machine:
    """The machine's processes, each as (process id, start time), zombies left out."""

    def running(self) -> set[tuple[int, str]]:
        return {(pid, fields[19]) for pid, fields in self._stats().items()}

    def tree(self, root: int) -> set[tuple[int, str]]:
        """A process and all its descendants."""
        stats, found = self._stats(), {root}
        while more := {pid for pid, fields in stats.items() if int(fields[1]) in found} - found:
            found |= more
        return {(pid, stats[pid][19]) for pid in found}

    def first(self, sandbox: Sandbox) -> int:
        """A sandbox's first process."""
        if isinstance(sandbox, DockerSandbox):
            return self.of_container(str(sandbox.container))
        return int(sandbox._channel.pid)  # type: ignore[attr-defined]

    def of_container(self, container: str) -> int:
        """A running container's first process, which its engine knows."""
        with connect(None) as client:
            pid = int(client.inspect_container(container)["State"]["Pid"])
        if pid == 0:
            # A container before its start, or after its end. os.kill would take it for this process's own group.
            raise ProcessLookupError(f"the container {container} does not run")
        return pid

    def name(self, pid: int) -> bytes:
        """Its command line."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        return b""

    def _stats(self) -> dict[int, list[str]]:
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    found[int(path.parent.name)] = fields
        return found


@pytest.fixture
def machine() -> Machine:
    """Looks at the machine's processes."""
    return Machine()
