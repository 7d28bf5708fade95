"""The process that runs trusted test scripts; standard library only, started by path.

It keeps one small interpreter ready and forks it for each script, so that a script starts in a
millisecond, sees no leftovers, and can be killed without harm to the environment's own process. It talks
through its standard input and output, in frames of the value codec:

    host to judge:   ("run", script, setup, names, partial, seconds, bytes)
                     ("returned", value) | ("raised", exception, message) | ("abort",)
    judge to host:   ("call", name, args, kwargs)
                     ("done", outcome, detail, asserts passed, asserts counted)

Nothing of a candidate's is here but values that the codec rebuilt.
"""

from __future__ import annotations

import ast
import builtins

# Scripts use these; loaded once, before any fork.
import collections
import importlib
import importlib.util
import os
import resource
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_SIZE = struct.Struct("!I")
_NOT_RAISED_AGAIN = (StopIteration, StopAsyncIteration)
"""A script's own ``list(map(f, ...))`` would take these for the end of the data, and pass."""


def _load_codec() -> Any:
    """Loads the codec's package by path: importing it as a part of bai would import Gymnasium too."""
    folder = Path(__file__).parent.parent / "sandbox" / "inside"
    spec = importlib.util.spec_from_file_location(
        "inside", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["inside"] = package
    spec.loader.exec_module(package)
    return importlib.import_module("inside.codec")


class CandidateError(Exception):
    """The candidate raised an exception that is none of Python's own."""


class _Link:
    """Frames over two descriptors."""

    def __init__(self, codec: Any, source: int, sink: int) -> None:
        self._codec, self._source, self._sink = codec, source, sink

    def receive(self) -> Any:
        return self._codec.decode(self._exactly(_SIZE.unpack(self._exactly(4))[0]))

    def send(self, message: tuple[Any, ...]) -> None:
        data = self._codec.encode(message)
        view = memoryview(_SIZE.pack(len(data)) + data)
        while view:
            view = view[os.write(self._sink, view) :]

    def _exactly(self, size: int) -> bytes:
        pieces = []
        while size:
            piece = os.read(self._source, min(size, 1 << 20))
            if not piece:
                os._exit(0)
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


class _Asserts:
    """Counts assertions, and goes on after those that fail."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def passes(self) -> None:
        self.passed += 1

    def fails(self) -> None:
        self.failed += 1


class _Counted(ast.NodeTransformer):
    """Rewrites each assertion so that :class:`_Asserts` hears of it."""

    def __init__(self) -> None:
        self.count = 0

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        self.count += 1
        tell = ast.parse("try:\n    __bai_passes__()\nexcept Exception:\n    __bai_fails__()").body[0]
        assert isinstance(tell, ast.Try)
        tell.body.insert(0, node)
        return ast.copy_location(tell, node)


def main() -> NoReturn:
    """Serves until the host closes the pipe."""
    codec = _load_codec()
    link = _Link(codec, os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    while True:
        _, script, setup, names, partial, seconds, memory = link.receive()
        child = os.fork()
        if child == 0:
            os.dup2(null, 2)
            _run(link, script, setup, names, partial, seconds, memory)
        _, status = os.waitpid(child, 0)
        if status:
            link.send(("done", "died", "", 0, 0))


def _run(
    link: _Link, script: str, setup: str, names: tuple[str, ...], partial: bool, seconds: int, memory: int
) -> NoReturn:
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        asserts = _Asserts()
        outcome, detail, counted = _judge(link, script, setup, names, partial, asserts)
        link.send(("done", outcome, detail, asserts.passed, max(counted, asserts.passed + asserts.failed)))
        code = 0
    finally:
        os._exit(code)


def _judge(
    link: _Link, script: str, setup: str, names: tuple[str, ...], partial: bool, asserts: _Asserts
) -> tuple[str, str, int]:
    counter = _Counted()
    scope: dict[str, Any] = {"__name__": "__judge__", "CandidateError": CandidateError}
    scope.update(__bai_passes__=asserts.passes, __bai_fails__=asserts.fails)
    try:
        tree = ast.parse(script)
        tests = compile(ast.fix_missing_locations(counter.visit(tree)) if partial else tree, "<tests>", "exec")
        exec(compile(setup, "<setup>", "exec"), scope)
        scope.update({name: _proxy(link, name) for name in names})
    except BaseException as error:
        return "broken", repr(error)[:200], 0
    try:
        exec(tests, scope)
    except AssertionError:
        return "failed", "an assertion failed", counter.count
    except MemoryError:
        return "memory", "", counter.count
    except BaseException as error:
        return "failed", f"stopped at {_public_name(error)}", counter.count + 1
    return ("failed", "an assertion failed", counter.count) if asserts.failed else ("passed", "", counter.count)


def _proxy(link: _Link, name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        link.send(("call", name, args, kwargs))
        answer = link.receive()
        if answer[0] == "abort":
            os._exit(0)
        if answer[0] == "returned":
            return _widened(answer[1])
        raise _rebuilt(answer[1], answer[2])

    call.__name__ = call.__qualname__ = name
    return call


def _widened(value: Any) -> Any:
    """Gives numpy's short floats the precision of Python's own, with which a script compares them.

    Against a bare number numpy would round that to the short type: 10**9 would equal float16's infinity.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return value
    if isinstance(value, (numpy.generic, numpy.ndarray)):
        return value.astype(numpy.result_type(value.dtype, numpy.float64)) if value.dtype.kind in "fc" else value
    if isinstance(value, tuple):
        return tuple(map(_widened, value))
    if isinstance(value, (list, collections.deque)):
        for index, item in enumerate(value):
            value[index] = _widened(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            value[key] = _widened(item)
    return value


def _rebuilt(name: str, message: str) -> Exception:
    kind = getattr(builtins, name, None)
    if not isinstance(kind, type) or not issubclass(kind, Exception) or issubclass(kind, _NOT_RAISED_AGAIN):
        return CandidateError(message)
    # Some builtin exceptions want arguments of their own: they get none, and the text as their args.
    error = kind.__new__(kind)
    error.args = (message,)
    return error


def _public_name(error: BaseException) -> str:
    name = type(error).__name__
    return name if hasattr(builtins, name) or isinstance(error, CandidateError) else "an exception"


if __name__ == "__main__":
    main()
