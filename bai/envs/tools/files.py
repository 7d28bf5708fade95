"""Files of the episode's own, and scripts that run on them in a sandbox.

The files are kept as a value. A script gets them in a sandbox that is empty otherwise, and what it leaves is taken over
once it and all that it started have ended; one that ends its sandbox leaves nothing behind.
"""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bai.envs.repository.tree import Entry, Tree, is_inner
from bai.envs.sandbox.base import MIB, ExecResult, Limits, Sandbox, Snapshot
from bai.envs.sandbox.pool import shared_pool
from bai.envs.tools.base import Tool, ToolSource
from bai.errors import CannotFork, ConfigError, DataError, ToolFault

__all__ = ["FilesSource"]

_MOST_FILES = 2_000
"""Files that there may be."""
_LONGEST_NAME = 255
"""Bytes of a name, as file systems have it: a longer one could not be put into a sandbox."""
_DEEPEST = 64
"""Most directories within one another: putting them into a sandbox takes time with the third power of their number."""


def _tool(name: str, description: str, **properties: str) -> Tool:
    return Tool(
        name=name,
        description=description,
        parameters={
            "type": "object",
            "properties": {key: {"type": "string", "description": text} for key, text in properties.items()},
            "required": list(properties),
        },
    )


_TOOLS = (
    _tool("list_files", "List all files, with their sizes in bytes."),
    _tool("read_file", "Read a text file.", path="The file."),
    _tool("write_file", "Write a text file, in the place of what is there.", path="The file.", text="All of it."),
    _tool("append_file", "Add text to the end of a file.", path="The file.", text="What is added."),
    _tool("move_file", "Move a file, or give it another name.", path="The file.", to="Where it goes."),
    _tool("delete_file", "Delete a file.", path="The file."),
    _tool("shell", "Run a shell script in the directory of the files.", script="For sh."),
    _tool("python", "Run a Python script in the directory of the files; print what is to be seen.", code="The script."),
)


class FilesSource(ToolSource):
    """A directory of files; empty directories are forgotten from call to call.

    The setup is an object of path to text, or None for no files. The end state is ``{"files": {path: text}}``, with
    ``{"base64": ...}`` for what is not UTF-8 and ``{"link": ...}`` for a symbolic link.

    Args:
        tools: Which of its tools there are, of ``list_files``, ``read_file``, ``write_file``, ``append_file``,
            ``move_file``, ``delete_file``, ``shell`` and ``python``; None for all.
        script_s: Seconds a script may take.
        shown: Characters of a file or of a script's output that the agent sees.
        disk_mb: Mebibytes the files may take.
        memory_mb: Mebibytes of memory for scripts.
        sandbox: Backend.

    Raises:
        ConfigError: There is no such tool, or a limit is out of range.
    """

    def __init__(
        self,
        *,
        tools: Sequence[str] | None = None,
        script_s: float = 5.0,
        shown: int = 4_000,
        disk_mb: int = 16,
        memory_mb: int = 256,
        sandbox: str = "auto",
    ) -> None:
        known = {tool.name: tool for tool in _TOOLS}
        wanted = list(known) if tools is None else list(tools)
        if unknown := [name for name in wanted if name not in known]:
            raise ConfigError(f"expected some of {', '.join(known)}; got {unknown[0]!r:.80}")
        self._tools = tuple(known[name] for name in wanted)
        self._limits = Limits(wall_s=script_s, disk_bytes=disk_mb * MIB, memory_bytes=memory_mb * MIB)
        self._shown, self._backend = shown, sandbox
        self._tree = Tree({})

    def tools(self) -> tuple[Tool, ...]:
        return self._tools

    def begin(self, setup: Any) -> None:
        if setup is not None and not (
            isinstance(setup, dict) and all(isinstance(text, str) for text in setup.values())
        ):
            raise ConfigError(f"expected files as an object of path to text, or None; got {setup!r:.200}")
        self._tree = Tree({path: Entry(data=text.encode()) for path, text in (setup or {}).items()})

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        said: str = getattr(self, f"_{name}")(**arguments)
        return said

    # The tools, by their names.

    def _list_files(self) -> str:
        return (
            "\n".join(f"{_printable(path)} {len(entry.data)}" for path, entry in self._tree.items())
            or "there are no files"
        )

    def _read_file(self, path: str) -> str:
        return self._clip(self._file(path).data.decode("utf-8", "replace"))

    def _write_file(self, path: str, text: str) -> str:
        return self._change({_inner(path): Entry(data=text.encode())})

    def _append_file(self, path: str, text: str) -> str:
        return self._change({_inner(path): Entry(data=self._file(path).data + text.encode())})

    def _move_file(self, path: str, to: str) -> str:
        moved = self._file(path)
        return self._change({_inner(path): None, _inner(to): moved})

    def _delete_file(self, path: str) -> str:
        self._file(path)
        return self._change({_inner(path): None})

    def _shell(self, script: str) -> str:
        return self._run(lambda sandbox: sandbox.exec(["sh", "-c", script]))

    def _python(self, code: str) -> str:
        return self._run(lambda sandbox: sandbox.run_python(code))

    # What they share.

    def _file(self, path: str) -> Entry:
        entry = self._tree.get(_inner(path))
        if entry is None:
            raise ToolFault(f"there is no file {path!r:.200}")
        if entry.link:
            raise ToolFault(f"{path!r:.200} is a symbolic link")
        return entry

    def _change(self, changes: Mapping[str, Entry | None]) -> str:
        try:
            self._take(self._tree.changed(changes))
        except ConfigError as error:  # a file where a directory is
            raise ToolFault(str(error)) from None
        return "ok"

    def _take(self, tree: Tree) -> None:
        size = sum(len(path) + len(entry.data) for path, entry in tree.items())
        if len(tree) > _MOST_FILES or size > self._limits.disk_bytes:
            raise ToolFault(
                f"there may be {_MOST_FILES} files, of {self._limits.disk_bytes} bytes; that would be {len(tree)}, of "
                f"{size}; nothing was changed",
                "too_large",
            )
        if any(path.count("/") > _DEEPEST for path in tree):
            raise ToolFault(f"files may lie {_DEEPEST} directories deep; nothing was changed", "too_large")
        self._tree = tree

    def _run(self, script: Callable[[Sandbox], ExecResult]) -> str:
        with shared_pool(self._backend, self._limits).lease() as sandbox:
            try:
                sandbox.restore(Snapshot(archive=self._tree.archive()))
                result = script(sandbox)
            except OSError as error:
                raise ToolFault(f"the files do not fit into a sandbox: {error}", "too_large") from None
            except (ConfigError, ValueError) as error:  # a script that is none, such as one with a NUL
                raise ToolFault(f"the script cannot be run: {error}"[:300]) from None
            if not sandbox.alive:
                raise ToolFault("the script ended the sandbox that it ran in; the files are as before", "died")
            try:
                left = Tree.from_archive(sandbox.snapshot().archive)
            except (CannotFork, DataError, ConfigError) as error:
                raise ToolFault(
                    f"what the script left cannot be looked at: {error}; the files are as before"
                ) from error
        self._take(left)
        return self._told(result)

    def _told(self, result: ExecResult) -> str:
        if result.status == "timeout":
            raise ToolFault(f"the script took more than {self._limits.wall_s:g} s and was ended", "timeout")
        if result.status == "memory":
            raise ToolFault("the script took too much memory and was ended", "too_large")
        said = self._clip((result.stdout + result.stderr).decode("utf-8", "replace").rstrip("\n"))
        code = "" if result.exit_code == 0 else f"[exit code {result.exit_code}]"
        return "\n".join(filter(None, [said, code])) or "[no output]"

    def _clip(self, text: str) -> str:
        if len(text) <= self._shown:
            return text
        return f"{text[: self._shown]}\n[{len(text) - self._shown} more characters not shown]"

    def end_state(self) -> Any:
        return {"files": {_printable(path): _content(entry) for path, entry in self._tree.items()}}

    def get_state(self) -> Any:
        return self._tree

    def set_state(self, state: Any) -> None:
        self._tree = state


def _inner(path: str) -> str:
    """Gives the path as a tree has it."""
    plain = posixpath.normpath(path)
    if not is_inner(plain):
        raise ToolFault(f"a path is relative and stays inside; got {path!r:.200}")
    if any(len(name.encode()) > _LONGEST_NAME for name in plain.split("/")):
        raise ToolFault(f"a name may have {_LONGEST_NAME} bytes; got {path!r:.200}", "too_large")
    return plain


def _printable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _content(entry: Entry) -> Any:
    try:
        text = entry.data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(entry.data).decode()}
    return {"link": text} if entry.link else text
