"""Trajectories and figures in the terminal.

Text of an agent is printed with its control characters spelled out: a terminal obeys
escapes, and an answer may be written to abuse that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bai.evals.report.text import visible
from bai.evals.summary import STATUSES, Summary, status_of
from bai.types import Trajectory

__all__ = ["print_summary", "print_trajectory"]

COLOURS = {"passed": "green", "failed": "red", "infra_error": "magenta", "ungraded": "bright_black"}
"""Status -> colour; every other status is yellow."""


def print_trajectory(trajectory: Trajectory, console: Console, *, position: str = "") -> None:
    """Prints one trajectory: what was said and answered, and what the judge found.

    Args:
        trajectory: What to show.
        console: Where to.
        position: Such as ``3 of 164``; shown in the heading.
    """
    status = status_of(trajectory)
    heading = Text.assemble(
        (visible(trajectory.task_id, 200), "bold"),
        f"  {trajectory.env_id}  ",
        (status, COLOURS.get(status, "yellow")),
        f"  reward {trajectory.reward:.4g}",
        (f"  {position}" if position else "", "bright_black"),
    )
    console.print(heading)
    for part in _turns(trajectory):
        console.print(part, soft_wrap=False)  # a frame cuts off what would overflow: fold it, so that all of it shows
    console.print(_finding(trajectory))


def _turns(trajectory: Trajectory) -> Iterator[RenderableType]:
    for number, turn in enumerate(trajectory.turns, start=1):
        said = "prompt" if number == 1 else f"observation {number}"
        answered = "answer" if len(trajectory.turns) == 1 else f"answer {number}"
        if turn.stop_reason == "length":
            answered += " (cut off)"
        yield Panel(Text(visible(turn.observation)), title=said, title_align="left", border_style="bright_black")
        yield Panel(Text(visible(turn.action)), title=answered, title_align="left", border_style="blue")


def _finding(trajectory: Trajectory) -> RenderableType:
    lines = []
    if trajectory.verdict is not None:
        detail = f": {visible(trajectory.verdict.detail, 2_000)}" if trajectory.verdict.detail else ""
        lines.append(Text(f"verdict: {trajectory.verdict.status}{detail}"))
    if trajectory.error is not None:
        lines.append(Text(f"lost to a fault of the machinery: {visible(trajectory.error, 2_000)}", style="magenta"))
    if trajectory.reward_terms:
        terms = ", ".join(f"{visible(k, 100)} {v:.4g}" for k, v in trajectory.reward_terms.items())
        lines.append(Text(f"reward terms: {terms}"))
    if trajectory.spans:
        spans = ", ".join(f"{visible(span.name, 100)} {span.duration_s:.3f} s" for span in trajectory.spans)
        lines.append(Text(f"time: {spans}"))
    return Group(*lines)


def print_summary(summaries: Sequence[Summary], console: Console) -> None:
    """Prints the figures of evaluations side by side, and what was lost."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for summary in summaries:
        table.add_column(Text(visible(summary.name, 60)), justify="right")
    for name, cells in _rows(summaries):
        table.add_row(Text(visible(name, 60)), *cells)
    console.print(table)
    for summary in summaries:
        if summary.lost:
            console.print(
                Text(
                    f"{summary.lost} of {summary.samples + summary.lost} samples were lost to faults of the machinery "
                    f"({100 * summary.lost_share:.1f} %) and left out of the score",
                    style="magenta",
                )
            )


def _rows(summaries: Sequence[Summary]) -> Iterator[tuple[str, list[str]]]:
    yield "tasks", [str(s.tasks) for s in summaries]
    yield "samples", [str(s.samples) for s in summaries]
    for k in sorted({k for s in summaries for k in s.pass_at}):
        yield f"pass@{k}", [s.pass_at[k].percent() if k in s.pass_at else "" for s in summaries]
    for field in dict.fromkeys(field for s in summaries for field in s.groups):
        for value in dict.fromkeys(value for s in summaries for value in s.groups.get(field, {})):
            cells = [s.groups.get(field, {}).get(value) for s in summaries]
            yield f"  {field} {value}", ["" if cell is None else cell.percent() for cell in cells]
    for term in dict.fromkeys(term for s in summaries for term in s.terms):
        yield f"  {term}", [f"{s.terms[term].value:.3f}" if term in s.terms else "" for s in summaries]
    for status in (status for status in STATUSES if any(status in s.statuses for s in summaries)):
        yield f"  {status}", [str(s.statuses.get(status, 0)) for s in summaries]
