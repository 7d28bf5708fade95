"""Files and the scripts that run on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bai.envs.tools.files import FilesSource
from bai.envs.tools.registry import make_source
from bai.errors import ConfigError

Fault = Callable[..., tuple[str, str]]


def source(setup: Any = None, **settings: Any) -> FilesSource:
    made = make_source("files", {"sandbox": "process", "script_s": 20.0, **settings})
    assert isinstance(made, FilesSource)
    made.begin({"a.txt": "one\n", "sub/b.txt": "two"} if setup is None else setup)
    return made


def ask(made: FilesSource, name: str, **arguments: str) -> str:
    return made.call(name, arguments)


def test_files_are_read_and_changed() -> None:
    """Each tool does what its name says; the end state is all files."""
    place = source()
    assert ask(place, "list_files") == "a.txt 4\nsub/b.txt 3"
    assert ask(place, "read_file", path="./sub/../a.txt") == "one\n"
    assert ask(place, "write_file", path="new/c.txt", text="é") == "ok"
    assert ask(place, "append_file", path="a.txt", text="more") == "ok"
    assert ask(place, "move_file", path="sub/b.txt", to="d.txt") == "ok"
    assert ask(place, "move_file", path="d.txt", to="./d.txt") == "ok"
    assert place.end_state() == {"files": {"a.txt": "one\nmore", "d.txt": "two", "new/c.txt": "é"}}
    assert ask(place, "delete_file", path="d.txt") == "ok"
    assert "d.txt" not in place.end_state()["files"]


def test_scripts_see_the_files_and_change_them() -> None:
    """Shell and Python run in the directory; what they leave is there for the next call."""
    place = source()
    assert ask(place, "shell", script="cat a.txt; echo three > c.txt; ln -s a.txt l; exit 3") == "one\n[exit code 3]"
    assert ask(place, "python", code="print(open('c.txt').read().strip() * 2)") == "threethree"
    assert ask(place, "python", code="open('raw', 'wb').write(b'\\xff')") == "[no output]"
    files = place.end_state()["files"]
    assert files["c.txt"] == "three\n" and files["l"] == {"link": "a.txt"} and files["raw"] == {"base64": "/w=="}


def test_faults_name_what_is_wrong(fault_of: Fault) -> None:
    """Absent files, paths that leave, files where directories are, links."""
    place = source()
    assert "there is no file 'x'" in fault_of(place, "read_file", path="x")[1]
    for path in ("/etc/passwd", "../x", "", ".", "a\0b"):
        assert "stays inside" in fault_of(place, "read_file", path=path)[1]
    assert "directory" in fault_of(place, "write_file", path="a.txt/x", text="")[1]
    assert "there is no file" in fault_of(place, "delete_file", path="sub")[1]
    ask(place, "shell", script="ln -s a.txt l; ln -s /etc/passwd out")
    assert "symbolic link" in fault_of(place, "read_file", path="l")[1]
    assert "there is no file" in fault_of(place, "read_file", path="out")[1], "links that lead out are not kept"


def test_scripts_that_go_wrong_are_bounded(fault_of: Fault) -> None:
    """Endless ones, ones that fill the disk or leave too many files, ones that end their sandbox."""
    place = source(script_s=1.0, disk_mb=1)
    assert fault_of(place, "shell", script="sleep 100")[0] == "timeout"
    assert "[exit code" in ask(place, "shell", script="head -c 9000000 /dev/zero > big; exit 1; true")
    place = source()
    assert fault_of(place, "python", code="for i in range(2001): open(f'{i}', 'w')")[0] == "too_large"
    assert fault_of(place, "write_file", path="x", text="y" * 17_000_000)[0] == "too_large"
    assert fault_of(place, "shell", script="echo \0")[0] == "failed"
    assert place.end_state() == {"files": {"a.txt": "one\n", "sub/b.txt": "two"}}
    ask(place, "shell", script="kill -9 -1; kill -9 $PPID")
    assert "a.txt" in ask(place, "list_files")


def test_what_is_shown_is_clipped() -> None:
    """And says so."""
    place = source({"a": "x" * 5000}, shown=100)
    assert ask(place, "read_file", path="a").endswith("\n[4900 more characters not shown]")
    assert ask(place, "python", code="print('y' * 10_000_000)").endswith("not shown]")


def test_every_episode_is_clean_and_branches_are_independent() -> None:
    """Nothing of the last one is left; a state can be gone back to."""
    place, other = source(), source({})
    ask(place, "write_file", path="x", text="1")
    state = place.get_state()
    ask(place, "delete_file", path="x")
    other.set_state(state)
    assert other.end_state()["files"]["x"] == "1" and "x" not in place.end_state()["files"]
    place.begin(None)
    assert place.end_state() == {"files": {}} and ask(place, "list_files") == "there are no files"


def test_mistakes_of_whoever_makes_it() -> None:
    """Are told with what was expected and what came."""
    assert [tool.name for tool in source(tools=["shell"]).tools()] == ["shell"]
    with pytest.raises(ConfigError, match="got 'cat'"):
        make_source("files", {"tools": ["cat"]})
    for setup in ({"a": 1}, "a", {"/a": ""}, {"a": "", "a/b": ""}):
        with pytest.raises(ConfigError):
            source(setup)


@pytest.mark.parametrize("path", ["x" * 256, "d/" + "\u00e9" * 128])
def test_names_that_no_file_system_has(fault_of: Fault, path: str) -> None:
    """A name that could not be put into a sandbox is refused when it is made; scripts run on."""
    made = make_source("files", {})
    made.begin({"a": "1"})
    assert fault_of(made, "write_file", path=path, text="")[0] == "too_large"
    assert fault_of(made, "move_file", path="a", to=path)[0] == "too_large"
    assert made.call("shell", {"script": "ls"}) == "a"


def test_names_that_are_no_text_are_listed_as_text() -> None:
    """A file's name of any bytes is shown as text that can be written down."""
    made = make_source("files", {})
    made.begin(None)
    made.call("shell", {"script": "touch \"$(printf 'x\\377')\""})
    assert made.call("list_files", {}) == "x\\xff 0"


def test_directories_are_bounded_in_depth(fault_of: Fault) -> None:
    """However a file would come to lie deeper: putting it into the next script's sandbox would take minutes."""
    made = make_source("files", {})
    made.begin({"a": "1"})
    deep = "d/" * 900
    assert fault_of(made, "write_file", path=f"{deep}b", text="")[0] == "too_large"
    assert fault_of(made, "move_file", path="a", to=f"{deep}b")[0] == "too_large"
    assert fault_of(made, "shell", script=f"mkdir -p {'d/' * 70} && touch {'d/' * 70}b")[0] == "too_large"
    assert made.call("write_file", {"path": f"{'d/' * 64}b", "text": ""}) == "ok"
    assert made.call("shell", {"script": "ls"}) == "a\nd"
