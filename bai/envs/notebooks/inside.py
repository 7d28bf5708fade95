"""The shell that runs inside the sandbox. The host never imports this file: it sends its text.

IPython with a kernel's semantics and without a kernel: no sockets, no threads, no history file, so that the process can
be forked alive. Cells run in this very process, so nothing that it says is more than a candidate's word.
"""

# Descriptors and single system calls throughout: this process has no use for a pathlib.
# ruff: noqa: PTH118, PTH208
from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import sys
import time
from typing import Any

MOST_TEXT = 1 << 20
"""Characters of printed text that are kept of one cell."""
MOST_DATA = 6 << 20
"""Characters of rich output that are kept of one cell."""
MOST_PICTURES = 20
"""Pictures that are kept of one cell, and figures that are drawn at its end."""
MOST_OUTPUTS = 1000
"""Outputs that are kept of one cell."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_NO_INPUT = "raw_input was called, but this frontend does not support input requests."
_shell: Any = None


class Recorder:
    """The outputs of one cell, in their order and bounded, as a notebook's file has them."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.shown: dict[str, dict[str, Any]] = {}
        self.text = self.data = self.pictures = 0
        self.lost = {"characters of text": 0, "pictures": 0, "outputs": 0}
        self.clears = False

    def add(self, output: dict[str, Any]) -> None:
        if self.clears:
            self.clear()
        if len(self.outputs) >= MOST_OUTPUTS:
            self.lost["outputs"] += 1
            return
        self.outputs.append(output)

    def write(self, name: str, text: str) -> None:
        kept = text[: max(0, MOST_TEXT - self.text)]
        self.text += len(kept)
        self.lost["characters of text"] += len(text) - len(kept)
        if not kept:
            return
        last = self.outputs[-1] if self.outputs and not self.clears else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["parts"].append(kept)
        else:
            self.add({"output_type": "stream", "name": name, "parts": [kept]})

    def show(self, kind: str, data: Any, metadata: Any, **more: Any) -> dict[str, Any] | None:
        """Keeps rich output, where there is room for it."""
        _collect_descriptors()
        plain = {str(mime): _plain(value) for mime, value in dict(data).items() if value is not None}
        size = sum(len(value) if isinstance(value, str) else len(json.dumps(value)) for value in plain.values())
        pictures = any(mime.startswith("image/") for mime in plain)
        if self.data + size > MOST_DATA or self.pictures + pictures > MOST_PICTURES:
            self.lost["pictures" if pictures else "outputs"] += 1
            return None
        self.data, self.pictures = self.data + size, self.pictures + pictures
        output = {"output_type": kind, "data": plain, "metadata": _json(dict(metadata or {})), **more}
        self.add(output)
        return output

    def clear(self) -> None:
        self.outputs.clear()
        self.shown.clear()
        self.clears = False

    def finish(self) -> list[dict[str, Any]]:
        for output in self.outputs:
            if "parts" in output:
                output["text"] = "".join(output.pop("parts"))
        told = ", ".join(f"{count} {what}" for what, count in self.lost.items() if count)
        note = {"output_type": "stream", "name": "stderr", "text": f"\n[{told} left out]\n"}
        return [*self.outputs, note] if told else self.outputs


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> Any:
    """Gives a value as JSON has it: what it lacks becomes text."""
    return json.loads(json.dumps(value, default=str, allow_nan=False))


class Stream(io.TextIOBase):
    """What ``sys.stdout`` and ``sys.stderr`` are for cells."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name, self._descriptor = name, descriptor

    encoding = "UTF-8"
    errors = "strict"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        _collect_descriptors()
        _shell.recorder.write(self.name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor


def open_shell(site: str, preload: list[str]) -> str:
    """Makes the shell and imports what every episode gets for free; gives IPython's version.

    Raises:
        RuntimeError: The packages are those of another version of Python.
    """
    global _shell
    here = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if here not in site.split("/"):
        raise RuntimeError(f"the packages in {site} are not for this interpreter, {here}")
    sys.path.insert(1, site)
    place = os.environ.get("TMPDIR", "/tmp")  # noqa: S108
    settings = os.path.join(place, ".shell")
    for name in ("IPYTHONDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        os.environ[name] = os.path.join(settings, name.lower())
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    os.environ["JOBLIB_MULTIPROCESSING"] = "0"  # it would warn that there are no semaphores
    import _sitebuiltins
    import builtins

    import IPython

    builtins.help = _sitebuiltins._Helper()  # which this interpreter was started without
    _shell = _make_shell()
    _catch_descriptors(place)
    sys.stdout, sys.stderr = Stream("stdout", 1), Stream("stderr", 2)
    for name in preload:
        __import__(name)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"]._get_backend_mod()  # so that it hooks itself into the shell
        _draw_once()
    _wait_for_threads()
    _collect_descriptors()
    # Whatever lies here is copied at every fork, and what is in these files (what fonts there are) is known by now.
    shutil.rmtree(settings, ignore_errors=True)
    _shell.recorder = Recorder()
    return str(IPython.__version__)


def _draw_once() -> None:
    """Draws a figure, so that fonts are found and formatters made before the first cell."""
    pyplot = sys.modules["matplotlib.pyplot"]
    figure = pyplot.figure()
    figure.gca().plot([0, 1])
    _shell.display_formatter.format(figure)
    pyplot.close("all")
    sys.modules["matplotlib_inline.backend_inline"].show._to_draw = []
    sys.modules["matplotlib_inline.backend_inline"].show._draw_called = False


def _wait_for_threads() -> None:
    """Libraries start some as they are imported; a process with any cannot be forked."""
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)


def _make_shell() -> Any:
    from traitlets.config import Config

    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor"
    settings.InteractiveShell.autoindent = False
    shell = _shell_class().instance(config=settings)
    shell.db = {}  # magics would keep it in files, in a place that forks have left
    shell.loop_runner, shell.loop_runner_map = _run_alone, {"asyncio": (_run_alone, True)}
    shell.events.register("post_execute", _bound_figures)
    return shell


def _display_classes() -> tuple[Any, Any]:
    """What keeps the values of cells' last expressions, and what keeps what they display."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher

    class Hook(DisplayHook):
        """Keeps what a cell's last expression comes to."""

        def write_output_prompt(self) -> None:
            """Says nothing: the number is in the output."""

        def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
            count = self.prompt_count
            self.shell.recorder.show("execute_result", format_dict, md_dict, execution_count=count)

        def finish_displayhook(self) -> None:
            """Ends no line."""

    class Publisher(DisplayPublisher):
        """Keeps what cells display."""

        def publish(self, data: Any, metadata: Any = None, *_: Any, transient: Any = None, **more: Any) -> None:
            recorder, name = self.shell.recorder, str((transient or {}).get("display_id", ""))
            if not more.get("update"):
                output = recorder.show("display_data", data, metadata)
                if name and output is not None:
                    recorder.shown[name] = output
            elif name in recorder.shown:
                plain = {str(mime): _plain(value) for mime, value in data.items() if value is not None}
                recorder.shown[name].update(data=plain, metadata=_json(dict(metadata or {})))

        def clear_output(self, wait: bool = False) -> None:
            self.shell.recorder.clears = True
            if not wait:
                self.shell.recorder.clear()

    return Hook, Publisher


def _shell_class() -> Any:
    from IPython.core.interactiveshell import InteractiveShell

    class Shell(InteractiveShell):
        """IPython as a kernel has it."""

        displayhook_class, display_pub_class = _display_classes()
        recorder = Recorder()

        def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
            _collect_descriptors()
            lines = [_ANSI.sub("", str(line)) for line in stb]
            error = {"output_type": "error", "ename": etype.__name__, "evalue": str(evalue), "traceback": lines}
            self.recorder.add(error)

        def ask_exit(self) -> None:
            os._exit(0)

        def enable_gui(self, gui: Any = None) -> None:
            """There is no event loop to enter."""

        def system(self, command: str) -> None:
            _system(self, command)

        system_piped = system_raw = system

    return Shell


def _run_alone(task: Any) -> Any:
    """Runs a cell with top-level ``await`` in a loop of its own, whose sockets are closed with it."""
    import asyncio

    return asyncio.run(task)


def _bound_figures() -> None:
    """Closes all but the first figures of a cell before they are drawn."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    numbers = list(helpers.Gcf.figs) if helpers is not None else []
    for number in numbers[MOST_PICTURES:]:
        helpers.Gcf.destroy(number)  # type: ignore[union-attr]
    _shell.recorder.lost["pictures"] += len(numbers[MOST_PICTURES:])


def _system(shell: Any, command: str) -> None:
    """Runs a shell command whose output is the cell's."""
    import subprocess

    if command.rstrip().endswith("&"):
        raise OSError("Background processes not supported.")
    words = shell.var_expand(command, depth=1)
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(words, shell=True, stdin=null, stdout=pipe, stderr=subprocess.STDOUT) as process:  # noqa: S602
        while chunk := process.stdout.read1(65536):  # type: ignore[union-attr]
            sys.stdout.write(chunk.decode("utf-8", "replace"))
    shell.user_ns["_exit_code"] = process.returncode


def _refuse_input(*_: Any, **__: Any) -> Any:
    from IPython.core.error import StdinNotImplementedError

    raise StdinNotImplementedError(_NO_INPUT)


# What is written to descriptors 1 and 2 without Python's streams goes to files without names, which are looked at
# before each output, so that all come in order.


def _catch_descriptors(place: str) -> None:
    for target in (1, 2):
        try:
            own = os.open(place, os.O_TMPFILE | os.O_RDWR | os.O_APPEND, 0o600)
        except OSError:
            continue
        os.dup2(own, target, inheritable=True)
        os.close(own)


def _collect_descriptors() -> None:
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        try:
            size = os.fstat(descriptor).st_size
            if not size:
                continue
            data = os.pread(descriptor, MOST_TEXT, 0)
            os.ftruncate(descriptor, 0)
        except OSError:
            continue
        _shell.recorder.write(name, data.decode("utf-8", "replace"))
        _shell.recorder.lost["characters of text"] += max(0, size - len(data))


def run_cell(source: str, count: int) -> str:
    """Runs a cell; gives a JSON object of its outputs and whether it failed.

    Raises:
        MemoryError: The cell let it pass.
    """
    import builtins
    import getpass

    shell = _shell
    shell.recorder = Recorder()
    shell.execution_count = count
    builtins.input = getpass.getpass = _refuse_input
    result = shell.run_cell(source, store_history=True)
    _collect_descriptors()
    error = result.error_before_exec or result.error_in_exec
    if isinstance(error, MemoryError):
        raise MemoryError
    outputs = shell.recorder.finish()
    shell.recorder = Recorder()
    return json.dumps({"failed": not result.success, "outputs": outputs})
