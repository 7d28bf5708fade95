"""``bai view``: trajectories in the terminal, or as one HTML file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from bai.cli.output import out, print_json
from bai.envs.arguments import did_you_mean
from bai.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bai.types import Trajectory

__all__ = ["view"]

LISTED = 30
"""Trajectories listed where none is chosen."""


def view(
    paths: Annotated[
        list[Path], typer.Argument(help="Files of trajectories, or folders of an evaluation or a training run.")
    ],
    index: Annotated[int | None, typer.Option("--index", "-i", help="Show this one, counted from 0.")] = None,
    task: Annotated[str | None, typer.Option(help="Only this task's.")] = None,
    status: Annotated[str | None, typer.Option(help="Only these: passed, failed, timeout, ...")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained report here.")] = None,
    metrics: Annotated[Path | None, typer.Option(help="Metrics of a training run, for the report's curve.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures, or the one chosen, as JSON.")] = False,
) -> None:
    """Shows figures and trajectories. Several files stand side by side; the first is compared with the last."""
    from bai.evals.summary import STATUSES, status_of

    if status is not None and status not in STATUSES:
        raise ConfigError(f"status must be one of {', '.join(STATUSES)}; got {status!r}")
    files = [_file_of(path) for path in paths]
    loaded = {name: _load(file) for name, file in zip(_names(files), files, strict=True)}
    kept = {
        name: [t for t in rows if task in (None, t.task_id) and status in (None, status_of(t))]
        for name, rows in loaded.items()
    }
    if not any(kept.values()):
        raise ConfigError(_none_left(loaded, task, status))
    if html is not None:
        _write_page(kept, html, metrics or _metrics_beside(files))
    elif index is not None:
        _show_one([row for rows in kept.values() for row in rows], index, as_json)
    else:
        _show_all(kept, as_json)


def _file_of(path: Path) -> Path:
    """The file at ``path`` or of the folder there; of a training run's folder, that of its last iteration."""
    whole = path / "trajectories.jsonl" if path.is_dir() else path
    if whole.is_file():
        return whole
    if iterations := sorted(path.glob("trajectories/*.jsonl")):
        return iterations[-1]
    raise ConfigError(
        "expected a file of trajectories, or the folder of an evaluation, which holds trajectories.jsonl, or of a "
        f"training run, which holds trajectories/000001.jsonl and the like; {whole} is not there"
    )


def _names(files: Sequence[Path]) -> list[str]:
    """Short names that tell the files apart."""
    if len(set(files)) < len(files):
        raise ConfigError(f"expected different files; got {', '.join(map(str, files))}")
    whole_folder = "trajectories.jsonl"
    short = [(file.resolve().parent.name or file.stem) if file.name == whole_folder else file.stem for file in files]
    return short if len(set(short)) == len(short) else [str(file) for file in files]


def _load(file: Path) -> list[Trajectory]:
    from bai.types import read_trajectories

    rows = list(read_trajectories(file))
    if not rows:
        raise ConfigError(f"expected trajectories; {file} holds not one whole line of them")
    return rows


def _none_left(loaded: dict[str, list[Trajectory]], task: str | None, status: str | None) -> str:
    """Says that no trajectory is one of those asked for, and which there are."""
    from bai.evals.summary import status_of

    rows = [row for group in loaded.values() for row in group]
    asked = [f"{name} {value!r}" for name, value in (("task", task), ("status", status)) if value is not None]
    there = Counter(status_of(row) for row in rows)
    tasks = list(dict.fromkeys(row.task_id for row in rows))
    counts = ", ".join(f"{count} {name}" for name, count in there.items())
    hint = did_you_mean(task, tasks) if task is not None and task not in tasks else ""
    return f"none of the {len(rows)} trajectories has {' and '.join(asked)}{hint}; there are {counts}"


def _metrics_beside(files: Sequence[Path]) -> Path | None:
    """The metrics of the run that the files are of: beside them, or beside the folder they lie in."""
    folders = [folder for file in files for folder in file.resolve().parents[:2]]
    return next((folder / "metrics.jsonl" for folder in folders if (folder / "metrics.jsonl").is_file()), None)


def _write_page(kept: dict[str, list[Trajectory]], html: Path, metrics: Path | None) -> None:
    from bai.evals.curves import read_curve
    from bai.evals.report import Condition, write_report

    if metrics is not None and not metrics.is_file():
        raise ConfigError(f"expected the metrics of a run; {metrics} is not there")
    conditions = [Condition(name=name, trajectories=rows) for name, rows in kept.items()]
    training = [] if metrics is None else [read_curve(metrics)]
    write_report(html, conditions, title="Trajectories", training=training)
    out.print(f"report: {html}", markup=False)


def _show_one(rows: Sequence[Trajectory], index: int, as_json: bool) -> None:
    from bai.evals.report import print_trajectory

    if not -len(rows) <= index < len(rows):
        raise ConfigError(f"expected an index from 0 to {len(rows) - 1}; got {index}")
    if as_json:
        print_json(rows[index].to_json())
    else:
        print_trajectory(rows[index], out, position=f"{index % len(rows)} of {len(rows)}")


def _show_all(kept: dict[str, list[Trajectory]], as_json: bool) -> None:
    from bai.evals.report import print_summary
    from bai.evals.report.text import visible
    from bai.evals.summary import paired_gain, status_of, summarise

    summaries = [summarise(rows, name=name) for name, rows in kept.items()]
    gain = paired_gain(list(kept.values()))
    if as_json:
        print_json([summary.to_json() for summary in summaries])
        return
    print_summary(summaries, out)
    if gain is not None and gain.tasks:
        points = [f"{100 * value:+.1f}" for value in (gain.value, gain.low, gain.high)]
        out.print(f"gain in pass@1: {points[0]} points [{points[1]}, {points[2]}]", markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("index", "task", "status", "reward", "turns"):
        table.add_column(heading)
    rows = [row for group in kept.values() for row in group]
    for number, row in enumerate(rows[:LISTED]):
        name = Text(visible(row.task_id, 60))
        table.add_row(str(number), name, status_of(row), f"{row.reward:.3g}", str(len(row.turns)))
    out.print(table)
    if len(rows) > LISTED:
        out.print(f"... and {len(rows) - LISTED} more; show one with --index", markup=False)
