"""Where an evaluation keeps its trajectories, so that it can be cut off and go on.

A folder holds ``evaluation.json`` (what is being evaluated) and ``trajectories.jsonl`` (one
line a sample, appended as they come). A sample is finished once its line is whole; one lost
to the machinery is not finished and is tried again, and the later line then counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bai.agents.lock import directory_lock
from bai.envs.tasks.line_journal import cut_torn_line, difference
from bai.errors import ConfigError
from bai.evals.summary import status_of
from bai.types import Trajectory, read_trajectories, write_trajectories

__all__ = ["Key", "Store", "key_of"]

Key = tuple[str, int]
"""(task id, sample number)."""


def key_of(trajectory: Trajectory) -> Key:
    """Gives the task and the sample number of an evaluated trajectory."""
    return trajectory.task_id, int(trajectory.metadata.get("sample", 0))


class Store:
    """Trajectories of one evaluation, on disk or, without a folder, in memory.

    Use as a context manager: it holds the folder's lock, so that two runs never mix their lines.

    Args:
        folder: Made if absent; None keeps everything in memory.
        identity: What makes samples comparable: policy, environment, sampling, seed. JSON values.

    Raises:
        ConfigError: The folder holds another evaluation, or another process is writing to it.
        MalformedRow: The file of trajectories was damaged.
    """

    def __init__(self, folder: Path | None, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self._identity = dict(identity)
        self._rows: dict[Key, Trajectory] = {}
        self._held = ExitStack()

    @property
    def path(self) -> Path | None:
        """The file of trajectories."""
        return None if self.folder is None else self.folder / "trajectories.jsonl"

    def __enter__(self) -> Self:
        if self.folder is not None:
            with ExitStack() as held:
                held.enter_context(directory_lock(self.folder, "evaluating into"))
                self._open(self.folder)
                self._held = held.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._held.close()

    def finished(self) -> set[Key]:
        """The samples that need not be drawn again."""
        return {key for key, row in self._rows.items() if status_of(row) != "infra_error"}

    def append(self, trajectories: Iterable[Trajectory]) -> None:
        """Adds samples; those that are finished already are left as they are."""
        finished = self.finished()
        new = [row for row in trajectories if key_of(row) not in finished]
        if self.path is not None:
            write_trajectories(self.path, new)
        self._rows.update({key_of(row): row for row in new})

    def rows(self) -> dict[Key, Trajectory]:
        """All samples; of one that was tried again, the last."""
        return dict(self._rows)

    def _open(self, folder: Path) -> None:
        _check_identity(folder / "evaluation.json", self._identity)
        path = folder / "trajectories.jsonl"
        if path.exists():
            cut_torn_line(path)
            self._rows = {key_of(row): row for row in read_trajectories(path)}


def _check_identity(path: Path, identity: Mapping[str, Any]) -> None:
    if not path.exists():
        scratch = path.with_suffix(".partial")
        scratch.write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
        scratch.replace(path)
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not readable as JSON: choose another folder") from error
    if differs := difference(known, identity):
        raise ConfigError(f"{path.parent} holds another evaluation: {differs}; choose another folder")
