"""The Python tool of an episode: an interpreter in a sandbox whose variables stay from one block to the next."""

from __future__ import annotations

from typing import Any, Self

from bai.envs.sandbox import make_sandbox
from bai.envs.sandbox.base import CallResult, Limits, LoadedModule

__all__ = ["PythonShell"]

_GONE = {
    "timeout": "took longer than {wall_s:g} s",
    "memory": "took more memory than allowed",
    "crashed": "ended its process",
}

_SOURCE = '''
import ast as _ast, contextlib as _contextlib, io as _io, traceback as _traceback


def run(code, most, _names={"__name__": "__main__"}):
    """Runs a block; gives what it printed, the value of its last line and its traceback, at most some characters."""
    out = _io.StringIO()
    with _contextlib.redirect_stdout(out), _contextlib.redirect_stderr(out):
        try:
            tree = _ast.parse(code, "<block>")
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
            exec(compile(tree, "<block>", "exec"), _names)
            if last is not None:
                value = eval(compile(_ast.Expression(last.value), "<block>", "eval"), _names)
                if value is not None:
                    print(repr(value))
        except BaseException as error:
            lines = _traceback.format_exception(type(error), error, error.__traceback__.tb_next, limit=-5)
            out.write("".join(lines))
    text = out.getvalue()
    if len(text) > most:
        text = text[: most // 2] + f"\\n[{len(text) - most} characters left out]\\n" + text[-(most - most // 2) :]
    return text.encode("utf-8", "backslashreplace").decode()
'''


class PythonShell:
    """A live interpreter, started when it is first made and forked by :func:`copy.deepcopy`.

    Args:
        sandbox: Backend, or ``auto``.
        limits: Bounds on each block.
        max_output: Characters of a block's output that are given.

    Raises:
        InfraError: It does not start.
    """

    def __init__(self, sandbox: str, limits: Limits, max_output: int) -> None:
        self._sandbox = make_sandbox(sandbox, limits)
        self._max_output = max_output
        self._sandbox.start()
        self._module: LoadedModule = self._sandbox.load(_SOURCE)

    def run(self, code: str) -> str:
        """Runs a block and gives what it said; an interpreter that is gone after it is started anew, empty.

        Raises:
            InfraError: The machinery failed.
        """
        result = self._module.call("run", (code, self._max_output))
        if result.status == "returned" and isinstance(result.value, str):
            # A block may put its own in the place of what runs blocks; half a surrogate pair cannot be written down.
            return result.value[: 2 * self._max_output].encode("utf-8", "backslashreplace").decode()
        self._module.close()
        self._module = self._sandbox.load(_SOURCE)
        return f"[the block {self._told(result)}; the interpreter was started anew, without its variables]"

    def _told(self, result: CallResult) -> str:
        return _GONE.get(result.status, "broke the interpreter").format(wall_s=self._sandbox.limits.wall_s)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Branches the live interpreter.

        Raises:
            CannotFork: It holds something that cannot be branched; the message says what.
        """
        twin = object.__new__(type(self))
        twin._module = self._module.fork()
        twin._sandbox, twin._max_output = twin._module.sandbox, self._max_output
        return twin

    def close(self) -> None:
        """Ends the interpreter; may be called twice."""
        self._module.close()
        self._sandbox.close()
