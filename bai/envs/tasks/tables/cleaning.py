"""Questions that take cleaning: rows that come twice, missing values, names and numbers written in several ways."""

from __future__ import annotations

import numpy as np

from bai.envs.tasks.tables.draft import Question, Rows, draw_rows, main_file, pick, printing
from bai.envs.tasks.tables.themes import Theme

__all__ = ["clean"]

_MISSING = ("", "NA", "-")
_TWICE = 0.08
_LOST = 0.1


def clean(rng: np.random.Generator, theme: Theme, difficulty: int) -> Question:
    """Rows left, a mean and a count, after cleaning.

    1: rows that come twice and missing numbers; 2: names in several spellings too; 3: numbers with their unit too.
    """
    count = int(rng.integers(60, 140))
    rows = draw_rows(rng, theme, count)
    lost = rng.random(count) < _LOST
    asked = pick(rng, theme.groups)
    order = np.concatenate([np.arange(count), rng.choice(count, size=max(1, int(count * _TWICE)), replace=False)])
    rng.shuffle(order)
    names = [_spelt(rng, name) if difficulty >= 2 else name for name in rows.group]
    numbers = [_number(rng, theme, rows, lost, at, with_unit=difficulty >= 3) for at in range(count)]
    files = main_file(
        theme,
        Rows(**{name: column[order] for name, column in vars(rows).items()}),
        ids=[int(at) + 1 for at in order],
        group=[names[at] for at in order],
        x=[numbers[at] for at in order],
    )
    kept = ~lost
    return Question(
        text=_text(theme, asked, difficulty),
        answers={
            "rows": int(kept.sum()),
            f"mean_{theme.x}": float(rows.x[kept].mean()),
            f"{asked}_rows": int((rows.group[kept] == asked).sum()),
        },
        files=files,
        solution=_solution(theme, asked),
    )


def _spelt(rng: np.random.Generator, name: str) -> str:
    way = int(rng.integers(4))
    return (name, name.upper(), f" {name}", f"{name.capitalize()} ")[way]


def _number(rng: np.random.Generator, theme: Theme, rows: Rows, lost: np.ndarray, at: int, *, with_unit: bool) -> str:
    if lost[at]:
        return pick(rng, _MISSING)
    text = f"{rows.x[at]}"
    return f"{text} {theme.unit}" if with_unit and rng.random() < 0.4 else text


def _text(theme: Theme, asked: str, difficulty: int) -> str:
    parts = [
        f"Some rows of {theme.table}.csv come twice: keep one for each id. Then drop the rows in which {theme.x} is "
        "missing; a missing value is empty, NA or -."
    ]
    if difficulty >= 2:
        parts.append(
            f"Names of {theme.group} are written with blanks around them and in several cases: {asked!r}, "
            f"{asked.upper()!r} and {' ' + asked!r} are the same."
        )
    if difficulty >= 3:
        parts.append(f"Some values of {theme.x} carry their unit, {theme.unit}, which is the unit of all of them.")
    parts.append(
        f"How many rows are left, what is the mean of {theme.x} over them, and how many of them have "
        f"{theme.group} {asked!r}?"
    )
    return " ".join(parts)


def _solution(theme: Theme, asked: str) -> str:
    return "\n".join(
        [
            "import pandas as pd",
            f"df = pd.read_csv('{theme.table}.csv', dtype=str, keep_default_na=False).drop_duplicates('id')",
            f"number = df['{theme.x}'].str.replace('{theme.unit}', '', regex=False).str.strip()",
            f"df['{theme.x}'] = pd.to_numeric(number, errors='coerce')",
            f"df = df.dropna(subset=['{theme.x}'])",
            f"kind = df['{theme.group}'].str.strip().str.lower()",
            printing(
                **{
                    "rows": "str(len(df))",
                    f"mean_{theme.x}": f"f\"{{df['{theme.x}'].mean():.3f}}\"",
                    f"{asked}_rows": f"str((kind == '{asked}').sum())",
                }
            ),
        ]
    )
