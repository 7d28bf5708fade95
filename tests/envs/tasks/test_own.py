"""Files of rows for the environments of mathematics, notebooks and tools, as the documentation shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from bai.envs.tasks.family import family_of
from bai.envs.tasks.maths.load import load_math_set
from bai.envs.tasks.notebook_sets import load_notebook_set
from bai.envs.tasks.tool_sets import load_tool_set
from bai.errors import ConfigError, MalformedRow, TaskSetNotFound

PAGE = Path(__file__).resolve().parents[3] / "docs" / "own_tasks.md"
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)]
PROBLEM, QUESTION, ERRAND = SHOWN
LOADERS: dict[str, Callable[..., Any]] = {
    "bai/Mathematics-v0": load_math_set,
    "bai/Notebook-v0": load_notebook_set,
    "bai/ToolUse-v0": load_tool_set,
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes rows, beside the table that one of them is about."""
    (tmp_path / "prices.csv").write_text("price\n1.5\n3.5\n", encoding="utf-8")

    def write(*rows: dict[str, Any]) -> str:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(("env_id", "row"), list(zip(LOADERS, SHOWN, strict=True)))
def test_rows_are_played(write: Callable[..., str], env_id: str, row: dict[str, Any]) -> None:
    """The environment is told by the rows; the documentation's are earned by the oracle and not by silence."""
    path = write(row)
    assert family_of(path).env == env_id
    with gym.make(env_id, task_set=path) as env:
        for answers, earned in ((None, 1.0), ([""] * 50, 0.0)):
            env.reset(seed=0)
            for action in env.unwrapped.oracle() if answers is None else answers:  # type: ignore[attr-defined]
                _, reward, terminated, truncated, info = env.step(action)
                if terminated or truncated:
                    break
            assert (reward, terminated, truncated) == (earned, True, False), info


@pytest.mark.parametrize(("env_id", "row"), list(zip(LOADERS, SHOWN, strict=True)))
def test_rows_can_be_filtered_and_change(write: Callable[..., str], env_id: str, row: dict[str, Any]) -> None:
    """Filters look at the metadata; a file that has changed is read again."""
    other = {**row, "task_id": "other", "metadata": {"difficulty": 7}}
    load, path = LOADERS[env_id], write(row, other)
    assert [task.task_id for task in load(path, difficulty=7)] == ["other"]
    assert len(load(path)) == 2
    with pytest.raises(ConfigError, match="no task"):
        load(path, difficulty=8)
    assert len(load(write(row))) == 1


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({**PROBLEM, "anwser": "7"}, "anwser"),
        ({**PROBLEM, "answer": " "}, "answer"),
        ({**PROBLEM, "metadata": [1]}, "metadata"),
        ({**QUESTION, "values": {}}, "values"),
        ({**QUESTION, "values": {"mean": 2.5}}, "values"),
        ({**QUESTION, "files": ["nothing.csv"]}, "files"),
        ({**QUESTION, "files": ["../rows.jsonl"]}, "files"),
        ({**QUESTION, "files": ["/etc/hostname"]}, "files"),
        ({**QUESTION, "pictures": 0.5}, "pictures"),
        ({**ERRAND, "golden": []}, "golden"),
        ({**ERRAND, "gold": [[{"name": "sql"}]]}, "arguments"),
        ({**ERRAND, "sources": [{"sorce": "sqlite"}]}, "sorce"),
        ({**ERRAND, "tools": 1}, "tool task"),
        ({**ERRAND, "sources": [{"source": "mcp", "settings": {"command": ["true"]}}]}, "sources"),
    ],
)
def test_a_row_that_breaks_its_format_is_named(write: Callable[..., str], row: dict[str, Any], field: str) -> None:
    """With the file, the line and the field; nothing outside of the rows' folder is read."""
    env_id = family_of(write(row)).env
    with pytest.raises(MalformedRow, match=rf"rows.jsonl.*{field}"):
        LOADERS[env_id](write(row))


@pytest.mark.parametrize("env_id", LOADERS)
def test_a_set_that_is_not_there_is_named(env_id: str) -> None:
    """With the names that there are, and where the format is told."""
    with pytest.raises(TaskSetNotFound, match=r"no file 'nowhere.jsonl': expected one of .*, .*own_tasks.md"):
        LOADERS[env_id]("nowhere.jsonl")
