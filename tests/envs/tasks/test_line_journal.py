"""Files of JSON lines that runs go on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tasks.line_journal import LineJournal
from bai.errors import ConfigError

IDENTITY = {"seed": 0, "limits": {"wall_s": 1.5}, "tests": ("a", "b")}


def opened(path: Path, identity: dict[str, Any] = IDENTITY) -> LineJournal[str]:
    """A journal of words."""
    return LineJournal(path, identity, of="seed or limits", read=lambda row: row.text("word"))


@given(
    words=st.lists(st.text(max_size=5), max_size=4), cut=st.integers(0, 200), more=st.text(st.characters(), max_size=5)
)
def test_whole_lines_outlive_a_cut(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], cut: int, more: str
) -> None:
    """A file cut off at any byte, in its first line too, keeps its whole entries, and takes the next one."""
    path = tmp_path_factory.mktemp("lines") / "journal"
    journal = opened(path)
    for word in words:
        journal.add({"word": word})
    whole = path.read_bytes()
    left = whole[: max(0, len(whole) - cut)]
    path.write_bytes(left)
    kept = words[: max(0, left.count(b"\n") - 1)]
    again = opened(path)
    assert again.entries == kept
    again.add({"word": more})
    assert opened(path).entries == [*kept, more]


def test_what_differs_is_named(tmp_path: Path) -> None:
    """Entries made with another identity are refused, and left where they are."""
    opened(tmp_path / "journal").add({"word": "a"})
    with pytest.raises(ConfigError, match=r"holds runs made with another seed or limits \(its seed is 0, not 1\)"):
        opened(tmp_path / "journal", {**IDENTITY, "seed": 1})
    with pytest.raises(ConfigError, match="its more is None, not 2"):
        opened(tmp_path / "journal", {**IDENTITY, "more": 2})
    assert opened(tmp_path / "journal").entries == ["a"]


@pytest.mark.parametrize("line", ["{", "[]", "1", "\xff", '{"word": 1}', "{}", ""])
@pytest.mark.parametrize("first", [True, False])
def test_damage_is_said(tmp_path: Path, line: str, first: bool) -> None:
    """A whole line that is no entry, or no identity, is told in one sentence with the file's name."""
    path = tmp_path / "journal"
    opened(path)
    before = b"" if first else path.read_bytes()
    damaged = before + line.encode("latin-1") + b"\n" + b'{"word": "a"}\n'
    path.write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"journal (is damaged|holds runs)"):
        opened(path)
    assert path.read_bytes() == damaged
