"""Training curves from JSON lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from bai.errors import MalformedRow
from bai.evals.curves import read_curve


def test_reads_the_metric_over_iterations(tmp_path: Path) -> None:
    """Points are (iteration, value); rows without the metric, NaN and a torn last line are left out."""
    path = tmp_path / "metrics.jsonl"
    rows = ['{"iteration": 1, "reward": 0.25}', '{"iteration": 2}', '{"iteration": 3, "reward": NaN}', ""]
    path.write_text("\n".join([*rows, '{"iteration": 4, "reward": 1}', '{"iter']))
    assert read_curve(path).points == ((1.0, 0.25), (4.0, 1.0))


def test_counts_lines_where_there_is_no_iteration(tmp_path: Path) -> None:
    """Without the horizontal metric, the number of the line takes its place."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"loss": 3}\n{"loss": 2}\n')
    curve = read_curve(path, name="loss", y="loss", x="step")
    assert (curve.name, curve.points) == ("loss", ((1.0, 3.0), (2.0, 2.0)))


@pytest.mark.parametrize("bad", ["nonsense", "[1]", "7"])
def test_a_broken_line_is_named(tmp_path: Path, bad: str) -> None:
    """A line that is no object names its file and number."""
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"reward": 1}}\n{bad}\n{{"reward": 1}}\n')
    with pytest.raises(MalformedRow, match=r"metrics\.jsonl:2"):
        read_curve(path)
