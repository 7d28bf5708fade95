"""A notebook's cell in a live shell against the same cell in Jupyter's kernel, and the fork of a shell with its data.

Both run in turns within one run: what else the machine does falls on both alike. The kernel is ipykernel, asked through
jupyter_client's blocking client, as nbclient and most agents do, without a sandbox; the shell is in one.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from bai.envs.notebooks.packages import notebook_machine
from bai.envs.notebooks.shell import Nursery, Shell
from bai.envs.sandbox import Limits
from bai.errors import MissingDependency
from benchmarks._measure import Figure, Times, samples

CELLS = {
    "expression": "1 + 1",
    "print": "for n in range(100): print(n)",
    "frame": "pd.DataFrame({'a': range(100)})",
    "figure": "plt.plot([1, 2, 3]);",
}
"""What is run, after pandas and pyplot were imported."""
IMPORTS = "import pandas as pd, numpy as np, matplotlib.pyplot as plt"
FRAME = "held = pd.DataFrame(np.random.default_rng(0).random((1_250_000, 10)))"
"""A hundred megabytes."""
RUNS = 3
"""Runs of everything; the figures are their medians."""
ROUNDS = 20
FORKS = 20
LIMITS = Limits(wall_s=120.0, memory_bytes=1 << 30, processes=64)


def run() -> dict[str, Figure]:
    """Gives a ratio for each cell, and the milliseconds of a fork."""
    nursery = Nursery(notebook_machine("auto", (), None), LIMITS)
    with contextlib.closing(nursery), _kernel() as ask:
        rounds = [_race(nursery, ask) for _ in range(RUNS)]
        forks = [_forks(nursery) for _ in range(RUNS)]
    figures = {}
    for name in CELLS:
        ratios = [ours.median / theirs.median for ours, theirs in (found[name] for found in rounds)]
        ours, theirs = (statistics.median(pair[n].median for pair in (r[name] for r in rounds)) for n in (0, 1))
        best = [min(min(found[name][n].taken) for found in rounds) * 1000 for n in (0, 1)]
        note = f"{ours * 1000:.3g} ms against {theirs * 1000:.3g} ms; runs {', '.join(f'{r:.2f}' for r in ratios)}; "
        note += f"fastest {best[0]:.3g} against {best[1]:.3g}"
        figures[f"cell: {name}"] = Figure(value=statistics.median(ratios), unit="x", at_most=1.0, note=note)
    for name in forks[0]:
        times = sorted((found[name] for found in forks), key=lambda times: times.median)[RUNS // 2]
        figures[name] = times.figure(f"runs {', '.join(f'{f[name].median * 1000:.3g}' for f in forks)}", at_most=50.0)
    return figures


def _race(nursery: Nursery, ask: Callable[[str], None]) -> dict[str, tuple[Times, Times]]:
    with contextlib.closing(nursery.open({})) as shell:
        count = itertools.count(2)
        shell.run(IMPORTS, 1)
        ask(IMPORTS)
        return {name: _pair(shell, ask, code, count) for name, code in CELLS.items()}


def _pair(shell: Shell, ask: Callable[[str], None], code: str, count: Iterator[int]) -> tuple[Times, Times]:
    def ours() -> None:
        result = shell.run(code, next(count))
        assert result.status == "ok", result

    times = samples({"ours": ours, "theirs": lambda: ask(code)}, rounds=ROUNDS)
    return times["ours"], times["theirs"]


def _forks(nursery: Nursery) -> dict[str, Times]:
    """Seconds of forks alone; closing the twins is not in them."""
    twins: list[Shell] = []
    with contextlib.closing(nursery.open({})) as shell:
        times = {}
        for name, code in (("fork of a fresh shell", IMPORTS), ("fork of a shell holding 100 MB", FRAME)):
            assert shell.run(code, 1).status == "ok"
            taken = []
            for _ in range(FORKS):
                taken += samples({"fork": lambda: twins.append(shell.fork())}, rounds=1)["fork"].taken
                while twins:
                    twins.pop().close()
            times[name] = Times(taken)
    return times


@contextlib.contextmanager
def _kernel() -> Iterator[Callable[[str], None]]:
    """Gives what runs a cell in a kernel and waits for all of its outputs."""
    try:
        from jupyter_client.manager import start_new_kernel
    except ImportError as error:
        raise MissingDependency("jupyter-client", "pip install 'bai-rl[notebook]'", "this benchmark") from error
    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, "OMP_NUM_THREADS": "1"})

    def ask(code: str) -> None:
        outputs: list[Any] = []
        reply = client.execute_interactive(code, output_hook=outputs.append, timeout=120)
        assert reply["content"]["status"] == "ok", reply

    try:
        yield ask
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
