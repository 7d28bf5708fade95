"""Questions that take a picture: the answer is read from what is drawn, and a picture has to be in the notebook."""

from __future__ import annotations

import numpy as np

from bai.envs.tasks.tables.draft import Dull, Question, Rows, best, draw_rows, main_file, printing
from bai.envs.tasks.tables.themes import Theme

__all__ = ["plot"]

_EDGE = 1e-6
"""How near to the edge of a bar a value may lie."""


def plot(rng: np.random.Generator, theme: Theme, difficulty: int) -> Question:
    """A histogram (1), a line of monthly totals (2), or points with their line and the one farthest from it (3)."""
    rows = draw_rows(rng, theme, int(rng.integers(80, 200)))
    bars = int(rng.integers(6, 13))
    make = {1: _histogram, 2: _line, 3: _points}[difficulty]
    text, answers, code = make(theme, rows, bars)
    return Question(
        text=f"{text} The picture has to be shown in the notebook.",
        answers=answers,
        files=main_file(theme, rows),
        solution="\n".join(
            [
                "import matplotlib.pyplot as plt",
                "import numpy as np",
                "import pandas as pd",
                f"df = pd.read_csv('{theme.table}.csv')",
                *code,
                "plt.show()",
            ]
        ),
        wanted_pictures=1,
    )


def _histogram(theme: Theme, rows: Rows, bars: int) -> tuple[str, dict[str, object], list[str]]:
    heights, edges = np.histogram(rows.x, bins=bars)
    top = best({str(at): float(height) for at, height in enumerate(heights)})
    inner = np.abs(rows.x[:, None] - edges[None, 1:-1])
    if inner.min() < _EDGE:
        raise Dull
    text = (
        f"Draw a histogram of {theme.x} in {theme.table}.csv with {bars} bars of equal width between its least and its "
        "largest value. How high is the tallest bar (@height), and where does it begin (@begin)?"
    )
    code = [
        f"heights, edges, _ = plt.hist(df['{theme.x}'], bins={bars})",
        "top = int(np.argmax(heights))",
        printing(height="str(int(heights[top]))", begin="f'{edges[top]:.3f}'"),
    ]
    return text, {"height": int(heights[int(top)]), "begin": float(edges[int(top)])}, code


def _line(theme: Theme, rows: Rows, bars: int) -> tuple[str, dict[str, object], list[str]]:
    months = sorted(set(rows.month.tolist()))
    totals = {str(month): float(rows.y[rows.month == month].sum()) for month in months}
    top = best(totals)
    text = (
        f"Draw the total of {theme.y} by month in {theme.table}.csv as a line. At which month is it highest (@month), "
        "and how high (@total)? By how much does it rise or fall from the first month to the last (@change)?"
    )
    code = [
        f"totals = df.groupby('month')['{theme.y}'].sum()",
        "line, = plt.plot(totals.index, totals)",
        "y = line.get_ydata()",
        printing(month="str(totals.idxmax())", total="f'{max(y):.3f}'", change="f'{y[-1] - y[0]:.3f}'"),
    ]
    change = totals[str(months[-1])] - totals[str(months[0])]
    return text, {"month": int(top), "total": totals[top], "change": change}, code


def _points(theme: Theme, rows: Rows, bars: int) -> tuple[str, dict[str, object], list[str]]:
    slope, start = np.polyfit(rows.x, rows.y, 1)
    away = np.abs(rows.y - (start + slope * rows.x))
    top = best({str(at): float(distance) for at, distance in enumerate(away)})
    text = (
        f"Draw {theme.y} over {theme.x} of all rows in {theme.table}.csv as points, and the line of least squares "
        "through them. Which row is farthest from the line, measured upright (@id), how far is it (@distance), and how "
        f"high is the line at {theme.x} = {bars} (@height)?"
    )
    code = [
        f"slope, start = np.polyfit(df['{theme.x}'], df['{theme.y}'], 1)",
        f"plt.scatter(df['{theme.x}'], df['{theme.y}'])",
        "plt.axline((0, start), slope=slope)",
        f"away = (df['{theme.y}'] - start - slope * df['{theme.x}']).abs()",
        printing(
            id="str(df['id'][away.idxmax()])",
            distance="f'{away.max():.3f}'",
            height=f"f'{{start + slope * {bars}:.3f}}'",
        ),
    ]
    answers: dict[str, object] = {
        "id": int(top) + 1,
        "distance": float(away[int(top)]),
        "height": float(start + slope * bars),
    }
    return text, answers, code
