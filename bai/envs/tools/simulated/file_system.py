"""A file system in memory, with a shell's small commands (BFCL's GorillaFileSystem)."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from bai.envs.tools.simulated.base import UNSET, SimulatedApi, listed, tool
from bai.errors import ToolFault

__all__ = ["MAX_CHARACTERS", "FileSystemApi"]

Node = dict[str, Any]
_MAX_ENTRIES = 5_000
"""Files and directories that fit; copying a directory into its copy would double it without end."""
MAX_CHARACTERS = 2_000_000
"""Characters that all files together hold at most."""

_UNITS = ("B", "KB", "MB")
_COUNTS = {"l": "lines", "w": "words", "c": "characters"}


class FileSystemApi(SimulatedApi):
    """One root directory, named by the setup, and a place to stand in, which is no part of the end state.

    Names are names in the current directory; only ``find`` takes a path. ``sort`` shows a sorted text and leaves the
    file; ``echo`` to a file replaces what it held; nothing else overwrites. ``diff`` compares line by line in place:
    ``- `` and ``+ `` before the two lines where they differ.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "root": {"workspace": {"type": "directory", "contents": {}}},
        "_path": [],
    }

    def _adapted(self, setup: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keeps the first of the root's entries: there is one root directory, and it is where one stands."""
        if "root" not in setup:
            return {}
        name, root = next(iter(setup["root"].items()), ("", {"type": "nothing"}))
        if root["type"] != "directory":
            raise ValueError(f"expected a directory as root; got {root['type']}")
        return {"root": {name: root}}

    @tool
    def pwd(self) -> Any:
        """Shows the path of the current directory."""
        return {"current_working_directory": self._shown()}

    @tool
    def ls(self, a: bool = False) -> Any:
        """Lists the current directory; with ``a``, hidden entries too."""
        return {"current_directory_content": [name for name in self._here() if a or not name.startswith(".")]}

    @tool
    def cd(self, folder: str) -> Any:
        """Goes into a directory of the current one, or up with ``..``."""
        if folder == "..":
            if not self.state["_path"]:
                raise ToolFault("this is the root directory: there is none above it")
            self.state["_path"].pop()
        elif folder != ".":
            self._directory(folder)
            self.state["_path"].append(folder)
        return {"current_working_directory": self._shown()}

    @tool
    def mkdir(self, dir_name: str) -> Any:
        """Makes a directory in the current one."""
        self._put(dir_name, {"type": "directory", "contents": {}})
        return {}

    @tool
    def touch(self, file_name: str) -> Any:
        """Makes an empty file in the current directory."""
        self._put(file_name, {"type": "file", "content": ""})
        return {}

    @tool
    def echo(self, content: str, file_name: str = UNSET) -> Any:
        """Writes text to a file of the current directory, or shows it."""
        if file_name == UNSET:
            return {"terminal_output": content}
        if _plain(file_name) in self._here():
            self._file(file_name)
            del self._here()[file_name]
        self._put(file_name, {"type": "file", "content": content})
        return {"terminal_output": None}

    @tool
    def cat(self, file_name: str) -> Any:
        """Shows a file of the current directory."""
        return {"file_content": self._file(file_name)}

    @tool
    def find(self, path: str = ".", name: str = UNSET) -> Any:
        """Finds what lies below a directory and has ``name`` in its own."""
        below = _walk(self._at(path), path.rstrip("/") or ".")
        return {"matches": [found for found, entry, _ in below if name == UNSET or name in entry]}

    @tool
    def grep(self, file_name: str, pattern: str) -> Any:
        """Shows the lines of a file that hold a text."""
        return {"matching_lines": [line for line in self._file(file_name).splitlines() if pattern in line]}

    @tool
    def sort(self, file_name: str) -> Any:
        """Shows the lines of a file in order; the file stays as it is."""
        return {"sorted_content": "\n".join(sorted(self._file(file_name).splitlines()))}

    @tool
    def tail(self, file_name: str, lines: int = 10) -> Any:
        """Shows the last lines of a file."""
        if lines < 1:
            raise ToolFault(f"expected at least 1 line; got {lines}")
        return {"last_lines": "\n".join(self._file(file_name).splitlines()[-lines:])}

    @tool
    def wc(self, file_name: str, mode: str = "l") -> Any:
        """Counts the lines, words or characters of a file."""
        text = self._file(file_name)
        counts = {"l": len(text.splitlines()), "w": len(text.split()), "c": len(text)}
        return {"count": counts[listed(_COUNTS, mode, "the mode")], "type": _COUNTS[mode]}

    @tool
    def diff(self, file_name1: str, file_name2: str) -> Any:
        """Compares two files line by line."""
        lines: list[str] = []
        both = itertools.zip_longest(self._file(file_name1).splitlines(), self._file(file_name2).splitlines())
        for first, second in both:
            if first != second:
                lines += [f"{sign} {line}" for sign, line in (("-", first), ("+", second)) if line is not None]
        return {"diff_lines": "\n".join(lines)}

    @tool
    def du(self, human_readable: bool = False) -> Any:
        """Adds up the sizes of all files below the current directory."""
        size = float(sum(len(node.get("content", "").encode()) for _, _, node in _walk(self._here(), ".")))
        if not human_readable:
            return {"disk_usage": f"{size:.0f} bytes"}
        power = next((index for index in range(len(_UNITS) - 1) if size < 1024 ** (index + 1)), len(_UNITS) - 1)
        return {"disk_usage": f"{size / 1024**power:.2f} {_UNITS[power]}"}

    @tool
    def mv(self, source: str, destination: str) -> Any:
        """Moves an entry of the current directory into a directory of it, or renames it."""
        node, to = self._entry(source), self._target(source, destination)
        del self._here()[source]
        to[0][to[1]] = node
        return {"result": f"{source!r} moved to {destination!r}"}

    @tool
    def cp(self, source: str, destination: str) -> Any:
        """Copies an entry of the current directory into a directory of it, or beside it under another name."""
        node, to = self._entry(source), self._target(source, destination)
        to[0][to[1]] = copy.deepcopy(node)
        self._fits()
        return {"result": f"{source!r} copied to {destination!r}"}

    @tool
    def rm(self, file_name: str) -> Any:
        """Removes a file, or a directory with all that is in it."""
        self._entry(file_name)
        del self._here()[file_name]
        return {"result": f"{file_name!r} removed"}

    @tool
    def rmdir(self, dir_name: str) -> Any:
        """Removes an empty directory."""
        if self._directory(dir_name):
            raise ToolFault(f"directory {dir_name!r} is not empty")
        del self._here()[dir_name]
        return {"result": f"{dir_name!r} removed"}

    def _root(self) -> tuple[str, dict[str, Node]]:
        name, node = next(iter(self.state["root"].items()))
        return name, node["contents"]

    def _shown(self) -> str:
        return "/" + "/".join([self._root()[0], *self.state["_path"]])

    def _here(self) -> dict[str, Node]:
        return self._below(self.state["_path"])

    def _below(self, path: list[str]) -> dict[str, Node]:
        contents = self._root()[1]
        for name in path:
            if contents.get(name, {}).get("type") != "directory":
                raise ToolFault(f"there is no directory {'/'.join(path)!r:.200}")
            contents = contents[name]["contents"]
        return contents

    def _at(self, path: str) -> dict[str, Node]:
        """Gives the directory of a path from the current one; ``..`` leads up, as far as the root."""
        place = list(self.state["_path"])
        for part in path.split("/"):
            if part == "..":
                place = place[:-1]
            elif part not in ("", "."):
                place.append(part)
        return self._below(place)

    def _entry(self, name: str) -> Node:
        here = self._here()
        if _plain(name) not in here:
            raise ToolFault(f"there is no file or directory {name!r:.200} in {self._shown()}")
        return here[name]

    def _file(self, name: str) -> str:
        node = self._entry(name)
        if node["type"] != "file":
            raise ToolFault(f"{name!r} is a directory; expected a file")
        return str(node["content"])

    def _directory(self, name: str) -> dict[str, Node]:
        node = self._entry(name)
        if node["type"] != "directory":
            raise ToolFault(f"{name!r} is a file; expected a directory")
        contents: dict[str, Node] = node["contents"]
        return contents

    def _put(self, name: str, node: Node) -> None:
        if _plain(name) in self._here():
            raise ToolFault(f"{name!r} exists already in {self._shown()}")
        self._here()[name] = node
        self._fits()

    def _target(self, source: str, destination: str) -> tuple[dict[str, Node], str]:
        """Gives the directory and the name that ``source`` is to get; neither overwrites nor swallows itself."""
        here, node = self._here(), self._here().get(_plain(destination))
        if node is None:
            return here, destination
        if node["type"] != "directory":
            raise ToolFault(f"{destination!r} exists already")
        if source == destination:
            raise ToolFault(f"{source!r} cannot go into itself")
        if source in node["contents"]:
            raise ToolFault(f"{source!r} exists already in {destination!r}")
        return node["contents"], source

    def _fits(self) -> None:
        entries = [node for _, _, node in _walk(self._root()[1], "")]
        if len(entries) > _MAX_ENTRIES or sum(len(node.get("content", "")) for node in entries) > MAX_CHARACTERS:
            raise ToolFault(f"the disk is full: {_MAX_ENTRIES} entries, {MAX_CHARACTERS} characters", "too_large")


def _plain(name: str) -> str:
    if "/" in name or name in ("", ".", ".."):
        raise ToolFault(f"expected a name in the current directory, not a path; got {name!r:.200}")
    return name


def _walk(contents: dict[str, Node], path: str) -> Iterator[tuple[str, str, Node]]:
    """Gives path, name and node of everything below."""
    stack = [(f"{path}/{name}", name, node) for name, node in reversed(contents.items())]
    while stack:
        found, name, node = stack.pop()
        yield found, name, node
        stack += [(f"{found}/{below}", below, inner) for below, inner in reversed(node.get("contents", {}).items())]
