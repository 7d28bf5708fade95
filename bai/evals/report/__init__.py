"""Reports: a self-contained HTML page, and trajectories in the terminal."""

from __future__ import annotations

from bai.evals.report.charts import Curve
from bai.evals.report.page import Condition, render_report, write_report
from bai.evals.report.terminal import print_summary, print_trajectory

__all__ = ["Condition", "Curve", "print_summary", "print_trajectory", "render_report", "write_report"]
