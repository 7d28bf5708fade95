"""What the demonstration gains when its rewards are shuffled: next to nothing, or the gain isn't the reward's.

The same warm start, tasks, seeds and settings as `make demo`, but each iteration's rewards are
dealt out at random over its answers. Takes as long as the demonstration.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bai.evals.demo import TRAINING, DemoConfig, run_demo
from benchmarks._measure import Figure

SEED = 1


def run() -> dict[str, Figure]:
    """Runs the demonstration with shuffled rewards."""
    with tempfile.TemporaryDirectory(prefix="bai-shuffled-") as folder:
        settings = {**TRAINING, "shuffle_rewards": True}
        result = run_demo(DemoConfig(seed=SEED, out=Path(folder) / "run", settings=settings))
    note = f"base {result.base.percent()}, after {result.trained.percent()}, {result.gain.tasks} tasks"
    return {"gain with shuffled rewards": Figure(value=100 * result.gain.value, unit="points", at_most=5.0, note=note)}
