"""Runs benchmarks and prints their figures beside the goals.

Exits 0 even where a goal is missed (the table says MISS): a goal depends on the machine. A
benchmark that cannot run here is reported with its reason, and exits 1.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import benchmarks
from bai.errors import BaiError
from benchmarks._measure import Figure, figures_of

NAMES = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))


def main(arguments: list[str] | None = None) -> int:
    """Runs what the arguments name; gives the exit code."""
    options = _parse(arguments)
    console = Console()
    if options.list:
        for name in NAMES:
            console.print(f"[bold]{name}[/]  {_summary(name)}")
        return 0
    results: dict[str, Any] = {}
    for name in options.names or NAMES:
        with console.status(f"measuring {name}"):
            results[name] = _measure(name)
        console.print(_table(name, results[name]))
    if options.json:
        options.json.write_text(json.dumps({name: _to_json(figures) for name, figures in results.items()}, indent=2))
    return int(any(isinstance(figures, str) for figures in results.values()))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; all if none is named")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    parser.add_argument("--list", action="store_true", help="say what each benchmark measures, and stop")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return options


def _measure(name: str) -> Mapping[str, Figure] | str:
    """The figures, or why there are none."""
    try:
        return figures_of(importlib.import_module(f"benchmarks.{name}").run())
    except BaiError as error:
        return f"{type(error).__name__}: {error}"


def _summary(name: str) -> str:
    text = importlib.import_module(f"benchmarks.{name}").__doc__ or ""
    return text.strip().partition("\n")[0]


def _table(name: str, figures: Mapping[str, Figure] | str) -> Table:
    table = Table("figure", "value", "unit", "goal", "", "measured on", title=f"{name}: {_summary(name)}")
    table.title_justify = "left"
    if isinstance(figures, str):
        table.add_row("could not run", "", "", "", "", figures)
        return table
    for label, figure in figures.items():
        met = "" if figure.goal == "-" else "MISS" if figure.is_missed else "met"
        table.add_row(label, f"{figure.value:,.4g}", figure.unit, figure.goal, met, figure.note)
    return table


def _to_json(figures: Mapping[str, Figure] | str) -> Any:
    if isinstance(figures, str):
        return {"error": figures}
    return {label: figure.to_json() for label, figure in figures.items()}


if __name__ == "__main__":
    sys.exit(main())
