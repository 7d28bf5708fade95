"""Tasks with tools, as values and as JSON."""

from __future__ import annotations

import json

import pytest

from bai.envs.tasks.tool_sets import load_tool_set
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import SourceSpec, Tool, ToolCall
from bai.errors import ConfigError, TaskSetNotFound

CALL = ToolCall(name="f", arguments={"x": [1, {"y": None}]})


def test_a_task_survives_json() -> None:
    """All of it, and nothing else."""
    task = ToolTask(
        task_id="t",
        prompt="Do it.",
        metadata={"category": "simple"},
        later=("And that.",),
        system="Be brief.",
        tools=(Tool(name="f", description="Does it."),),
        sources=(SourceSpec(source="sqlite", settings={"writable": False}, setup={"script": ""}),),
        judge="calls",
        expected={"rows": []},
        gold=((CALL, CALL), "done", "done"),
    )
    assert ToolTask.from_json(json.loads(json.dumps(task.to_json()))) == task
    assert task.sources[0].key == "sqlite"
    with pytest.raises(KeyError):
        ToolTask.from_json({"task_id": "t"})


def test_gold_calls_by_turn() -> None:
    """One tuple for each of the user's messages, however few gold answers there are."""
    task = ToolTask(task_id="t", prompt="", judge="calls", later=("",), gold=((CALL,), (CALL,), "a", "b"))
    assert task.gold_turns() == ((CALL, CALL), ())
    assert ToolTask(task_id="t", prompt="", judge="calls", gold=((CALL, CALL),)).gold_turns() == ((CALL, CALL),)
    assert ToolTask(task_id="t", prompt="", judge="calls").gold_turns() == ((),)


def test_sets_are_found_by_name() -> None:
    """Mistakes are told with what there is."""
    assert load_tool_set("work", difficulty=1).name == "work"
    with pytest.raises(TaskSetNotFound, match="expected one of work, "):
        load_tool_set("play")
    for filters in ({"colour": "red"}, {"difficulty": 9}, {"split": "test"}, {"uses": "mail"}, {"uses": ["x"]}):
        with pytest.raises(ConfigError):
            load_tool_set("work", **filters)
