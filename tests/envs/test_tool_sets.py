"""The public sets of bai/ToolUse-v0, through the environment: gold answers earn everything, empty ones nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from bai.envs.grading.tools.base import Record, TurnRecord
from bai.envs.grading.tools.registry import find_judge
from bai.envs.tasks.tool_sets import load_tool_set
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import MadeCall, ToolCall
from bai.envs.tooluse import ToolUseEnv
from bai.errors import ConfigError, TaskSetNotFound

SIZES = {"toolalpaca": 100, "tau2_retail": 114, "spider": 902}
UNTELLING = {"category": ["zeros", "empty"]}
"""Of Spider, what is left out unless it is asked for."""
pytestmark = pytest.mark.data


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def played(env: ToolUseEnv, task_id: str, answers: Iterator[str]) -> tuple[float, dict[str, Any]]:
    env.reset(options={"task_id": task_id})
    over = False
    while not over:
        _, reward, terminated, truncated, info = env.step(next(answers, ""))
        over = terminated or truncated
    return reward, info


@pytest.mark.parametrize(
    ("name", "filters", "size"),
    [
        ("toolalpaca", {}, 100),
        ("tau2_retail", {}, 114),
        pytest.param("spider", {}, 902, marks=[pytest.mark.slow, pytest.mark.timeout(1200)]),
        pytest.param("spider", UNTELLING, 132, marks=pytest.mark.slow),
    ],
)
def test_gold_answers_earn_everything_and_empty_ones_nothing(
    name: str, filters: dict[str, Any], size: int, data_dir: Path
) -> None:
    """On every task of every set, those too that are left out unless they are asked for."""
    env = gym.make("bai/ToolUse-v0", task_set=name, prompt="short", **filters).unwrapped
    assert isinstance(env, ToolUseEnv)
    tasks = list(load_tool_set(name, **filters))
    assert len(tasks) == size
    wrong = []
    for task in tasks:
        gold, info = played(env, task.task_id, env._solve(task))
        empty, _ = played(env, task.task_id, iter(()))
        if (gold, empty, info["error"]) != (1.0, 0.0, None):
            wrong.append((task.task_id, gold, empty, info))
    env.close()
    assert wrong == []


def altered(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return f"{value}zz"
    return [*value, "zz"] if isinstance(value, list) else {**value, "zz": "zz"}


def wrong_calls(task: ToolTask) -> Iterator[list[ToolCall]]:
    """The gold calls with one wanted argument altered or dropped, with one added, with one call left out."""
    gold = [call for calls in task.gold if not isinstance(calls, str) for call in calls]
    for place, wanted in enumerate(task.expected["calls"]):
        for name in wanted["arguments"]:
            arguments = dict(gold[place].arguments)
            without = {key: value for key, value in arguments.items() if key != name}
            for changed in ({**arguments, name: altered(arguments[name])}, without):
                yield [*gold[:place], ToolCall(name=wanted["name"], arguments=changed), *gold[place + 1 :]]
        more = ToolCall(name=wanted["name"], arguments={**gold[place].arguments, "zz": "zz"})
        yield [*gold[:place], more, *gold[place + 1 :]]
        if not wanted["optional"]:
            yield [*gold[:place], *gold[place + 1 :]]


def test_altered_calls_are_rejected(data_dir: Path) -> None:
    """ToolAlpaca: an altered, dropped or added argument, or a call left out; over 700 cases."""
    judge, cases, accepted = find_judge("wanted_calls"), 0, []
    for task in load_tool_set("toolalpaca"):
        for calls in wrong_calls(task):
            made = tuple(MadeCall(call=call) for call in calls)
            cases += 1
            if judge.judge(task, Record(turns=(TurnRecord(calls=made),))).verdict.score:
                accepted.append((task.task_id, calls))
    assert cases > 700
    assert accepted == []


def test_altered_shops_are_rejected(data_dir: Path) -> None:
    """tau2: an order or a user more, one less, one with another value."""
    judge, accepted = find_judge("retail"), []
    for task in load_tool_set("tau2_retail"):
        assert isinstance(task, ToolTask)
        for state in wrong_states(task.expected["state"]):
            said = "; ".join(["Done", *task.expected["communicate"]])
            record = Record(turns=(TurnRecord(answer=said),) * 3, end_states={"retail": state})
            if judge.judge(task, record).verdict.score:
                accepted.append(task.task_id)
    assert accepted == []


def wrong_states(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {**state, "orders": {**state["orders"], "#W0": {"status": "cancelled"}}}
    for kind, records in state.items():
        for key in records:
            less = copy.deepcopy(state)
            del less[kind][key]
            yield less
            for name in records[key]:
                other = copy.deepcopy(state)
                other[kind][key][name] = "zz"
                yield other


def test_a_query_without_a_result_earns_nothing_unless_asked_for(data_dir: Path) -> None:
    """Of Spider, what the most careless queries match is left out: of training and of evaluation."""
    judge = find_judge("result_set")

    def passes(task: ToolTask) -> bool:
        width = len(task.expected["columns"])
        for rows in ([], [[0] * width], [[None] * width]):
            result = {"columns": task.expected["columns"], "rows": rows}
            record = Record(turns=(TurnRecord(),), end_states={task.sources[0].key: result})
            if judge.judge(task, record).verdict.score:
                return True
        return False

    assert not any(map(passes, load_tool_set("spider")))
    assert sum(map(passes, load_tool_set("spider", category="empty"))) == 88


@pytest.mark.parametrize(
    ("name", "filters", "size"),
    [
        ("spider", {}, 902),
        ("spider", {"category": ["telling", "zeros", "empty"]}, 1034),
        ("spider", {"category": ["telling", "zeros", "empty"], "difficulty": "extra"}, 166),
        ("spider", {"difficulty": ["easy", "medium"]}, None),
        ("spider", {"database": "wta_1", "category": "empty"}, None),
        ("toolalpaca", {"category": "ask"}, 8),
        ("toolalpaca", {"api": "Lob.com"}, 5),
        ("tau2_retail", {"split": "test"}, 40),
        ("tau2_retail", {"split": ["train", "test"]}, 114),
    ],
)
def test_sets_are_filtered(name: str, filters: dict[str, Any], size: int | None, data_dir: Path) -> None:
    """By any field of their metadata."""
    tasks = load_tool_set(name, **filters)
    assert size is None or len(tasks) == size
    for task in tasks:
        for field, wanted in filters.items():
            assert task.metadata[field] in (wanted if isinstance(wanted, list) else [wanted])


def test_a_filter_that_leaves_nothing_is_an_error(data_dir: Path) -> None:
    """It says what there is."""
    with pytest.raises(ConfigError, match=r"test.*train"):
        load_tool_set("tau2_retail", split="validation")


@pytest.mark.parametrize("name", SIZES)
def test_tasks_are_the_same_again_and_are_plain_json(name: str, data_dir: Path) -> None:
    """Loading twice gives equal tasks, which come back from their JSON."""
    tasks = list(load_tool_set(name))[::20]
    assert [ToolTask.from_json(task.to_json()) for task in tasks] == tasks


@pytest.mark.parametrize("name", SIZES)
def test_an_absent_set_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the files it wants and where they may lie."""
    monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path))
    with pytest.raises(TaskSetNotFound, match=f"{name}.*json.*BAI_DATA_DIR"):
        load_tool_set(name)
