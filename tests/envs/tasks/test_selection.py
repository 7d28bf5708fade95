"""Picking tasks of a finite set by their metadata, and putting them in an order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.selection import filtered, select, shuffled
from bai.errors import ConfigError
from bai.types import Task

SPLITS, LEVELS = ("train", "test"), (1, 2, 3)
METADATA = st.fixed_dictionaries({"split": st.sampled_from(SPLITS)}, optional={"difficulty": st.sampled_from(LEVELS)})
SETS = st.lists(METADATA, min_size=1, max_size=12).map(lambda rows: made(*rows))


def made(*metadata: dict[str, Any]) -> FiniteTaskSet[Task]:
    """A set of tasks with these metadata, called 0, 1, 2, ..."""
    tasks = (Task(task_id=str(number), prompt="?", metadata=row) for number, row in enumerate(metadata))
    return FiniteTaskSet("numbers", tasks)


def ids(tasks: FiniteTaskSet[Task]) -> list[str]:
    return [task.task_id for task in tasks]


NUMBERS = made(*({"split": split, "difficulty": level} for split in SPLITS for level in LEVELS))


@given(tasks=SETS, split=st.sampled_from(SPLITS), levels=st.lists(st.sampled_from(LEVELS), min_size=1))
def test_what_is_picked_has_the_values_and_nothing_else_does(
    tasks: FiniteTaskSet[Task], split: str, levels: list[int]
) -> None:
    """Every task with all the wanted values stays, in the set's order; where there is none, that is an error."""
    right = [
        one.task_id for one in tasks if one.metadata["split"] == split and one.metadata.get("difficulty") in levels
    ]
    wanted = {"split": split, "difficulty": levels}
    if right:
        assert ids(filtered(tasks, wanted)) == ids(select(tasks, wanted)) == right
    else:
        with pytest.raises(ConfigError, match="has no task with"):
            select(tasks, wanted)


@given(tasks=SETS, seed=st.integers(0, 2**64))
def test_a_seed_fixes_an_order_of_the_same_tasks(tasks: FiniteTaskSet[Task], seed: int) -> None:
    """None is lost and none comes twice; the same seed gives the same order again, and the set keeps its own."""
    before = ids(tasks)
    found = shuffled(tasks, seed)
    assert sorted(ids(found)) == sorted(before) and ids(shuffled(tasks, seed)) == ids(found)
    assert ids(tasks) == before and found.name == tasks.name
    assert all(found.get(task.task_id) is task for task in tasks)


@given(tasks=SETS, seed=st.integers(0, 2**32))
def test_filters_come_before_the_order(tasks: FiniteTaskSet[Task], seed: int) -> None:
    """With a seed the same tasks are picked, in the order that the seed has for those."""
    split = next(iter(tasks)).metadata["split"]
    picked = select(tasks, {"split": split})
    assert ids(select(tasks, {"split": split, "seed": seed})) == ids(shuffled(picked, seed))


def test_seeds_differ() -> None:
    """Orders are drawn: few of many seeds leave a set as it was."""
    orders = {tuple(ids(shuffled(NUMBERS, seed))) for seed in range(50)}
    assert len(orders) > 40


def test_one_value_is_a_list_of_one() -> None:
    """Lists and tuples are several values, anything else is one."""
    assert ids(select(NUMBERS, {"difficulty": 2})) == ids(select(NUMBERS, {"difficulty": (2,)})) == ["1", "4"]
    assert ids(select(NUMBERS, {"split": ["test", "train"], "difficulty": [1, 3]})) == ["0", "2", "3", "5"]


def test_none_is_no_filter() -> None:
    """What is not given changes nothing: the set itself is given back."""
    assert select(NUMBERS, {}) is NUMBERS
    assert select(NUMBERS, {"split": None, "seed": None, "color": None}, ["split"]) is NUMBERS


def test_seed_zero_is_a_seed() -> None:
    """It is not taken for none."""
    assert ids(select(NUMBERS, {"seed": 0})) == ids(shuffled(NUMBERS, 0)) != ids(NUMBERS)


def test_a_field_that_may_not_be_asked_for_is_named() -> None:
    """The message says what may be; where any may, a field that no task has leaves none."""
    with pytest.raises(ConfigError, match=r"'numbers' takes split, difficulty and seed; got color"):
        select(NUMBERS, {"color": "red"}, ["split", "difficulty"])
    with pytest.raises(ConfigError, match=r"no task with .*red"):
        select(NUMBERS, {"color": "red"})


def test_where_none_is_left_the_message_says_what_there_is() -> None:
    """So that a misspelt split is seen at once."""
    with pytest.raises(ConfigError, match=r"'numbers' has no task with .*tset.*split: 'test', 'train'$"):
        select(NUMBERS, {"split": "tset"})


@pytest.mark.parametrize("seed", [-1, 1.0, "1", True, [1]])
def test_a_seed_that_is_none_is_refused(seed: Any) -> None:
    """It is a whole number of at least 0."""
    with pytest.raises(ConfigError, match="seed must be a whole number of at least 0"):
        select(NUMBERS, {"seed": seed})
