"""The list of trajectories: one folded entry each, filterable, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bai.evals.report.text import escape
from bai.evals.summary import status_of
from bai.types import Trajectory

__all__ = ["browser", "definitions"]


def browser(conditions: Mapping[str, Sequence[Trajectory]], *, limit: int) -> str:
    """Gives the filter bar and the entries.

    Args:
        conditions: Name of the condition -> its trajectories.
        limit: Most trajectories shown; above it one in n is taken, and the page says so.
    """
    rows = [(name, row) for name, trajectories in conditions.items() for row in trajectories]
    stride = -(-len(rows) // limit) if rows else 1
    shown = rows[::stride]
    note = f'<p class="empty">One in {stride} of {len(rows):,} trajectories is shown.</p>' if stride > 1 else ""
    entries = "".join(_entry(name, row, len(conditions) > 1) for name, row in shown)
    return _filters(shown, len(conditions) > 1) + note + (entries or '<p class="empty">There are none.</p>')


def _filters(rows: Sequence[tuple[str, Trajectory]], several: bool) -> str:
    choices: dict[str, list[str]] = {"status": sorted({status_of(row) for _, row in rows})}
    if several:
        choices["condition"] = list(dict.fromkeys(name for name, _ in rows))
    if difficulties := {_difficulty(row) for _, row in rows} - {""}:
        choices["difficulty"] = sorted(difficulties, key=lambda text: (len(text), text))
    selects = "".join(_select(name, values) for name, values in choices.items())
    field = '<input type="search" placeholder="Search prompts, answers, verdicts" aria-label="Search">'
    return f'<div class="filters" hidden>{field}{selects}<output></output></div>'


def _select(name: str, values: Sequence[str]) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(value)}</option>' for value in values)
    return f'<select name="{name}" aria-label="{name}"><option value="">any {name}</option>{options}</select>'


def _difficulty(trajectory: Trajectory) -> str:
    return str(trajectory.metadata.get("difficulty", ""))


def _entry(condition: str, trajectory: Trajectory, several: bool) -> str:
    status = status_of(trajectory)
    tags = f'data-status="{escape(status)}" data-condition="{escape(condition)}"'
    tags += f' data-difficulty="{escape(_difficulty(trajectory))}"'
    name = f'<span class="faint">{escape(condition)}</span>' if several else ""
    number = (
        f' <span class="faint">sample {escape(row["sample"])}</span>'
        if "sample" in (row := trajectory.metadata)
        else ""
    )
    head = (
        f'<span class="task">{escape(trajectory.task_id, 200)}{number}</span>{name}'
        f'<span class="faint">reward {trajectory.reward:.3g}</span>'
        f'<span class="chip {escape(status)}">{escape(status)}</span>'
    )
    body = "".join(_body(trajectory))
    return f'<details class="trajectory" {tags}><summary>{head}</summary><div class="body">{body}</div></details>\n'


def _body(trajectory: Trajectory) -> Iterator[str]:
    for number, turn in enumerate(trajectory.turns, start=1):
        yield _block("Prompt" if number == 1 else f"Observation {number}", turn.observation)
        ending = " (cut off)" if turn.stop_reason == "length" else ""
        label = "Answer" if len(trajectory.turns) == 1 else f"Answer {number}"
        yield _block(label + ending, turn.action, "answer")
    if trajectory.verdict is not None:
        detail = trajectory.verdict.detail or "no detail"
        yield _block(f"Verdict: {trajectory.verdict.status}, score {trajectory.verdict.score:.3g}", detail)
    if trajectory.error is not None:
        yield _block("Lost to a fault of the machinery", trajectory.error)
    if facts := list(_facts(trajectory)):
        yield "<h4>Facts</h4>" + definitions(facts)


def _facts(trajectory: Trajectory) -> Iterator[tuple[str, str]]:
    for name, value in trajectory.reward_terms.items():
        yield f"reward {name}", f"{value:.4g}"
    if trajectory.tokens is not None and trajectory.tokens.loss_mask.any():
        mask = trajectory.tokens.loss_mask
        yield "sampled tokens", str(int(mask.sum()))
        yield "mean log-probability", f"{trajectory.tokens.logprobs[mask].mean():.3f}"
        yield "mean entropy", f"{trajectory.tokens.entropies[mask].mean():.3f} nats"
    for span in trajectory.spans:
        yield span.name, f"{span.duration_s:.3f} s"
    for name, value in trajectory.metadata.items():
        if name != "sample":  # the heading says it
            yield name, str(value)


def _block(title: str, text: str, kind: str = "") -> str:
    return f'<h4>{escape(title)}</h4><pre class="{kind}">{escape(text)}</pre>'


def definitions(facts: Iterable[tuple[str, object]]) -> str:
    """Gives names and values in a row."""
    pairs = "".join(f"<div><dt>{escape(k, 200)}</dt><dd>{escape(v, 500)}</dd></div>" for k, v in facts)
    return f'<dl class="facts">{pairs}</dl>'
