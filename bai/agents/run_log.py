"""What a training run logs, iteration by iteration."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["RunLog"]


class RunLog:
    """Metrics as JSON lines and as TensorBoard's event files.

    Args:
        path: File of the JSON lines.
        iteration: Iterations done so far; what a killed run logged beyond them is taken back.
        events: Folder of the event files; None for none.
    """

    def __init__(self, path: Path, iteration: int, *, events: Path | None) -> None:
        self._path = path
        self._cut(iteration)
        self._events: Any = None
        if events is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(events), purge_step=iteration + 1)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._events is not None:
            self._events.close()

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Adds one iteration; numbers that are not finite become null."""
        row = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if self._events is not None:
            for name, value in metrics.items():
                self._events.add_scalar(name, value, iteration)
            self._events.flush()

    def _cut(self, iteration: int) -> None:
        lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
        self._path.write_bytes(b"".join(lines[:iteration]))
