"""BFCL's file system."""

from __future__ import annotations

from typing import Any

import pytest

from bai.envs.tools.simulated.file_system import MAX_CHARACTERS
from bai.errors import ToolFault

SETUP = {
    "root": {
        "alex": {
            "type": "directory",
            "contents": {
                "notes.txt": {"type": "file", "content": "b\na\nb c"},
                ".hidden": {"type": "file", "content": ""},
                "docs": {"type": "directory", "contents": {"notes_old.txt": {"type": "file", "content": "b\nx"}}},
            },
        },
        "lost": {"type": "directory", "contents": {}},
    }
}


@pytest.fixture
def files(start: Any) -> Any:
    return start("bfcl_file_system", SETUP)[1]


def test_one_stands_in_the_first_root_and_sees_what_is_there(files: Any) -> None:
    """Hidden entries are shown when asked for; a setup's further roots are not there."""
    assert files("pwd") == {"current_working_directory": "/alex"}
    assert files("ls") == {"current_directory_content": ["notes.txt", "docs"]}
    assert files("ls", a=True) == {"current_directory_content": ["notes.txt", ".hidden", "docs"]}


def test_directories_are_entered_one_at_a_time(files: Any) -> None:
    """Down by a name, up by two dots, not above the root, and never by a path."""
    assert files("cd", folder="docs") == {"current_working_directory": "/alex/docs"}
    assert files("cd", folder="..") == {"current_working_directory": "/alex"}
    for folder in ("..", "docs/x", "notes.txt", "nowhere", ""):
        with pytest.raises(ToolFault):
            files("cd", folder=folder)
    assert files("pwd") == {"current_working_directory": "/alex"}


def test_what_is_read(files: Any) -> None:
    """Lines, words, characters, matches, ends, orders and sizes; reading changes nothing."""
    assert files("cat", file_name="notes.txt") == {"file_content": "b\na\nb c"}
    assert files("sort", file_name="notes.txt") == {"sorted_content": "a\nb\nb c"}
    assert files("cat", file_name="notes.txt") == {"file_content": "b\na\nb c"}
    assert files("grep", file_name="notes.txt", pattern="b") == {"matching_lines": ["b", "b c"]}
    assert files("tail", file_name="notes.txt", lines=1) == {"last_lines": "b c"}
    assert [files("wc", file_name="notes.txt", mode=mode)["count"] for mode in "lwc"] == [3, 4, 7]
    assert files("du") == {"disk_usage": "10 bytes"}
    assert files("du", human_readable=True) == {"disk_usage": "10.00 B"}
    assert files("find", path=".", name="notes") == {"matches": ["./notes.txt", "./docs/notes_old.txt"]}
    assert files("find", path="docs") == {"matches": ["docs/notes_old.txt"]}


def test_differences_are_told_line_by_line(files: Any) -> None:
    """Both lines where they differ, one where the other file has ended."""
    files("touch", file_name="other")
    files("echo", content="b\nX", file_name="other")
    assert files("diff", file_name1="notes.txt", file_name2="other") == {"diff_lines": "- a\n+ X\n- b c"}
    assert files("diff", file_name1="other", file_name2="other") == {"diff_lines": ""}


def test_echo_shows_or_replaces(files: Any) -> None:
    """Without a file it is shown; with one, the file holds this and nothing else, whether it was there or not."""
    assert files("echo", content="hi") == files("echo", content="hi", file_name="None") == {"terminal_output": "hi"}
    for name in ("notes.txt", "new"):
        assert files("echo", content="hi", file_name=name) == {"terminal_output": None}
        assert files("cat", file_name=name) == {"file_content": "hi"}
    with pytest.raises(ToolFault, match="directory"):
        files("echo", content="hi", file_name="docs")


def test_entries_move_copy_and_go(files: Any) -> None:
    """Into a directory of the current one, or to another name there; a copy is a copy all the way down."""
    files("cp", source="notes.txt", destination="docs")
    files("mv", source="docs", destination="papers")
    files("cp", source="papers", destination="spare")
    files("rm", file_name="papers")
    files("cd", folder="spare")
    assert files("ls") == {"current_directory_content": ["notes_old.txt", "notes.txt"]}
    files("rm", file_name="notes.txt")
    files("rm", file_name="notes_old.txt")
    files("cd", folder="..")
    files("rmdir", dir_name="spare")
    assert files("ls") == {"current_directory_content": ["notes.txt"]}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("mkdir", {"dir_name": "docs"}),
        ("touch", {"file_name": "notes.txt"}),
        ("touch", {"file_name": "docs/new"}),
        ("mv", {"source": "notes.txt", "destination": ".hidden"}),
        ("mv", {"source": "docs", "destination": "docs"}),
        ("cp", {"source": "docs", "destination": "docs"}),
        ("mv", {"source": "nothing", "destination": "docs"}),
        ("cp", {"source": "notes.txt", "destination": "docs/x"}),
        ("rmdir", {"dir_name": "docs"}),
        ("rmdir", {"dir_name": "notes.txt"}),
        ("rm", {"file_name": ".."}),
        ("cat", {"file_name": "docs"}),
        ("wc", {"file_name": "notes.txt", "mode": "x"}),
        ("tail", {"file_name": "notes.txt", "lines": 0}),
        ("find", {"path": "nowhere"}),
    ],
)
def test_nothing_is_overwritten_and_paths_are_refused(tool: str, arguments: dict[str, Any], start: Any) -> None:
    """A call that cannot be done says why and leaves everything as it was."""
    source, call = start("bfcl_file_system", SETUP)
    before = source.get_state()
    with pytest.raises(ToolFault):
        call(tool, **arguments)
    assert source.get_state() == before


def test_the_disk_is_finite(start: Any) -> None:
    """Copies of copies stop at a bound, in entries and in characters."""
    call = start("bfcl_file_system", SETUP)[1]
    call("echo", content="x" * (MAX_CHARACTERS // 3), file_name="big")
    call("cp", source="big", destination="docs")
    with pytest.raises(ToolFault, match="full") as caught:
        call("cp", source="docs", destination="more")
    assert caught.value.kind == "too_large"
    call("rm", file_name="big")
    call("rm", file_name="docs")
    call("mkdir", dir_name="d0")
    with pytest.raises(ToolFault, match="full"):
        for number in range(20):
            call("cp", source=f"d{number}", destination=f"d{number + 1}")
            call("mv", source=f"d{number}", destination=f"d{number + 1}")


def test_where_one_stands_is_no_part_of_the_end_state(start: Any) -> None:
    """Two agents who left the same files are equal, wherever they stand; a fork stands where its parent did."""
    source, call = start("bfcl_file_system", SETUP)
    before = source.end_state()
    call("cd", folder="docs")
    assert source.end_state() == before
    saved = source.get_state()
    call("cd", folder="..")
    source.set_state(saved)
    assert call("pwd") == {"current_working_directory": "/alex/docs"}
