"""Training curves from the metrics that a run writes as JSON lines."""

from __future__ import annotations

import json
import math
from pathlib import Path

from bai.errors import MalformedRow
from bai.evals.report.charts import Curve

__all__ = ["read_curve"]


def read_curve(path: Path, *, name: str = "reward", y: str = "reward", x: str = "iteration") -> Curve:
    """Reads one metric of a run.

    A line without the metric is passed over, and so is a torn last line; x counts lines where they don't name it.

    Args:
        path: JSON lines, one object an iteration.
        name: For the chart's legend.
        y: The metric.
        x: What it is drawn over.

    Raises:
        MalformedRow: A line other than a torn last one is no JSON object.
    """
    points: list[tuple[float, float]] = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"expected an object; got {type(row).__name__}")
        except ValueError as error:
            if number == len(lines):
                break
            raise MalformedRow(str(path), number, "", f"expected metrics as JSON; {error}") from error
        value = row.get(y)
        if isinstance(value, (int, float)) and math.isfinite(value):
            points.append((float(row.get(x, number)), float(value)))
    return Curve(name=name, points=tuple(points))
