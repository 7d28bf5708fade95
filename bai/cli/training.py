"""``bai train``, ``bai demo`` and ``bai bench``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import bai
from bai.errors import ConfigError

__all__ = ["bench", "demo"]


def demo(
    seed: Annotated[int, typer.Option(help="Seeds training and evaluation.")] = 1,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder of the run; runs/demo-SEED if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the last line only: one JSON object.")] = False,
) -> None:
    """Trains the small warm start with GRPO on held-in tasks and shows that it got better on held-out ones."""
    from bai.agents.demo import run_demo

    run_demo(seed=seed, out=folder or Path("runs") / f"demo-{seed}", as_json=as_json)


def bench(context: typer.Context) -> None:
    """Runs the benchmarks of a checkout, side by side with their peers; arguments are passed on."""
    root = Path(bai.__file__).resolve().parent.parent
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise ConfigError(f"the benchmarks are part of a checkout, not of an installed package; {root} holds none")
    done = subprocess.run([sys.executable, "-m", "benchmarks", *context.args], cwd=root, check=False)
    raise typer.Exit(done.returncode)
