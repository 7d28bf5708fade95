"""Questions that take joining tables, and grouping rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bai.envs.tasks.tables.draft import Dull, Question, Rows, best, csv_of, draw_rows, main_file, pick, printing
from bai.envs.tasks.tables.themes import Theme

__all__ = ["group", "join"]


def join(rng: np.random.Generator, theme: Theme, difficulty: int) -> Question:
    """A total by the other table's regions.

    1: all places are known; 2: some are not, and their rows count as unmatched; 3: each place has a factor too.
    """
    rows = draw_rows(rng, theme, int(rng.integers(80, 200)))
    known = list(theme.places)
    rng.shuffle(known)
    if difficulty >= 2:
        known = known[: -int(rng.integers(1, 3))]
    region = {place: pick(rng, theme.regions) for place in known}
    factor = {place: round(float(rng.uniform(0.5, 2.0)), 2) for place in known}
    matched = np.array([place in region for place in rows.place])
    weight = np.array([factor.get(place, 0.0) if difficulty >= 3 else 1.0 for place in rows.place])
    of_row = np.array([region.get(place, "") for place in rows.place])
    totals = {name: float((rows.y * weight)[of_row == name].sum()) for name in sorted(set(region.values()))}
    top = best(totals)
    answers = {f"top_{theme.region}": top, "total": totals[top]}
    columns: dict[str, Iterable[object]] = {theme.place: known, theme.region: [region[place] for place in known]}
    if difficulty >= 2:
        answers["unmatched"] = int((~matched).sum())
    if difficulty >= 3:
        columns["factor"] = [factor[place] for place in known]
    return Question(
        text=_join_text(theme, difficulty),
        answers=answers,
        files={**main_file(theme, rows), f"{theme.second}.csv": csv_of(columns)},
        solution=_join_solution(theme, difficulty),
    )


def _join_text(theme: Theme, difficulty: int) -> str:
    what = f"{theme.y} times the factor of its {theme.place}" if difficulty >= 3 else theme.y
    text = (
        f"{theme.second}.csv tells the {theme.region} of each {theme.place} in {theme.table}.csv. Sum up {what} by "
        f"{theme.region}: which {theme.region} has the largest total (@top_{theme.region}), and what is it (@total)?"
    )
    if difficulty < 2:
        return text
    return (
        f"{text} Rows whose {theme.place} is not in {theme.second}.csv belong to no {theme.region}: how many are "
        "there (@unmatched)?"
    )


def _join_solution(theme: Theme, difficulty: int) -> str:
    lines = [
        "import pandas as pd",
        f"places = pd.read_csv('{theme.second}.csv')",
        f"df = pd.read_csv('{theme.table}.csv').merge(places, on='{theme.place}', how='left')",
        f"df['value'] = df['{theme.y}']" + (" * df['factor']" if difficulty >= 3 else ""),
        f"totals = df.groupby('{theme.region}')['value'].sum()",
    ]
    answers = {f"top_{theme.region}": "totals.idxmax()", "total": "f'{totals.max():.3f}'"}
    if difficulty >= 2:
        answers["unmatched"] = f"str(df['{theme.region}'].isna().sum())"
    return "\n".join([*lines, printing(**answers)])


def group(rng: np.random.Generator, theme: Theme, difficulty: int) -> Question:
    """The group with the largest value of a statistic.

    1: the mean; 2: the sample's standard deviation, in some months; 3: the mean of the largest three of each place.
    """
    rows = draw_rows(rng, theme, int(rng.integers(90, 220)))
    since = int(rng.integers(3, 9))
    chosen = rows.month >= since if difficulty == 2 else np.full(len(rows.x), True)
    values = {name: _statistic(rows, chosen & (rows.group == name), difficulty) for name in theme.groups}
    top = best(values)
    return Question(
        text=_group_text(theme, since, difficulty),
        answers={f"top_{theme.group}": top, "value": values[top]},
        files=main_file(theme, rows),
        solution=_group_solution(theme, since, difficulty),
    )


def _statistic(rows: Rows, chosen: np.ndarray, difficulty: int) -> float:
    y = rows.y[chosen]
    if len(y) < 3:
        raise Dull
    if difficulty == 1:
        return float(y.mean())
    if difficulty == 2:
        return float(y.std(ddof=1))
    tops = [np.sort(y[rows.place[chosen] == place])[-3:] for place in sorted(set(rows.place[chosen]))]
    return float(np.concatenate(tops).mean())


def _group_text(theme: Theme, since: int, difficulty: int) -> str:
    what = {
        1: f"has the largest mean of {theme.y}",
        2: f"has the largest standard deviation (of the sample, with n - 1) of {theme.y} in month {since} and later",
        3: f"is first, if for each {theme.group} and {theme.place} the three largest values of {theme.y} are kept (all "
        f"of them where there are fewer), and the mean is taken over all that is kept of a {theme.group}",
    }[difficulty]
    return f"Which {theme.group} in {theme.table}.csv {what} (@top_{theme.group}), and what is that value (@value)?"


def _group_solution(theme: Theme, since: int, difficulty: int) -> str:
    read = f"df = pd.read_csv('{theme.table}.csv')"
    rows, kind, y = ("df", f"'{theme.group}'", f"'{theme.y}'")
    value = {
        1: f"{rows}.groupby({kind})[{y}].mean()",
        2: f"{rows}[df['month'] >= {since}].groupby({kind})[{y}].std()",
        3: f"df.sort_values({y}).groupby([{kind}, '{theme.place}']).tail(3).groupby({kind})[{y}].mean()",
    }[difficulty]
    answers = {f"top_{theme.group}": "values.idxmax()", "value": "f'{values.max():.3f}'"}
    return "\n".join(["import pandas as pd", read, f"values = {value}", printing(**answers)])
