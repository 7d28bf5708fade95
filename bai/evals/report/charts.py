"""Charts as inline SVG: no library, no script, colours from the page's style sheet.

Series take their colour from the classes ``s0`` to ``s5``. Every mark has a ``<title>``, which
browsers show on hovering and screen readers read out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bai.evals.metrics import Estimate
from bai.evals.report.text import escape

__all__ = ["Curve", "bars", "curves", "legend", "shares"]

SERIES = 6
"""Number of series colours."""

WIDTH, HEIGHT = 520, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 18, 40


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of a chart, such as the mean reward over training steps."""

    name: str
    """For the legend."""
    points: Sequence[tuple[float, float]]
    """(x, y) in order of x; points that are not finite are left out."""


def legend(names: Sequence[str]) -> str:
    """Names beside their colours; nothing where there is only one series."""
    if len(names) < 2:
        return ""
    items = "".join(f'<li><i class="s{i % SERIES}"></i>{escape(name)}</li>' for i, name in enumerate(names))
    return f'<ul class="legend">{items}</ul>'


def bars(series: Mapping[str, Mapping[str, Estimate]], *, label: str) -> str:
    """Groups of bars from 0 to 100 % with interval whiskers.

    Args:
        series: Name of the series -> label of the group -> estimate of a share.
        label: What the chart shows, for those who cannot see it.
    """
    groups = list(dict.fromkeys(group for estimates in series.values() for group in estimates))
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(groups))
    width = min(44.0, 0.72 * slot / max(1, len(series)))
    parts = [_grid([0, 0.25, 0.5, 0.75, 1], (0, 1), percent=True)]
    for g, group in enumerate(groups):
        middle = LEFT + slot * (g + 0.5)
        parts.append(_text(middle, HEIGHT - BOTTOM + 18, group))
        for s, (name, estimates) in enumerate(series.items()):
            estimate = estimates.get(group)
            if estimate is not None and estimate.tasks:
                x = middle + width * (s - len(series) / 2)
                parts.append(_bar(x, width, s, f"{name}, {group}", estimate))
    return _svg(parts, label) + legend(list(series))


def _bar(x: float, width: float, series: int, name: str, estimate: Estimate) -> str:
    top, low, high = (_y(value, (0, 1)) for value in (estimate.value, estimate.low, estimate.high))
    middle = x + width / 2
    title = f"<title>{escape(name)}: {escape(estimate.percent())}, {estimate.tasks} tasks</title>"
    mark = (
        f'<rect class="s{series % SERIES}" x="{x + 1:.1f}" y="{top:.1f}" width="{width - 2:.1f}" '
        f'height="{HEIGHT - BOTTOM - top:.1f}" rx="2">{title}</rect>'
    )
    whisker = (
        f'<path class="whisker" d="M{middle:.1f} {low:.1f}V{high:.1f}'
        f'M{middle - 4:.1f} {low:.1f}h8M{middle - 4:.1f} {high:.1f}h8"/>'
    )
    return mark + whisker + _text(middle, min(top, high) - 5, f"{100 * estimate.value:.1f}", "value")


def curves(lines: Sequence[Curve], *, label: str, x_label: str = "step") -> str:
    """Lines over a common horizontal axis."""
    kept = [[(x, y) for x, y in line.points if math.isfinite(x) and math.isfinite(y)] for line in lines]
    xs, ys = [x for line in kept for x, _ in line], [y for line in kept for _, y in line]
    if not xs:
        return f'<p class="empty">No points for {escape(label)}.</p>'
    x_ticks, y_ticks = _ticks(min(xs), max(xs), 6), _ticks(min(ys), max(ys), 5)
    x_span, y_span = (min(xs), max(xs)), (y_ticks[0], y_ticks[-1])
    parts = [_grid(y_ticks, y_span)]
    for tick in x_ticks:
        if x_span[0] <= tick <= x_span[1]:
            parts.append(_text(_x(tick, x_span), HEIGHT - BOTTOM + 18, f"{tick:g}"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, x_label))
    for s, (line, points) in enumerate(zip(lines, kept, strict=True)):
        parts.append(_line(line.name, [(_x(x, x_span), _y(y, y_span), x, y) for x, y in points], s))
    return _svg(parts, label) + legend([line.name for line in lines])


def _line(name: str, points: Sequence[tuple[float, float, float, float]], series: int) -> str:
    """A line of (x, y on the page, x, y as data); single points are marked while they are few."""
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y, _, _ in points)
    line = f'<path class="line s{series % SERIES}" d="{path}"><title>{escape(name)}</title></path>' if points else ""
    if len(points) > 80:
        return line
    dots = (
        f'<circle class="s{series % SERIES}" cx="{x:.1f}" cy="{y:.1f}" r="2.6">'
        f"<title>{escape(name)}, {at:g}: {value:.4g}</title></circle>"
        for x, y, at, value in points
    )
    return line + "".join(dots)


def shares(rows: Mapping[str, Mapping[str, int]], *, label: str) -> str:
    """One stacked bar a row; the parts take their colour from classes of their names.

    Args:
        rows: Name of the row -> name of the part -> count.
        label: What the chart shows, for those who cannot see it.
    """
    parts = []
    for number, (name, counts) in enumerate(rows.items()):
        top = TOP + number * (HEIGHT - TOP) / max(1, len(rows))
        parts.append(_text(4, top + 12, name, "row"))
        x, total = 4.0, max(1, sum(counts.values()))
        for part, count in counts.items():
            width = (WIDTH - 8) * count / total
            title = f"<title>{escape(name)}: {escape(part)} {count} ({100 * count / total:.1f} %)</title>"
            parts.append(_segment(x, top + 20, width, escape(part), title))
            x += width
    names = dict.fromkeys(part for counts in rows.values() for part in counts)
    items = "".join(f'<li><i class="swatch {escape(part)}"></i>{escape(part)}</li>' for part in names)
    return _svg(parts, label) + f'<ul class="legend">{items}</ul>'


def _segment(x: float, y: float, width: float, kind: str, title: str) -> str:
    shown = max(0.0, width - 1)
    return f'<rect class="part {kind}" x="{x:.1f}" y="{y:.1f}" width="{shown:.1f}" height="30" rx="2">{title}</rect>'


def _svg(parts: Sequence[str], label: str) -> str:
    name = escape(label)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">{"".join(parts)}</svg>'


def _grid(ticks: Sequence[float], span: tuple[float, float], *, percent: bool = False) -> str:
    lines = []
    for tick in ticks:
        y = _y(tick, span)
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        lines.append(_text(LEFT - 8, y + 4, f"{100 * tick:.0f} %" if percent else f"{tick:g}", "tick"))
    return "".join(lines)


def _text(x: float, y: float, text: str, kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text, 40)}</text>'


def _x(value: float, span: tuple[float, float]) -> float:
    share = (value - span[0]) / (span[1] - span[0]) if span[1] > span[0] else 0.5
    return LEFT + 6 + (WIDTH - LEFT - RIGHT - 12) * share


def _y(value: float, span: tuple[float, float]) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - span[0]) / (span[1] - span[0])


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers that enclose ``low`` to ``high``, in steps of 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-6 * max(1.0, abs(low)))
    step = 10.0 ** math.floor(math.log10(span / count))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step * count >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]
