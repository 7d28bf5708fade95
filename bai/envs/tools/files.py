"""Files, a shell and Python in a sandbox of the episode's own."""

from __future__ import annotations

import base64
import io
import posixpath
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from bai.envs.sandbox import make_sandbox
from bai.envs.sandbox.base import MIB, ExecResult, Limits, Sandbox
from bai.envs.tools.base import Tool, ToolSource
from bai.errors import CannotFork, ConfigError, InfraError, ToolFault

__all__ = ["FilesSource"]

_MOST_FILES = 2_000
"""Files that an end state may hold."""


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
    """A directory in a sandbox.

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
        self._sandbox: Sandbox | None = None
        self._wrecked = False

    def tools(self) -> tuple[Tool, ...]:
        return self._tools

    def begin(self, setup: Any) -> None:
        if setup is not None and not (
            isinstance(setup, dict) and all(isinstance(text, str) for text in setup.values())
        ):
            raise ConfigError(f"expected files as an object of path to text, or None; got {setup!r:.200}")
        sandbox = self._emptied()
        try:
            for path, text in (setup or {}).items():
                sandbox.write(path, text.encode())
        except OSError as error:
            raise InfraError(f"the files do not fit into their sandbox: {error}") from error

    def _emptied(self) -> Sandbox:
        if self._sandbox is not None and not self._sandbox.alive:
            self.close()
        if self._sandbox is None:
            self._sandbox = make_sandbox(self._backend, self._limits)
            self._sandbox.start()
        else:
            self._sandbox.reset()
        self._wrecked = False
        return self._sandbox

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        if self._wrecked:
            raise ToolFault("the files are gone: a script ended the sandbox that held them", "died")
        assert self._sandbox is not None
        try:
            said: str = getattr(self, f"_{name}")(self._sandbox, **arguments)
        except FileNotFoundError:
            raise ToolFault(f"there is no file {arguments['path']!r:.200}") from None
        except (ConfigError, OSError, ValueError) as error:
            raise ToolFault(str(error)[:300]) from None
        return said

    # The tools, by their names.

    def _list_files(self, sandbox: Sandbox) -> str:
        entries = self._entries(sandbox)
        return "\n".join(f"{entry.name} {entry.size}" for entry, _ in entries) or "there are no files"

    def _read_file(self, sandbox: Sandbox, path: str) -> str:
        return self._clip(sandbox.read(path).decode("utf-8", "replace"))

    def _write_file(self, sandbox: Sandbox, path: str, text: str) -> str:
        sandbox.write(path, text.encode())
        return "ok"

    def _append_file(self, sandbox: Sandbox, path: str, text: str) -> str:
        sandbox.write(path, sandbox.read(path) + text.encode())
        return "ok"

    def _move_file(self, sandbox: Sandbox, path: str, to: str) -> str:
        data = sandbox.read(path)
        if posixpath.normpath(path) != posixpath.normpath(to):
            sandbox.write(to, data)
            self._delete_file(sandbox, path)
        return "ok"

    def _delete_file(self, sandbox: Sandbox, path: str) -> str:
        sandbox.read(path)
        result = self._ran(sandbox.exec(["rm", "--", path]))
        if not result.ok:
            raise ToolFault(f"{path!r:.200} cannot be deleted")
        return "ok"

    def _shell(self, sandbox: Sandbox, script: str) -> str:
        return self._told(self._ran(sandbox.exec(["sh", "-c", script])))

    def _python(self, sandbox: Sandbox, code: str) -> str:
        return self._told(self._ran(sandbox.run_python(code)))

    # What they share.

    def _ran(self, result: ExecResult) -> ExecResult:
        assert self._sandbox is not None
        self._wrecked = not self._sandbox.alive
        if self._wrecked:
            raise ToolFault("the script ended the sandbox that held the files; they are gone", "died")
        if result.status == "timeout":
            raise ToolFault(f"the script took more than {self._limits.wall_s:g} s and was ended", "timeout")
        if result.status == "memory":
            raise ToolFault("the script took too much memory and was ended", "too_large")
        return result

    def _told(self, result: ExecResult) -> str:
        said = (result.stdout + result.stderr).decode("utf-8", "replace")
        code = "" if result.exit_code == 0 else f"[exit code {result.exit_code}]"
        return "\n".join(filter(None, [self._clip(said.rstrip("\n")), code])) or "[no output]"

    def _clip(self, text: str) -> str:
        if len(text) <= self._shown:
            return text
        return f"{text[: self._shown]}\n[{len(text) - self._shown} more characters not shown]"

    def _entries(self, sandbox: Sandbox) -> list[tuple[tarfile.TarInfo, bytes]]:
        """All regular files and links, in the order of their names."""
        try:
            archive = sandbox.snapshot().archive
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                members = [member for member in tar if not member.isdir()]
                if len(members) > _MOST_FILES:
                    raise ToolFault(f"there are more than {_MOST_FILES} files", "too_large")
                found = [
                    (one, file.read() if (file := tar.extractfile(one)) and one.isreg() else b"") for one in members
                ]
        except (CannotFork, tarfile.TarError) as error:
            raise ToolFault(f"the files cannot be looked at: {error}") from error
        return sorted(found, key=lambda entry: entry[0].name)

    def end_state(self) -> Any:
        if self._wrecked or self._sandbox is None:
            raise ToolFault("the files are gone", "died")
        return {"files": {entry.name: _content(entry, data) for entry, data in self._entries(self._sandbox)}}

    def get_state(self) -> Any:
        if self._wrecked or self._sandbox is None:
            return None
        return self._sandbox.snapshot()

    def set_state(self, state: Any) -> None:
        sandbox = self._emptied()
        if state is None:
            self._wrecked = True
        else:
            sandbox.restore(state)

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox = None


def _content(entry: tarfile.TarInfo, data: bytes) -> Any:
    if not entry.isreg():
        return {"link": entry.linkname}
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
