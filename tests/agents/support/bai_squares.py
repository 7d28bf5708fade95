"""A worker for the tests of spread jobs; Ray's actors import it by name."""

from __future__ import annotations

import os

from bai.errors import CheckpointError, ConfigError


class Squares:
    """Squares numbers from ``start`` on; 666 ends the process."""

    def __init__(self, start: int) -> None:
        if start < 0:
            raise ConfigError(f"start must be at least 0; got {start}")
        self.start = start

    def work(self, job: int) -> tuple[int, int]:
        if job == 666:
            os._exit(1)
        if job < self.start:
            raise CheckpointError(f"{job} has no root")
        return job * job, os.getpid()

    def close(self) -> None:
        """Holds nothing."""
