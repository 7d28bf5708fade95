"""The report: one HTML file that needs nothing else, neither network nor server.

What an agent wrote is hostile. Every text is escaped, and beyond that the page carries a
content security policy that allows no request and no script but its own, named by its
hash, so that even a missed escape could not run.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bai.errors import ConfigError
from bai.evals.metrics import Estimate
from bai.evals.report.browser import browser, definitions
from bai.evals.report.charts import Curve, bars, curves, shares
from bai.evals.report.text import escape
from bai.evals.summary import STATUSES, Summary, paired_gain, summarise
from bai.types import Trajectory

__all__ = ["Condition", "render_report", "write_report"]

MAX_TRAJECTORIES = 4_000
"""Most trajectories a report lists; above it one in n is taken, and the page says so."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One evaluation of a report, such as ``base`` or ``trained``."""

    name: str
    """For legends and tables."""
    trajectories: Sequence[Trajectory]
    """Its samples."""


def write_report(
    path: Path,
    conditions: Sequence[Condition],
    *,
    title: str = "Evaluation",
    training: Sequence[Curve] = (),
    facts: Mapping[str, object] | None = None,
    seed: int = 0,
) -> Path:
    """Writes the page of :func:`render_report` whole: a reader never sees half of it. Gives the path back."""
    page = render_report(conditions, title=title, training=training, facts=facts, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".partial")
    scratch.write_text(page, encoding="utf-8")
    return scratch.replace(path)


def render_report(
    conditions: Sequence[Condition],
    *,
    title: str = "Evaluation",
    training: Sequence[Curve] = (),
    facts: Mapping[str, object] | None = None,
    seed: int = 0,
    max_trajectories: int = MAX_TRAJECTORIES,
) -> str:
    """Makes the page.

    Args:
        conditions: Evaluations side by side. Where the last is of the same tasks as the first, the page shows
            its gain with an interval paired by task.
        title: Heading of the page.
        training: Lines over training steps, such as the mean reward.
        facts: Names and values under the heading, such as the policy and the seed.
        seed: Seeds the bootstrap.
        max_trajectories: Most trajectories listed.

    Raises:
        ConfigError: Two conditions have one name.
    """
    named = {condition.name: condition.trajectories for condition in conditions}
    if len(named) != len(conditions):
        raise ConfigError(f"conditions need different names; got {[c.name for c in conditions]}")
    summaries = [summarise(rows, name=name, seed=seed) for name, rows in named.items()]
    sections = [
        f"<h1>{escape(title, 200)}</h1>" + definitions((facts or {}).items()),
        _cards(summaries, paired_gain([c.trajectories for c in conditions], seed=seed)),
        _warning(summaries),
        _charts(summaries, training),
        "<h2>Figures</h2>" + _table(summaries),
        "<h2>Trajectories</h2>" + browser(named, limit=max_trajectories),
        "<footer>Intervals: 95 %, bootstrap over tasks. Samples lost to the machinery are in no figure.</footer>",
    ]
    return _document(title, "\n".join(sections))


def _document(title: str, body: str) -> str:
    folder = files("bai.evals.report")
    style = folder.joinpath("style.css").read_text(encoding="utf-8")
    script = folder.joinpath("script.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title, 200)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _cards(summaries: Sequence[Summary], gain: Estimate | None) -> str:
    cards = [
        _card(f"{100 * first.value:.1f} %", f"pass@1, {summary.name}" if summary.name else "pass@1", _ends(first))
        for summary in summaries
        if (first := summary.pass_at.get(1)) is not None and first.tasks
    ]
    if gain is not None and gain.tasks:
        cards.append(_card(f"{100 * gain.value:+.1f} points", "gain in pass@1", _ends(gain, sign="+")))
    tasks, samples = max((s.tasks for s in summaries), default=0), sum(s.samples for s in summaries)
    cards.append(_card(f"{tasks:,}", "tasks", f"{samples:,} samples"))
    return f'<div class="cards">{"".join(cards)}</div>'


def _card(figure: str, name: str, detail: str) -> str:
    return f'<div class="card"><b>{escape(figure)}</b>{escape(name)}<br><span>{escape(detail)}</span></div>'


def _ends(estimate: Estimate, sign: str = "") -> str:
    return f"95 % interval {100 * estimate.low:{sign}.1f} to {100 * estimate.high:{sign}.1f}"


def _warning(summaries: Sequence[Summary]) -> str:
    wrong = [s for s in summaries if not s.is_trustworthy]
    return "".join(
        f'<p class="warning">{escape(s.name or "This evaluation")}: {s.lost} of {s.samples + s.lost} samples were '
        f"lost to faults of the machinery ({100 * s.lost_share:.1f} %). Do not rely on these figures.</p>"
        for s in wrong
    )


def _charts(summaries: Sequence[Summary], training: Sequence[Curve]) -> str:
    panels = []
    if training:
        title = f"Training: {training[0].name}" if len(training) == 1 else "Training"
        panels.append(_panel(title, curves(training, label="training curve")))
    by_k = {s.name: {f"pass@{k}": estimate for k, estimate in s.pass_at.items()} for s in summaries}
    if any(by_k.values()):
        panels.append(_panel("pass@k", bars(by_k, label="pass@k with intervals")))
    fields = dict.fromkeys(itertools.chain.from_iterable(s.groups for s in summaries))
    for field in fields:
        by_value = {s.name: s.groups.get(field, {}) for s in summaries}
        panels.append(_panel(f"pass@1 by {field}", bars(by_value, label=f"pass@1 by {field}")))
    outcomes = {s.name: {**s.statuses, **({"infra_error": s.lost} if s.lost else {})} for s in summaries}
    if any(outcomes.values()):
        panels.append(_panel("What became of the samples", shares(outcomes, label="verdicts")))
    return f'<h2>Results</h2><div class="panels">{"".join(panels)}</div>' if panels else ""


def _panel(title: str, chart: str) -> str:
    return f'<div class="panel"><h3>{escape(title)}</h3>{chart}</div>'


def _table(summaries: Sequence[Summary]) -> str:
    rows: list[tuple[str, list[str]]] = [("tasks", [f"{s.tasks:,}" for s in summaries])]
    rows.append(("samples that count", [f"{s.samples:,}" for s in summaries]))
    rows.append(("lost to the machinery", [f"{s.lost:,} ({100 * s.lost_share:.1f} %)" for s in summaries]))
    for k in sorted({k for s in summaries for k in s.pass_at}):
        rows.append((f"pass@{k}", [s.pass_at[k].percent() if k in s.pass_at else "–" for s in summaries]))
    for field, value in dict.fromkeys((f, v) for s in summaries for f, group in s.groups.items() for v in group):
        cells = [s.groups.get(field, {}).get(value) for s in summaries]
        rows.append((f"pass@1, {field} {value}", ["–" if cell is None else cell.percent() for cell in cells]))
    rows.append(("mean reward", [_mean(s.reward) for s in summaries]))
    for status in (status for status in STATUSES if any(status in s.statuses for s in summaries)):
        rows.append((status, [f"{s.statuses.get(status, 0):,}" for s in summaries]))
    head = "".join(f"<th>{escape(s.name)}</th>" for s in summaries)
    lines = "".join(f"<tr><td>{escape(n)}</td>{''.join(f'<td>{escape(c)}</td>' for c in cs)}</tr>" for n, cs in rows)
    return f'<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _mean(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]" if estimate.tasks else "–"
