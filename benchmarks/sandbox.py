"""Sandboxed function executions a second, against a fresh interpreter for each.

An execution is what judging one answer takes: load a source nobody trusts in a process of its
own, call its function on eight inputs, take the values back, end the process. ``fresh python``
and ``fresh bwrap`` do the same work in the plain way: start ``python -I -c`` for it, bare and
inside a ``bwrap`` with every namespace of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack

from bai.envs.sandbox import SANDBOXES, Sandbox
from bai.errors import InfraError
from benchmarks._measure import Figure, medians

SOURCE = "def f(xs):\n    xs = [x for x in xs if x % 2 == 0]\n    return sum(xs)\n"
ARGUMENTS = [([*range(n)],) for n in range(8)]
EXPECTED = [sum(x for x in args[0] if x % 2 == 0) for args in ARGUMENTS]
EXECUTIONS = 20
ROUNDS = 7
SCRIPT = f"{SOURCE}\nimport json\nprint(json.dumps([f(*a) for a in json.loads({json.dumps(ARGUMENTS)!r})]))"
BWRAP = ["--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--"]
PEERS = {"process": "fresh python", "bubblewrap": "fresh bwrap"}


def run() -> dict[str, Figure]:
    """Times every backend that works here and its peer in turns."""
    rivals: dict[str, Callable[[], object]] = {"fresh python": lambda: _times(lambda: _fresh([]))}
    if shutil.which("bwrap"):
        rivals["fresh bwrap"] = lambda: _times(lambda: _fresh(["bwrap", *BWRAP]))
    with ExitStack() as stack:
        for name, backend in SANDBOXES.items():
            if backend.unavailable_reason() is None:
                rivals[name] = _rival(stack.enter_context(backend()))
        taken = medians(rivals, rounds=ROUNDS)
    return _figures({name: EXECUTIONS / spent for name, spent in taken.items()})


def _rival(sandbox: Sandbox) -> Callable[[], None]:
    return lambda: _times(lambda: _sandboxed(sandbox))


def _times(execute: Callable[[], list[object]]) -> None:
    for _ in range(EXECUTIONS):
        values = execute()
        if values != EXPECTED:
            raise InfraError(f"an execution gave {values!r} where {EXPECTED!r} is right")


def _fresh(prefix: list[str]) -> list[object]:
    done = subprocess.run([*prefix, sys.executable, "-I", "-c", SCRIPT], capture_output=True, check=True)
    values: list[object] = json.loads(done.stdout)
    return values


def _sandboxed(sandbox: Sandbox) -> list[object]:
    with sandbox.load(SOURCE) as module:
        return [result.value for result in module.call_many("f", ARGUMENTS)]


def _figures(rates: dict[str, float]) -> dict[str, Figure]:
    note = f"median of {ROUNDS} x {EXECUTIONS} executions of 8 calls"
    figures = {name: Figure(value=rate, unit="executions/s", note=note) for name, rate in rates.items()}
    for name, peer in PEERS.items():
        if name in rates and peer in rates:
            ratio = rates[name] / rates[peer]
            figures[f"{name} over {peer}"] = Figure(value=ratio, unit="x", at_least=1.0, note="same run, in turns")
    return figures
