"""The generated set: ids, splits, difficulty, and that nothing is asked for in vain."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from bai.envs.tasks.tool_work import WorkTaskSet
from bai.envs.tasks.tools import ToolTask
from bai.errors import ConfigError, TaskNotFound

USES = ["sqlite", "files", "redis", "calculator"]


def first(n: int, **arguments: object) -> list[ToolTask]:
    return list(itertools.islice(WorkTaskSet(**arguments), n))  # type: ignore[arg-type]


def test_an_id_says_everything() -> None:
    """The same id is the same task, whatever set it is asked of; samples depend on the generator alone."""
    for task in first(30, difficulty=[1, 2, 3, 4, 5], uses=USES):
        assert WorkTaskSet("heldout").get(task.task_id) == task
        assert ToolTask.from_json(json.loads(json.dumps(task.to_json()))) == task
    one, other = (WorkTaskSet().sample(np.random.default_rng(3)) for _ in range(2))
    assert one == other
    with pytest.raises(TypeError):
        len(WorkTaskSet())


@pytest.mark.parametrize("task_id", ["", "work/sf/train/9/000000000", "work/ssf/train/1/000000000", "work/x/train/1/0"])
def test_ids_that_are_none(task_id: str) -> None:
    """Are told with an example."""
    with pytest.raises(TaskNotFound, match="expected an id such as"):
        WorkTaskSet().get(task_id)


def test_splits_share_no_request() -> None:
    """What is asked for in one is asked for nowhere in the other."""
    asked = [
        {(task.prompt, task.later) for task in first(250, split=split, difficulty=[1, 2, 3])}
        for split in ("train", "heldout")
    ]
    assert len(asked[0]) > 150 and not asked[0] & asked[1]


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4, 5])
def test_difficulty_is_the_length_of_the_work(difficulty: int) -> None:
    """Turns and calls grow with it."""
    tasks = [task for task in first(30, difficulty=difficulty, uses=USES) if task.metadata["category"] != "irrelevance"]
    turns = {1: 1, 2: 1, 3: 2, 4: 2, 5: 3}[difficulty]
    assert {1 + len(task.later) for task in tasks} == {turns}
    calls = [sum(map(len, task.gold_turns())) for task in tasks]
    assert max(calls) == 1 if difficulty == 1 else max(calls) >= difficulty
    assert max(len(task.prompt) for task in tasks) < 250


def test_every_category_and_source_comes_up() -> None:
    """And can be asked for alone."""
    tasks = first(120, difficulty=[1, 2, 3], uses=USES)
    categories = {task.metadata["category"] for task in tasks}
    assert categories == {"simple", "parallel", "several turns", "irrelevance"}
    assert {use for task in tasks for use in task.metadata["uses"]} == set(USES)
    for category in categories:
        assert all(task.metadata["category"] == category for task in first(5, category=category))
    with pytest.raises(ConfigError, match="no task of category"):
        next(iter(WorkTaskSet(difficulty=1, category="parallel")))
    with pytest.raises(ConfigError, match="no task of category"):
        WorkTaskSet(difficulty=1, category="parallel").sample(np.random.default_rng(0))


@pytest.mark.parametrize("uses", [["sqlite"], ["postgres"], ["files"], ["redis"], ["calculator"], ["files", "redis"]])
def test_tasks_keep_to_what_they_may_use(uses: list[str]) -> None:
    """At every difficulty."""
    for task in first(25, difficulty=[1, 2, 3, 4, 5], uses=uses):
        assert {spec.source for spec in task.sources} <= set(uses)


def test_tasks_are_distinct_where_that_is_asked_for() -> None:
    """Two that say the same count once."""
    tasks = WorkTaskSet("heldout", difficulty=1).distinct(50)
    assert len({json.dumps([task.prompt, task.to_json()["sources"]]) for task in tasks}) == 50


@pytest.mark.parametrize(
    "arguments",
    [
        {"split": "test"},
        {"difficulty": 0},
        {"difficulty": []},
        {"difficulty": True},
        {"uses": []},
        {"uses": "mail"},
        {"uses": ["sqlite", "postgres"]},
        {"category": "hard"},
    ],
)
def test_arguments_that_are_none(arguments: dict[str, object]) -> None:
    """Are told with what was expected."""
    with pytest.raises(ConfigError, match="must"):
        WorkTaskSet(**arguments)  # type: ignore[arg-type]
