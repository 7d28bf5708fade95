"""The benchmark runner: figures, goals and fair turns."""

from __future__ import annotations

import json
import math
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MEASURE: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "_measure.py"), run_name="measure")


@pytest.mark.parametrize(
    ("bounds", "value", "goal", "missed"),
    [
        ({}, 1.0, "-", False),
        ({"at_least": 2.0}, 2.0, ">= 2", False),
        ({"at_least": 2.0}, 1.9, ">= 2", True),
        ({"at_most": 0.88}, 0.9, "<= 0.88", True),
        ({"at_least": 1.0, "at_most": 3.0}, 2.0, ">= 1 and <= 3", False),
        ({"at_least": 1.0}, math.nan, ">= 1", True),
    ],
)
def test_a_figure_knows_its_goal(bounds: dict[str, float], value: float, goal: str, missed: bool) -> None:
    """A goal reads in words, its own bound meets it, and no number at all misses it."""
    figure = MEASURE["Figure"](value=value, unit="x", **bounds)
    assert figure.goal == goal
    assert figure.is_missed is missed
    assert figure.to_json()["missed"] is missed


def test_a_grid_of_comparisons_becomes_figures() -> None:
    """Rows give one figure each: the ratio against its target, labelled by what was compared."""
    rows = [
        {"model": "nano", "tokens": 32, "ours": 300.0, "theirs": 100.0, "ratio": 3.0, "target": 2.0},
        {"model": "nano", "tokens": 64, "ours": 50.0, "theirs": 100.0, "ratio": 0.5, "target": 0.0},
    ]
    figures = MEASURE["figures_of"]({"unit": "tokens/s", "rows": rows})
    assert list(figures) == ["model nano, tokens 32", "model nano, tokens 64"]
    assert [figure.goal for figure in figures.values()] == [">= 2", "-"]
    assert figures["model nano, tokens 32"].note == "ours 300 against theirs 100 tokens/s"


def test_rivals_take_turns() -> None:
    """Every round runs every rival once, after the warm-ups, and each gets a median."""
    order: list[str] = []
    taken = MEASURE["medians"]({name: lambda name=name: order.append(name) for name in "ab"}, rounds=3, warmups=1)
    assert order == list("abababab")
    assert set(taken) == {"a", "b"}
    assert all(seconds >= 0 for seconds in taken.values())


def run_benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m benchmarks`` in the checkout."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_unknown_names_are_refused() -> None:
    """A name that is no benchmark is an error of usage that lists the ones there are."""
    done = run_benchmarks("nonsense")
    assert done.returncode == 2
    assert "no benchmark called nonsense" in done.stderr
    assert "micro" in done.stderr


TINY = '''"""Tiny: what it takes to count."""

from benchmarks._measure import Figure
from bai.errors import MissingDependency

def run():
    if NEEDS:
        raise MissingDependency("abacus", "pip install abacus")
    return {"met": Figure(value=2.0, unit="x", at_least=1.0), "missed": Figure(value=2.0, unit="x", at_most=1.0)}
'''

START = "import sys, benchmarks; benchmarks.__path__.append(sys.argv.pop(1)); from benchmarks.__main__ import main"


@pytest.mark.parametrize("needs", [False, True])
def test_a_benchmark_prints_a_table_and_writes_json(tmp_path: Path, needs: bool) -> None:
    """A missed goal says MISS and exits 0; a benchmark that cannot run says why and exits 1."""
    (tmp_path / "tiny.py").write_text(TINY.replace("NEEDS", str(needs)))
    arguments = [str(tmp_path), "tiny", "--json", str(tmp_path / "figures.json")]
    command = [sys.executable, "-c", f"{START}; sys.exit(main())", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    figures = json.loads((tmp_path / "figures.json").read_text())["tiny"]
    assert done.returncode == int(needs), done.stderr
    assert "what it takes to count" in done.stdout
    if needs:
        assert "abacus" in done.stdout
        assert "abacus" in figures["error"]
    else:
        assert done.stdout.count("MISS") == 1
        assert {name: figure["missed"] for name, figure in figures.items()} == {"met": False, "missed": True}
