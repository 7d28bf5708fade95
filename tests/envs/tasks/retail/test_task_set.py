"""tau2's retail files as tasks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.retail import load_tau2_retail
from bai.envs.tasks.tools import ToolTask
from bai.errors import MalformedRow

USER = {"user_id": "jo", "name": {"first_name": "Jo", "last_name": "Doe"}, "address": {"zip": "1"}, "email": "jo@x"}
ADDRESS = {"address1": "2", "address2": "", "city": "B", "state": "NY", "country": "USA", "zip": "2"}
SCENARIO = {
    "reason_for_call": "You moved.",
    "known_info": "You are Jo.",
    "unknown_info": None,
    "task_instructions": ".",
}


def task(**changes: Any) -> dict[str, Any]:
    move = {"name": "modify_user_address", "arguments": {"user_id": "jo", **ADDRESS}}
    return {
        "id": "0",
        "user_scenario": {"instructions": SCENARIO},
        "evaluation_criteria": {"actions": [move], "communicate_info": ["10"]},
        **changes,
    }


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FiniteTaskSet[ToolTask]]:
    def load(*tasks: dict[str, Any]) -> FiniteTaskSet[ToolTask]:
        monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path))
        files = {
            "tasks.json": tasks,
            "db.json": {"users": {"jo": USER}, "orders": {}, "products": {}},
            "split_tasks.json": {"train": ["0"], "test": ["1"]},
        }
        for name, value in files.items():
            (tmp_path / name).write_text(json.dumps(value))
        (tmp_path / "policy.md").write_text("# Be kind.")
        return load_tau2_retail()

    return load


def test_a_task_is_a_user_with_a_wish(load: Callable[..., FiniteTaskSet[ToolTask]]) -> None:
    """Three messages, the policy, what the gold actions leave behind, and what is to be told."""
    nothing = {"actions": [{"name": "get_user_details", "arguments": {"user_id": "no"}}], "communicate_info": None}
    first, second = load(task(), task(id="1", evaluation_criteria=nothing))
    assert (first.prompt, first.later[0], first.system) == ("I moved.", "I am Jo.", "# Be kind.")
    assert first.metadata == {"split": "train", "category": "change"}
    assert first.expected == {
        "state": {"users": {"jo": {**USER, "address": ADDRESS}}, "orders": {}},
        "communicate": ["10"],
    }
    assert len([action for action in first.gold if isinstance(action, str)]) == 3
    assert second.metadata == {"split": "test", "category": "keep"}
    assert second.expected == {"state": {"users": {}, "orders": {}}, "communicate": []}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"id": 0}, "id"),
        ({"user_scenario": {}}, "user_scenario.*reason_for_call"),
        ({"user_scenario": {"instructions": {**SCENARIO, "known_info": 1}}}, "user_scenario"),
        ({"evaluation_criteria": {"actions": [{}]}}, "evaluation_criteria.*actions"),
        ({"evaluation_criteria": None}, "evaluation_criteria"),
    ],
)
def test_a_bad_task_is_named(load: Callable[..., FiniteTaskSet[ToolTask]], changes: dict[str, Any], says: str) -> None:
    """With the field at fault."""
    with pytest.raises(MalformedRow, match=says):
        load(task(**changes))
