"""What was tried, kept beside the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from bai.envs.tasks.mutation.journal import Journal, Noted
from bai.errors import ConfigError

RUN = {"project": "a" * 64, "seed": 0, "operators": ("guard", "return")}
NOTED = Noted(key="k", operators=("guard",), finding="survived", seconds=0.5)


def test_a_journal_killed_in_its_first_line_begins_anew(tmp_path: Path) -> None:
    """Half of the line that says what the run is, or none of it, is no run; the next one takes the file over."""
    path = tmp_path / "journal"
    for left in (b"", b'{"project": "aa'):
        path.write_bytes(left)
        journal = Journal(path, RUN)
        assert journal.noted == []
        journal.add(NOTED)
        assert journal.noted == Journal(path, RUN).noted == [NOTED]


def test_a_damaged_journal_is_said(tmp_path: Path) -> None:
    """A whole line that tells of no fault, or of half a task, is told with the file's name."""
    path = tmp_path / "journal"
    for line in ('{"key": "k"}', '{"key": "k", "finding": "made", "seconds": 1, "operators": [], "task": {}}'):
        path.unlink(missing_ok=True)
        Journal(path, RUN)
        path.write_text(path.read_text() + line + "\n")
        with pytest.raises(ConfigError, match=r"journal is damaged"):
            Journal(path, RUN)
