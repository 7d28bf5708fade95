"""Reports: complete, self-contained, and safe to open whatever an agent wrote."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bai.errors import ConfigError
from bai.evals.metrics import Estimate
from bai.evals.report import Condition, Curve, print_summary, print_trajectory, render_report, write_report
from bai.evals.report.charts import _ticks, bars, curves
from bai.evals.report.text import escape, visible
from bai.evals.summary import summarise
from bai.types import Span, TokenTrace, Trajectory, Turn

Make = Callable[..., Trajectory]
ANY = st.text(st.characters(codec=None), max_size=60)
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>\"'><!--]]>\x1b[2J\u202e\ud800\x00&lt;"


class Page(HTMLParser):
    """The elements, scripts and texts of a page; knows which elements hold no content."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open and self.open[-1] == "script" else self.texts).append(data)


def page_of(*trajectories: Trajectory, **options: object) -> str:
    return render_report([Condition(name="base", trajectories=trajectories)], **options)  # type: ignore[arg-type]


class TestHostileText:
    """What an agent wrote is text and nothing else."""

    @given(ANY)
    def test_escaped_text_is_inert(self, text: str) -> None:
        """Escaped text holds no markup, can be stored, and shows every character."""
        safe = escape(text)
        assert not set("<>\"'") & set(safe)
        safe.encode("utf-8")
        parser = Page(f"<p>{safe}</p>")
        assert "".join(parser.texts) == visible(text)
        assert [tag for tag, _ in parser.elements] == ["p"]

    @given(ANY)
    def test_visible_text_cannot_command_a_terminal(self, text: str) -> None:
        """No control character is left but tab and line feed, and no override of the text's direction."""
        shown = visible(text)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)

    def test_ordinary_text_is_left_alone(self) -> None:
        """Code, accents and other scripts show as they are."""
        text = "def f(x):\n\treturn 'é漢字🙂'  # ok"
        assert visible(text) == text

    def test_long_text_is_cut_and_says_so(self) -> None:
        """What is left out is counted."""
        assert visible("a" * 12_010, 10) == "a" * 10 + "\n[12,000 more characters]"

    def test_nothing_of_it_becomes_markup(self, make: Make) -> None:
        """Hostile text in every field of a trajectory, a name or a fact adds no element and no script."""
        fields = {
            "turns": (Turn(observation=HOSTILE, action=HOSTILE, stop_reason="length"),),
            "reward_terms": {HOSTILE: 1.0},
            "metadata": {HOSTILE: HOSTILE, "difficulty": HOSTILE},
            "spans": (Span(name=HOSTILE, start_s=0, duration_s=1),),
            "error": HOSTILE,
        }
        options = {"title": HOSTILE, "facts": {HOSTILE: HOSTILE}, "training": [Curve(name=HOSTILE, points=[(0, 1)])]}
        bad = make(HOSTILE, **fields)
        evil = Page(render_report([Condition(name=HOSTILE, trajectories=[bad])], **options))  # type: ignore[arg-type]
        good_fields = {**fields, "error": "x", "reward_terms": {"x": 1.0}, "metadata": {"x": "x", "difficulty": "x"}}
        good_fields |= {"turns": (Turn(observation="x", action="x", stop_reason="length"),)}
        good_options = {"title": "x", "facts": {"x": "x"}, "training": [Curve(name="x", points=[(0, 1)])]}
        good = Page(render_report([Condition(name="x", trajectories=[make("x", **good_fields)])], **good_options))  # type: ignore[arg-type]
        assert [tag for tag, _ in evil.elements] == [tag for tag, _ in good.elements]
        assert [sorted(attrs) for _, attrs in evil.elements] == [sorted(attrs) for _, attrs in good.elements]
        assert evil.scripts == good.scripts

    def test_the_policy_allows_one_script(self, make: Make) -> None:
        """The page allows no request at all, and of scripts only its own, by hash."""
        page = Page(page_of(make()))
        (policy,) = [a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a]
        (script,) = page.scripts
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert policy is not None
        assert "default-src 'none'" in policy
        assert f"script-src 'sha256-{digest}';" in policy

    def test_terminal_shows_it_spelled_out(self, make: Make) -> None:
        """Escapes and rich markup of an answer are printed, not obeyed."""
        out = io.StringIO()
        turns = (Turn(observation="[bold]a[/bold]", action="\x1b[2J[red]b"),)
        print_trajectory(make(turns=turns), Console(file=out, width=100, force_terminal=False))
        assert "\\x1b[2J[red]b" in out.getvalue()
        assert "[bold]a[/bold]" in out.getvalue()
        assert "\x1b" not in out.getvalue()


class TestPage:
    """What a report shows."""

    def test_needs_nothing_else(self, make: Make) -> None:
        """No element and no style refers to anything outside the file."""
        text = page_of(make(), training=[Curve(name="reward", points=[(0, 0.1), (1, 0.4)])])
        page = Page(text)
        assert not page.open
        assert not [tag for tag, attrs in page.elements if {"src", "href", "srcset", "action"} & attrs.keys()]
        assert "://" not in text
        assert "@import" not in text
        assert "url(" not in text

    def test_shows_every_text_of_a_trajectory(self, make: Make) -> None:
        """Prompt, answer, verdict, reward terms and figures of the tokens are all there."""
        mask = np.array([False, True, True])
        trace = TokenTrace(
            token_ids=np.arange(3), loss_mask=mask, logprobs=-mask.astype(np.float32), entropies=mask.astype(np.float32)
        )
        page = Page(page_of(make("t/7", reward_terms={"hidden_tests": 1.0}, tokens=trace)))
        text = "".join(page.texts)
        for wanted in ("t/7", "Write add(a, b).", "def add(a, b): return a + b", "it passed", "hidden_tests", "-1.000"):
            assert wanted in text

    def test_figures_are_those_of_the_summary(self, make: Make) -> None:
        """The table holds the summary's estimates; a condition that lost too much is warned of."""
        rows = [make("a"), make("b", "failed"), make("c", error="SandboxDied")]
        page = page_of(*rows)
        assert summarise(rows).pass_at[1].percent() in page
        assert "1 of 3 samples were lost" in page
        assert "Do not rely" not in page_of(*rows[:2])

    def test_gain_is_paired(self, make: Make) -> None:
        """Two evaluations of the same tasks show their difference; of different tasks they do not."""
        before = Condition(name="base", trajectories=[make(str(i), "failed") for i in range(4)])
        after = Condition(name="trained", trajectories=[make(str(i)) for i in range(4)])
        assert "+100.0 points" in render_report([before, after])
        other = Condition(name="other", trajectories=[make("z")])
        assert "points" not in "".join(Page(render_report([before, other])).texts).replace("No points", "")

    def test_conditions_need_different_names(self, make: Make) -> None:
        """Two conditions of one name are refused."""
        with pytest.raises(ConfigError, match="different names"):
            render_report([Condition(name="a", trajectories=[]), Condition(name="a", trajectories=[make()])])

    def test_long_lists_are_thinned_and_say_so(self, make: Make) -> None:
        """Above the limit one in n trajectories is listed, and the figures still use all."""
        page = page_of(*[make(str(i)) for i in range(25)], max_trajectories=10)
        assert "One in 3 of 25 trajectories is shown." in page
        assert page.count('<details class="trajectory"') == 9
        assert "25 samples" in page

    def test_an_empty_evaluation_has_a_report(self) -> None:
        """Nothing to show is said, not a crash."""
        page = Page(page_of())
        assert not page.open
        assert "There are none." in "".join(page.texts)

    def test_is_written_whole(self, make: Make, tmp_path: Path) -> None:
        """The file appears under its name complete, in a folder made for it, and is the same each time."""
        path = write_report(tmp_path / "new" / "report.html", [Condition(name="base", trajectories=[make()])])
        first = path.read_bytes()
        assert list(path.parent.iterdir()) == [path]
        write_report(path, [Condition(name="base", trajectories=[make()])])
        assert path.read_bytes() == first


class TestCharts:
    """Inline SVG drawn to scale."""

    def svg(self, markup: str) -> ElementTree.Element:
        return ElementTree.fromstring(markup.partition("<ul")[0])

    def test_bars_are_to_scale(self) -> None:
        """A bar of 100 % is four times one of 25 %."""
        estimates = {str(v): Estimate(value=v, low=v, high=v, tasks=4) for v in (0.25, 1.0)}
        heights = [float(r.attrib["height"]) for r in self.svg(bars({"s": estimates}, label="x")).iter("rect")]
        assert heights[1] / heights[0] == pytest.approx(4, abs=0.01)

    def test_series_have_a_legend(self) -> None:
        """Two series are named beside their colours; one needs no legend."""
        one = {"1": Estimate(value=0.5, low=0.4, high=0.6, tasks=3)}
        assert "<li>" not in bars({"a": one}, label="x")
        assert bars({"a": one, "b": one}, label="x").count("<li>") == 2

    @given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), max_size=30))
    def test_curves_stay_inside(self, points: list[tuple[float, float]]) -> None:
        """Any points, one or none or all equal, give a well-formed chart within its frame."""
        chart = curves([Curve(name="a", points=sorted(points)), Curve(name="b", points=[])], label="x")
        if not points:
            assert "No points" in chart
            return
        for dot in self.svg(chart).iter("circle"):
            assert 0 <= float(dot.attrib["cx"]) <= 520
            assert 0 <= float(dot.attrib["cy"]) <= 260

    def test_points_that_are_no_numbers_are_left_out(self) -> None:
        """NaN and infinity are gaps."""
        nan, inf = float("nan"), float("inf")
        chart = curves([Curve(name="a", points=[(0, 1), (1, nan), (2, inf), (3, 2)])], label="x")
        assert len(list(self.svg(chart).iter("circle"))) == 2

    @given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.integers(3, 8))
    def test_ticks_enclose_the_data(self, low: float, span: float, count: int) -> None:
        """Ticks rise, enclose the data, and are few."""
        ticks = _ticks(low, low + span, count)
        assert ticks == sorted(set(ticks))
        assert ticks[0] <= low + 1e-6 * max(1, abs(low))
        assert ticks[-1] >= low + span - 1e-6 * max(1, abs(low))
        assert 2 <= len(ticks) <= count + 3


def test_summaries_in_the_terminal(make: Make) -> None:
    """Figures side by side, with what was lost beneath."""
    out = io.StringIO()
    rows = [make("a", metadata={"difficulty": 1}), make("b", "failed"), make("c", error="SandboxDied")]
    print_summary([summarise(rows, name="base")], Console(file=out, width=100))
    for wanted in ("base", "pass@1", "50.0 %", "difficulty 1", "1 of 3 samples were lost"):
        assert wanted in out.getvalue()
