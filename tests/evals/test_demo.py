"""The demonstration, shrunk: the same path with fewer tasks and iterations."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bai.evals.demo import TRAINING, DemoConfig, parsing_share, run_demo, warm_start
from bai.types import Trajectory, Turn


def _answered(*answers: str) -> Trajectory:
    turns = tuple(Turn(observation="", action=answer) for answer in answers)
    return Trajectory(trajectory_id="0", env_id="e", task_id="t", turns=turns)


def test_the_warm_start_ships_and_is_small() -> None:
    """The package carries the warm start, with its tokenizer, in at most 8 MB."""
    folder = warm_start()
    assert (folder / "tokenizer.json").is_file()
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 8_000_000


def test_parsing_counts_answers_that_are_python() -> None:
    """Prose, an empty answer and broken code don't parse; code does, fenced or not."""
    answers = ["def f(x):\n    return x", "```python\nx = 1\n```", "def f(:", "", "Let me think about it."]
    assert parsing_share([_answered(*answers)]) == pytest.approx(2 / 5)
    assert math.isnan(parsing_share([]))


@pytest.mark.ray
@pytest.mark.slow
def test_the_demonstration_runs_from_end_to_end(tmp_path: Path) -> None:
    """Both evaluations cover the same held-out tasks, training runs, and the report holds all of it."""
    settings = {**TRAINING, "prompts_per_step": 4, "group_size": 4, "total_steps": 8}
    phases: list[str] = []
    result = run_demo(
        DemoConfig(seed=1, out=tmp_path / "run", tasks=8, samples=2, iterations=2, settings=settings),
        on_progress=lambda phase, *_: phases.append(phase),
    )
    assert list(dict.fromkeys(phases)) == ["base", "training", "trained"]
    assert result.gain.tasks == result.base.tasks == result.trained.tasks == 8
    assert result.gain.value == pytest.approx(result.trained.value - result.base.value)
    assert "<html" in result.report.read_text(encoding="utf-8")
    row = json.loads(json.dumps(result.to_json()))
    assert set(row) == {"base", "trained", "ci_low", "ci_high", "seconds", "report"}
    lines = (tmp_path / "run" / "train" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [1, 2]
