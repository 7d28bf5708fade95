"""Questions that take a test or a regression; what they ask for is computed here from the textbook's formulas."""

from __future__ import annotations

import numpy as np

from bai.envs.tasks.tables.draft import Dull, Question, draw_rows, main_file, printing
from bai.envs.tasks.tables.themes import Theme

__all__ = ["regress", "test"]

_BARELY = 0.02
"""How far a statistic has to be from the bound that decides."""


def test(rng: np.random.Generator, theme: Theme, difficulty: int) -> Question:
    """Whether two groups differ.

    1: Welch's statistic and the decision; 2: its degrees of freedom too; 3: chi-squared of two columns instead.
    """
    rows = draw_rows(rng, theme, int(rng.integers(90, 200)))
    if difficulty == 3:
        return _independence(theme, rows.group, rows.place, main_file(theme, rows))
    one, other = (str(name) for name in rng.choice(theme.groups, size=2, replace=False))
    a, b = rows.y[rows.group == one], rows.y[rows.group == other]
    if min(len(a), len(b)) < 5:
        raise Dull
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    statistic = float((a.mean() - b.mean()) / np.sqrt(sum(parts)))
    if abs(abs(statistic) - 2.0) < _BARELY:
        raise Dull
    freedom = float(sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)))
    answers = {"t": statistic, "differ": "yes" if abs(statistic) > 2 else "no"}
    asked = "the statistic t (@t)"
    if difficulty == 2:
        answers["df"] = freedom
        asked += ", its degrees of freedom by Welch and Satterthwaite (@df)"
    return Question(
        text=(
            f"Compare {theme.y} of the {theme.group}s {one!r} and {other!r} in {theme.table}.csv by Welch's t-test, "
            f"the first minus the second: give {asked}, and say by yes or no whether they differ, that is, whether the "
            "absolute value of t is above 2 (@differ)."
        ),
        answers=answers,
        files=main_file(theme, rows),
        solution=_test_solution(theme, one, other, difficulty),
    )


def _test_solution(theme: Theme, one: str, other: str, difficulty: int) -> str:
    answers = {"t": "f'{t:.3f}'", "differ": "('yes' if abs(t) > 2 else 'no')"}
    if difficulty == 2:
        answers["df"] = "f'{(va + vb) ** 2 / (va ** 2 / (len(a) - 1) + vb ** 2 / (len(b) - 1)):.3f}'"
    return "\n".join(
        [
            "import pandas as pd",
            f"df = pd.read_csv('{theme.table}.csv')",
            f"a, b = (df.loc[df['{theme.group}'] == name, '{theme.y}'] for name in ({one!r}, {other!r}))",
            "va, vb = a.var() / len(a), b.var() / len(b)",
            "t = (a.mean() - b.mean()) / (va + vb) ** 0.5",
            printing(**answers),
        ]
    )


def _independence(theme: Theme, first: np.ndarray, second: np.ndarray, files: dict[str, bytes]) -> Question:
    table = np.array([[np.sum((first == a) & (second == b)) for b in theme.places] for a in theme.groups], dtype=float)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    wanted = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return Question(
        text=(
            f"Are {theme.group} and {theme.place} independent in {theme.table}.csv? Make the table of their counts and "
            "give Pearson's chi-squared statistic, without a correction (@chi2), and its degrees of freedom (@df)."
        ),
        answers={
            "chi2": float(((table - wanted) ** 2 / wanted).sum()),
            "df": (table.shape[0] - 1) * (table.shape[1] - 1),
        },
        files=files,
        solution="\n".join(
            [
                "import numpy as np",
                "import pandas as pd",
                f"df = pd.read_csv('{theme.table}.csv')",
                f"counts = pd.crosstab(df['{theme.group}'], df['{theme.place}']).to_numpy()",
                "wanted = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()",
                "chi2 = ((counts - wanted) ** 2 / wanted).sum()",
                printing(chi2="f'{chi2:.3f}'", df="str((counts.shape[0] - 1) * (counts.shape[1] - 1))"),
            ]
        ),
    )


def regress(rng: np.random.Generator, theme: Theme, difficulty: int) -> Question:
    """A line by least squares.

    1: slope, intercept and the share of variance explained; 2: with the month as a second regressor; 3: of the
    logarithm of ``x``, and what it predicts.
    """
    rows = draw_rows(rng, theme, int(rng.integers(60, 160)))
    at = int(rng.integers(5, 40))
    x = np.log(rows.x) if difficulty == 3 else rows.x
    columns = [np.ones_like(x), x, *([rows.month.astype(float)] if difficulty == 2 else [])]
    design = np.column_stack(columns)
    found, *_ = np.linalg.lstsq(design, rows.y, rcond=None)
    left = rows.y - design @ found
    answers = {"slope": float(found[1]), "intercept": float(found[0])}
    if difficulty == 2:
        answers["month"] = float(found[2])
    if difficulty == 3:
        answers["predicted"] = float(found[0] + found[1] * np.log(at))
    answers["r2"] = float(1 - left @ left / ((rows.y - rows.y.mean()) ** 2).sum())
    return Question(
        text=_regress_text(theme, at, difficulty),
        answers=answers,
        files=main_file(theme, rows),
        solution=_regress_solution(theme, at, difficulty),
    )


def _regress_text(theme: Theme, at: int, difficulty: int) -> str:
    on = {
        1: f"{theme.x}, with an intercept",
        2: f"{theme.x} and month (as a number), with an intercept",
        3: f"the natural logarithm of {theme.x}, with an intercept",
    }[difficulty]
    more = {1: "", 2: ", the coefficient of month (@month)", 3: f", what it predicts for {theme.x} = {at} (@predicted)"}
    return (
        f"Fit {theme.y} on {on}, by least squares, to all rows of {theme.table}.csv. Give the slope of the first "
        f"(@slope), the intercept (@intercept){more[difficulty]}, and R squared (@r2)."
    )


def _regress_solution(theme: Theme, at: int, difficulty: int) -> str:
    x = f"np.log(df['{theme.x}'])" if difficulty == 3 else f"df['{theme.x}']"
    second = ", df['month']" if difficulty == 2 else ""
    answers = {"slope": "f'{b[1]:.3f}'", "intercept": "f'{b[0]:.3f}'"}
    if difficulty == 2:
        answers["month"] = "f'{b[2]:.3f}'"
    if difficulty == 3:
        answers["predicted"] = f"f'{{b[0] + b[1] * np.log({at}):.3f}}'"
    answers["r2"] = "f'{1 - ((y - X @ b) ** 2).sum() / ((y - y.mean()) ** 2).sum():.3f}'"
    return "\n".join(
        [
            "import numpy as np",
            "import pandas as pd",
            f"df = pd.read_csv('{theme.table}.csv')",
            f"X, y = np.column_stack([np.ones(len(df)), {x}{second}]), df['{theme.y}'].to_numpy()",
            "b = np.linalg.lstsq(X, y, rcond=None)[0]",
            printing(**answers),
        ]
    )
